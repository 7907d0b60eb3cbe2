#include "loader/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace etesian {

FolderWatch::FolderWatch() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  is_watching_all_ = fd_.get() >= 0;
}

void FolderWatch::add(const std::string& folder, const std::string& owner) {
  if (!fd_) return;
  // Not IN_MODIFY: a file that is still being written is read when its writer closes it.
  const int id =
      ::inotify_add_watch(fd_.get(), folder.c_str(),
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                              IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
  if (id < 0)
    is_watching_all_ = false;
  else
    owners_[id] = owner;
}

FolderWatch::Noticed FolderWatch::take() {
  Noticed noticed;
  noticed.is_certain = is_watching_all_;
  if (!fd_) return noticed;
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  for (;;) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n <= 0) return noticed;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name(event.len > 0 ? buffer.data() + at + sizeof event : "");
      at += sizeof event + event.len;
      if (event.mask & IN_Q_OVERFLOW) noticed.is_certain = false;
      const auto owner = owners_.find(event.wd);
      if (owner == owners_.end()) continue;
      if (owner->second.empty())
        noticed.names.insert(name);
      else
        noticed.owners.insert(owner->second);
      if (event.mask & IN_IGNORED) owners_.erase(owner);
    }
  }
}

}  // namespace etesian
