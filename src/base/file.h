#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace etesian {

/// Owns a file descriptor; closes it at the end of its life.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

/// The whole file. Refuses what is not a regular file and what is larger than `size_max` bytes.
/// Errors: NotFound, TooLarge, InvalidInput (not a regular file), Unavailable (errno text).
Result<std::string> read_file(const std::string& path, std::size_t size_max = 64UL << 20);
/// Durable replacement: temporary file, fsync, rename, fsync of the folder. Mode 0600.
Result<Done> write_file_durably(const std::string& path, std::string_view data);
/// mkdir -p with mode 0700.
Result<Done> make_folders(const std::string& path);

/// Exclusive advisory lock on `path` (created 0600), which names the holder's pid.
/// Released when the object or the process ends. Waits up to 2 s for a holder that is dead already
/// (its lock may live on for a moment in a process that it was starting). Errors: Conflict, "… held
/// by pid N".
class LockFile {
 public:
  static Result<LockFile> acquire(const std::string& path);
  LockFile(LockFile&&) noexcept = default;

 private:
  explicit LockFile(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace etesian
