#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "wire/messages.h"

namespace etesian::agent {

/// Which launch: the key of everything that an agent knows.
struct Key {
  Uuid try_id;
  std::int32_t launch = 1;
  friend bool operator==(const Key&, const Key&) = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<Uuid>{}(key.try_id) * 31 + static_cast<std::size_t>(key.launch);
  }
};

/// First record of a journal: what follows belongs to this boot and state folder.
struct SessionRecord {
  std::string session;
};
/// Written before the spawn; all that a later agent needs to go on with the launch. Secrets are not
/// in it: nothing secret is stored in clear text.
struct ClaimRecord {
  Key key;
  std::string label;
  Duration timeout{}, kill_grace{};
  std::uint32_t output_bytes_max = 0;
  std::string log_pattern;
  bool has_secrets = false;
  bool has_cgroup = false;
  std::uint32_t slot = 0;
  std::uint64_t log_segment = 0, log_offset = 0;
  Instant at{};
  bool is_bash_operator = false;
  std::string own_folder;  ///< Removed at the end; empty: none.
};
struct PidRecord {
  Key key;
  std::int32_t pid = 0;
  std::uint64_t birth = 0;  ///< process.h: told apart from a later process with the same pid.
  Instant started_at{};
  std::int64_t timeout_at = 0;  ///< CLOCK_MONOTONIC in ns.
};
struct RevokedRecord {
  Key key;
};
struct AckRecord {
  Key key;
};

using JournalRecord =
    std::variant<SessionRecord, ClaimRecord, PidRecord, RevokedRecord, wire::ExitRecord, AckRecord>;

/// Append-only file of (u32 length, u32 CRC-32C, u8 kind, fields). Length 0 or a wrong checksum is
/// the end: what follows was torn off by a crash. Space is written ahead as zeros, so that a sync
/// need not commit a new file size. One thread.
class Journal {
 public:
  /// Opens or creates `path`; `records` receives what it holds. Errors: Unavailable.
  static Result<Journal> open(const std::string& path, std::vector<JournalRecord>& records);

  /// Adds to the buffer.
  void add(const JournalRecord& record);
  /// Writes the buffer. Survives the death of this process, not of the host. Errors: Unavailable
  /// (disk full): the buffer stays, call again.
  Result<Done> write();
  /// `write`, then fdatasync.
  Result<Done> sync();
  /// Replaces the file durably by one with `records` only.
  Result<Done> replace(const std::vector<JournalRecord>& records);
  std::uint64_t size() const { return size_; }

 private:
  explicit Journal(std::string path) : path_(std::move(path)) {}
  Result<Done> open_file();

  std::string path_;
  Fd file_;
  std::string buffer_;
  std::uint64_t size_ = 0;       ///< Of the records; `buffer_` goes there.
  std::uint64_t allocated_ = 0;  ///< Size of the file.
};

}  // namespace etesian::agent
