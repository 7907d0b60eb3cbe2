#include "agent/pipes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace etesian::agent {
namespace {

constexpr int kPipeBytes = 256 << 10;

}  // namespace

Pipes::Pipes(std::string folder, std::uint32_t slots, int epoll)
    : folder_(std::move(folder)), epoll_(epoll), pairs_(slots) {
  for (std::uint32_t slot = slots; slot-- > 0;) free_.push_back(slot);
}

std::string Pipes::path(std::uint32_t slot, int stream) const {
  return folder_ + "/" + std::to_string(slot) + (stream == 0 ? ".out" : ".err");
}

int Pipes::read_end(std::uint32_t slot, int stream) const {
  return pairs_[slot].ends[stream].get();
}

bool Pipes::watch(std::uint32_t slot) {
  for (int stream = 0; stream < 2; ++stream) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = token(slot, stream);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, read_end(slot, stream), &event) != 0) return false;
  }
  return true;
}

bool Pipes::make(const Kept& kept, std::uint32_t slot) {
  for (int stream = 0; stream < 2; ++stream) {
    const std::string name = path(slot, stream);
    ::unlink(name.c_str());
    if (::mkfifo(name.c_str(), 0600) != 0) return false;
    Fd& end = pairs_[slot].ends[stream];
    end = Fd(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!end) return false;
    // A wide pipe lets a fast writer run on; a refusal (pipe-user-pages-soft) costs only speed.
    ::fcntl(end.get(), F_SETPIPE_SZ, kPipeBytes);
  }
  hand_over(kept, slot, read_end(slot, 0), read_end(slot, 1));
  return watch(slot);
}

void Pipes::drop(std::uint32_t slot) {
  for (int stream = 0; stream < 2; ++stream) {
    Fd& end = pairs_[slot].ends[stream];
    // The keeper shares the open file, so closing it does not take it out of epoll.
    if (end) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, end.get(), nullptr);
    end.reset();
    ::unlink(path(slot, stream).c_str());
  }
}

void Pipes::adopt(Kept& kept, const std::vector<std::uint32_t>& slots_in_use) {
  std::vector<std::string> names;
  if (DIR* const list = ::opendir(folder_.c_str()); list != nullptr) {
    while (const dirent* entry = ::readdir(list)) names.emplace_back(entry->d_name);
    ::closedir(list);
  }
  for (const std::string& name : names) {
    const auto slot = static_cast<std::uint32_t>(std::strtoul(name.c_str(), nullptr, 10));
    const bool is_used =
        std::find(slots_in_use.begin(), slots_in_use.end(), slot) != slots_in_use.end();
    if (!is_used && name[0] != '.') ::unlink((folder_ + "/" + name).c_str());
  }
  for (const std::uint32_t slot : slots_in_use) {
    Pair& pair = pairs_[slot];
    pair.is_used = true;
    free_.erase(std::remove(free_.begin(), free_.end(), slot), free_.end());
    const auto kept_pair = kept.pipes.find(slot);
    for (int stream = 0; stream < 2; ++stream)
      pair.ends[stream] = Fd(::open(path(slot, stream).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (kept_pair == kept.pipes.end() && pair.ends[0] && pair.ends[1])
      hand_over(kept, slot, read_end(slot, 0), read_end(slot, 1));
    if (pair.ends[0] && pair.ends[1]) watch(slot);
  }
  // The names were opened: what this process inherited is not needed besides.
  kept.pipes.clear();
}

bool Pipes::take(const Kept& kept, std::uint32_t& slot) {
  if (free_.empty()) return false;
  slot = free_.back();
  Pair& pair = pairs_[slot];
  if (!pair.ends[0] && !make(kept, slot)) {
    drop(slot);
    return false;
  }
  free_.pop_back();
  pair.is_used = true;
  return true;
}

void Pipes::give_back(std::uint32_t slot, Condition condition) {
  if (condition == Condition::Held) drop(slot);
  pairs_[slot].is_used = false;
  free_.push_back(slot);
}

}  // namespace etesian::agent
