#include "airflow/tree_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace etesian::airflow {
namespace {

// Not IN_MODIFY: a file that is still being written is read when its writer closes it.
constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                  IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ONLYDIR;

/// Left by Python and by editors beside what they work on.
bool is_noise(std::string_view name) {
  return name == "__pycache__" || name.ends_with(".pyc") || name.ends_with(".swp") ||
         name.ends_with("~");
}

}  // namespace

TreeWatch::TreeWatch() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  sees_all_ = fd_.get() >= 0;
}

bool TreeWatch::follow(const std::vector<Tree::Place>& places) {
  if (!fd_) return false;
  sees_all_ = true;
  bool has_new = false;
  std::map<int, std::set<std::string>> names;
  for (const Tree::Place& place : places) {
    const int id = ::inotify_add_watch(fd_.get(), place.folder.c_str(), kEvents);
    if (id >= 0) {
      has_new = has_new || !names_.contains(id);
      names[id].insert(place.name);
    } else if (errno != ENOENT && errno != ENOTDIR) {  // Gone meanwhile: its removal was heard.
      sees_all_ = false;
    }
  }
  for (const auto& [id, unused] : names_)
    if (!names.contains(id)) ::inotify_rm_watch(fd_.get(), id);
  names_ = std::move(names);
  return has_new;
}

bool TreeWatch::take() {
  bool matters = false;
  alignas(inotify_event) std::array<char, 64 << 10> buffer;
  for (;;) {
    const ssize_t n = fd_ ? ::read(fd_.get(), buffer.data(), buffer.size()) : 0;
    if (n <= 0) return matters;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name(event.len > 0 ? buffer.data() + at + sizeof event : "");
      at += sizeof event + event.len;
      const auto names = names_.find(event.wd);
      if (event.mask & IN_Q_OVERFLOW) matters = true;
      if (names == names_.end()) continue;
      const bool is_meant = names->second.contains("") || names->second.contains(name);
      matters = matters || name.empty() || (is_meant && !is_noise(name));
      if (event.mask & IN_IGNORED) names_.erase(names);
    }
  }
}

}  // namespace etesian::airflow
