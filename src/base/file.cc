#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace etesian {
namespace {

Error errno_error(std::string_view action, const std::string& path, int error) {
  return {error == ENOENT || error == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Unavailable,
          fmt::format("{} '{}': {}", action, path, std::generic_category().message(error))};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// False with errno set when not everything could be written.
bool write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int Fd::release() { return std::exchange(fd_, -1); }

void Fd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::string> read_file(const std::string& path, std::size_t size_max) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error("read", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error("read", path, errno);
  if (!S_ISREG(info.st_mode))
    return Error{ErrorCode::InvalidInput, fmt::format("read '{}': not a regular file", path)};
  const Error too_large{ErrorCode::TooLarge,
                        fmt::format("read '{}': larger than {} bytes", path, size_max)};
  if (static_cast<std::size_t>(info.st_size) > size_max) return too_large;
  std::string data;
  // One byte more than it should hold shows the end, and that the file grew past the limit.
  for (std::size_t room = static_cast<std::size_t>(info.st_size) + 1;; room = 65536) {
    const std::size_t size = data.size();
    data.resize(size + room);
    const ssize_t n = ::read(fd.get(), data.data() + size, room);
    data.resize(size + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n < 0 && errno != EINTR) return errno_error("read", path, errno);
    if (data.size() > size_max) return too_large;
    if (n == 0) return data;
  }
}

Result<Done> write_file_durably(const std::string& path, std::string_view data) {
  std::string temporary = path + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return errno_error("write", path, errno);
  const bool is_written = write_all(fd.get(), data) && ::fsync(fd.get()) == 0 &&
                          ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!is_written) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return errno_error("write", path, error);
  }
  const Fd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return errno_error("write", folder_of(path), errno);
  return Done{};
}

Result<Done> make_folders(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return errno_error("make folder", folder, errno);
    if (end == std::string::npos) break;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return errno_error("make folder", path, errno);
  if (!S_ISDIR(info.st_mode)) return errno_error("make folder", path, EEXIST);
  return Done{};
}

Result<LockFile> LockFile::acquire(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return errno_error("lock", path, errno);
  constexpr int kLooks = 100;
  constexpr useconds_t kPauseUs = 20'000;
  for (int look = 1; ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++look) {
    if (errno != EWOULDBLOCK) return errno_error("lock", path, errno);
    const auto holder = read_file(path, 64);
    const pid_t pid = holder ? static_cast<pid_t>(std::strtol(holder->c_str(), nullptr, 10)) : 0;
    // A holder killed while it started a process leaves the lock with the copy of itself that is
    // about to become that process: it is gone in a moment.
    const bool is_alive = pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
    if (is_alive || look == kLooks)
      return Error{ErrorCode::Conflict, fmt::format("lock '{}': held by pid {}", path, pid)};
    ::usleep(kPauseUs);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0 || !write_all(fd.get(), pid))
    return errno_error("lock", path, errno);
  return LockFile(std::move(fd));
}

}  // namespace etesian
