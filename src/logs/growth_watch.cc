#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "logs/reader.h"

namespace etesian::logs {
namespace {

constexpr int kQuietMs = 20;

class Watch final : public GrowthWatch {
 public:
  Watch(Fd changes, Fd end, std::function<void()> on_growth)
      : changes_(std::move(changes)), end_(std::move(end)), on_growth_(std::move(on_growth)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Watch() override {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(end_.get(), &one, sizeof one));
    thread_.join();
  }

 private:
  void run() {
    pollfd wait[2] = {{end_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}};
    for (;;) {
      ::poll(wait, 2, -1);
      if (wait[0].revents != 0) return;
      alignas(inotify_event) char events[4096];
      while (::read(changes_.get(), events, sizeof events) > 0) {
      }
      on_growth_();
      ::poll(wait, 1, kQuietMs);
      if (wait[0].revents != 0) return;
    }
  }

  Fd changes_, end_;
  std::function<void()> on_growth_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<GrowthWatch>> GrowthWatch::start(const std::string& folder,
                                                        std::function<void()> on_growth) {
  Fd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), end(::eventfd(0, EFD_CLOEXEC));
  if (!changes || !end ||
      ::inotify_add_watch(changes.get(), folder.c_str(), IN_MODIFY | IN_CREATE) < 0)
    return Error{ErrorCode::Unavailable, fmt::format("watch log folder '{}': {}", folder,
                                                     std::generic_category().message(errno))};
  return std::unique_ptr<GrowthWatch>(
      std::make_unique<Watch>(std::move(changes), std::move(end), std::move(on_growth)));
}

}  // namespace etesian::logs
