#include "agent/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/bytes.h"
#include "wire/codec.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kHead = 8;
constexpr std::size_t kRecordMax = 16UL << 20;
constexpr std::uint64_t kAhead = 1UL << 20;

template <class Io, class Record>
void record_fields(Io& io, Record& r) {
  using T = std::remove_const_t<Record>;
  if constexpr (std::is_same_v<T, SessionRecord>) {
    io(r.session);
  } else if constexpr (std::is_same_v<T, ClaimRecord>) {
    io(r.key.try_id, r.key.launch, r.label, r.timeout, r.kill_grace, r.output_bytes_max,
       r.log_pattern, r.has_secrets, r.has_cgroup, r.slot, r.log_segment, r.log_offset, r.at,
       r.is_bash_operator, r.own_folder);
  } else if constexpr (std::is_same_v<T, PidRecord>) {
    io(r.key.try_id, r.key.launch, r.pid, r.birth, r.started_at, r.timeout_at);
  } else if constexpr (std::is_same_v<T, wire::ExitRecord>) {
    wire::fields(io, r);
  } else {
    io(r.key.try_id, r.key.launch);
  }
}

void put_u32(char* out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i, value >>= 8) out[i] = static_cast<char>(value & 0xff);
}
std::uint32_t get_u32(std::string_view in, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(in[at + i]);
  return value;
}

void append_record(std::string& out, const JournalRecord& record) {
  const std::size_t begin = out.size();
  out.append(kHead, '\0');
  out += static_cast<char>(record.index());
  wire::Writer writer(out);
  std::visit([&](const auto& r) { record_fields(writer, r); }, record);
  const std::string_view body = std::string_view(out).substr(begin + kHead);
  const std::uint32_t crc = crc32c(body);
  put_u32(out.data() + begin, static_cast<std::uint32_t>(body.size()));
  put_u32(out.data() + begin + 4, crc);
}

template <std::size_t I = 0>
JournalRecord make_of_kind(std::size_t kind) {
  if constexpr (I < std::variant_size_v<JournalRecord>) {
    if (kind == I) return std::variant_alternative_t<I, JournalRecord>{};
    return make_of_kind<I + 1>(kind);
  }
  return SessionRecord{};
}

/// Reads whole records; returns where they end.
std::size_t read_records(std::string_view in, std::vector<JournalRecord>& out) {
  std::size_t at = 0;
  while (in.size() - at > kHead) {
    const std::size_t length = get_u32(in, at);
    if (length == 0 || length > kRecordMax || in.size() - at - kHead < length) break;
    const std::string_view body = in.substr(at + kHead, length);
    if (crc32c(body) != get_u32(in, at + 4)) break;
    const auto kind = static_cast<std::size_t>(static_cast<unsigned char>(body[0]));
    // A kind of a later release is skipped: its checksum says that it is whole.
    if (kind < std::variant_size_v<JournalRecord>) {
      JournalRecord record = make_of_kind(kind);
      wire::Reader reader(body.substr(1));
      std::visit([&](auto& r) { record_fields(reader, r); }, record);
      if (reader.is_good()) out.push_back(std::move(record));
    }
    at += kHead + length;
  }
  return at;
}

Error journal_error(const char* action, const std::string& path) {
  return {ErrorCode::Unavailable,
          fmt::format("{} journal '{}': {}", action, path, std::generic_category().message(errno))};
}

bool write_at(int fd, std::string_view data, std::uint64_t offset) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

}  // namespace

Result<Done> Journal::open_file() {
  file_ = Fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  struct stat info {};
  if (!file_ || ::fstat(file_.get(), &info) != 0) return journal_error("open", path_);
  allocated_ = static_cast<std::uint64_t>(info.st_size);
  return Done{};
}

Result<Journal> Journal::open(const std::string& path, std::vector<JournalRecord>& records) {
  Journal journal(path);
  if (const auto opened = journal.open_file(); !opened) return opened.error();
  const auto text = read_file(path, 1UL << 30);
  if (!text) return text.error();
  journal.size_ = read_records(*text, records);
  // Half a record behind the end must not be read as one when new records end before it.
  const std::string_view rest = std::string_view(*text).substr(journal.size_);
  const bool is_torn = rest.find_first_not_of('\0') != std::string_view::npos;
  if (is_torn) {
    if (::ftruncate(journal.file_.get(), static_cast<off_t>(journal.size_)) != 0)
      return journal_error("trim", path);
    journal.allocated_ = journal.size_;
  }
  return journal;
}

void Journal::add(const JournalRecord& record) { append_record(buffer_, record); }

Result<Done> Journal::write() {
  if (buffer_.empty()) return Done{};
  if (size_ + buffer_.size() > allocated_) {
    const std::string zeros(kAhead, '\0');
    // Without room for the zeros the records are tried alone.
    if (write_at(file_.get(), zeros, allocated_)) allocated_ += zeros.size();
  }
  if (!write_at(file_.get(), buffer_, size_)) return journal_error("write", path_);
  size_ += buffer_.size();
  allocated_ = std::max(allocated_, size_);
  buffer_.clear();
  return Done{};
}

Result<Done> Journal::sync() {
  if (const auto written = write(); !written) return written;
  if (::fdatasync(file_.get()) != 0) return journal_error("sync", path_);
  return Done{};
}

Result<Done> Journal::replace(const std::vector<JournalRecord>& records) {
  std::string text;
  for (const JournalRecord& record : records) append_record(text, record);
  if (const auto written = write_file_durably(path_, text); !written) return written;
  buffer_.clear();
  size_ = text.size();
  return open_file();
}

}  // namespace etesian::agent
