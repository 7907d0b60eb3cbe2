#include "agent/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "agent/worker.h"
#include "base/log.h"

namespace etesian::agent {
namespace {

// Descriptors: two pipes, a pidfd, and a segment of its own for a task that writes much.
constexpr std::uint64_t kFilesPerTask = 4;
constexpr std::uint64_t kFilesReserved = 512;
constexpr std::uint64_t kSlotsMax = 8192;

std::uint32_t slot_count() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::uint64_t limit =
      std::max<std::uint64_t>(files.rlim_max, kFilesReserved + kFilesPerTask);
  return static_cast<std::uint32_t>(std::min((limit - kFilesReserved) / kFilesPerTask, kSlotsMax));
}

int run_worker(const Options& options, const Slots& slots, Kept kept) {
  Worker worker(options, slots, std::move(kept));
  auto ready = worker.open();
  if (ready) ready = worker.listen();
  if (!ready) {
    log_line(LogLevel::Error, ready.error().message);
    return 3;
  }
  return worker.run();
}

/// Removes the folder of a task that ran alone.
struct FolderEnd {
  std::string path;
  ~FolderEnd() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

Result<int> run_agent(const Options& options) {
  if (const auto made = make_folders(options.folder); !made) return made.error();
  auto lock = LockFile::acquire(options.folder + "/agent.lock");
  if (!lock) return lock.error();
  const auto slots = Slots::make(slot_count());
  if (!slots) return slots.error();
  ::signal(SIGPIPE, SIG_IGN);
  return run_with_keeper([&](Kept kept) { return run_worker(options, *slots, std::move(kept)); });
}

Result<wire::ExitRecord> run_once(
    const wire::StartTry& launch,
    const std::function<void(int stream, std::string_view line)>& on_line) {
  std::string folder = "/tmp/etesian-once.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return Error{ErrorCode::Unavailable, "make a temporary folder for the task: no room in /tmp"};
  const auto slots = Slots::make(1);
  if (!slots) return slots.error();
  const FolderEnd remove_folder{folder};
  wire::ExitRecord record;
  Worker* current = nullptr;
  Worker worker({.folder = folder, .log_folder = folder + "/logs"}, *slots, Kept{},
                {.on_line = on_line, .on_ended = [&](const wire::ExitRecord& ended) {
                   record = ended;
                   current->leave();
                 }});
  current = &worker;
  if (const auto opened = worker.open(); !opened) return opened.error();
  wire::StartTry mine = launch;
  mine.session = worker.session();
  worker.start(mine);
  worker.run();
  return record;
}

}  // namespace etesian::agent
