#include "engine/dag_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "loader/project.h"

namespace etesian {
namespace {

/// Where some folder cannot be watched, a full rescan looks at it this often.
constexpr int kBlindRescanMs = 5000;
/// Editors write a file in several steps: one rescan for all of them.
constexpr int kSettleMs = 10;

class Watch final : public DagSource {
 public:
  Watch(Repository repository, std::set<std::string> known, std::shared_ptr<const Clock> clock,
        Listener listener)
      : repository_(std::move(repository)),
        clock_(std::move(clock)),
        listener_(std::move(listener)),
        known_(std::move(known)),
        stop_(eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { run(); });
  }

  ~Watch() override {
    const std::uint64_t one = 1;
    (void)!write(stop_.get(), &one, sizeof one);
    thread_.join();
  }

  std::vector<ImportError> import_errors() const override {
    const std::lock_guard lock(mutex_);
    std::vector<ImportError> errors;
    for (const auto& [file, error] : errors_) errors.push_back(error);
    return errors;
  }

 private:
  void run();
  void first_scan();
  void tell(const FileChange& change);
  void note_problems(const std::string& file, const std::string& dag_id,
                     std::vector<Diagnostic> diagnostics);
  void note_project();
  bool wait();

  Repository repository_;
  std::shared_ptr<const Clock> clock_;
  Listener listener_;
  std::set<std::string> known_;
  Fd stop_;
  mutable std::mutex mutex_;
  std::map<std::string, ImportError> errors_;  ///< By file.
  std::map<std::string, std::int64_t> ids_;
  std::thread thread_;
};

void Watch::run() {
  first_scan();
  listener_.on_first_scan();
  while (wait()) {
    const auto scan =
        repository_.is_watching_all() ? Repository::Scan::Noticed : Repository::Scan::Everything;
    for (const FileChange& change : repository_.rescan(scan)) tell(change);
    note_project();
  }
}

void Watch::first_scan() {
  for (const auto& [name, slots] : repository_.project().settings.pools)
    listener_.on_pool({.name = name,
                       .slots = slots,
                       .description = "of etesian.yaml",
                       .include_deferred = false});
  std::set<std::string> seen;
  for (const LoadedFile& file : repository_.project().files) {
    const LoadedDag& loaded = file.loaded;
    const std::string id = loaded.id;
    note_problems(file.relative_file, id, loaded.diagnostics);
    if (!id.empty()) seen.insert(id);
    if (loaded.dag) listener_.on_event(DagLoaded{loaded.dag});
  }
  note_project();
  // A broken file keeps its DAG: only one whose file is not there at all is gone.
  for (const std::string& id : known_)
    if (!seen.contains(id)) listener_.on_event(DagGone{id});
}

void Watch::tell(const FileChange& change) {
  note_problems(change.relative_file, change.dag_id, change.diagnostics);
  switch (change.kind) {
    case FileChange::Kind::Added:
    case FileChange::Kind::Changed: listener_.on_event(DagLoaded{change.dag}); break;
    case FileChange::Kind::Removed:
      if (!change.dag_id.empty()) listener_.on_event(DagGone{change.dag_id});
      break;
    case FileChange::Kind::Broken:
      log_line(LogLevel::Warning, "file cannot be loaded; the last good version keeps running",
               {{"file", change.relative_file}});
      break;
  }
}

void Watch::note_problems(const std::string& file, const std::string& dag_id,
                          std::vector<Diagnostic> diagnostics) {
  const std::lock_guard lock(mutex_);
  if (!has_errors(diagnostics)) {
    errors_.erase(file);
    return;
  }
  const auto id = ids_.try_emplace(file, static_cast<std::int64_t>(ids_.size()) + 1).first->second;
  errors_[file] = {id, file, "", dag_id, clock_->now(), std::move(diagnostics), ""};
}

/// What lies between the files (repeated ids, needs that nobody can meet) is told of the file it
/// points at.
void Watch::note_project() {
  std::map<std::string, std::vector<Diagnostic>> by_file;
  for (const Diagnostic& diagnostic : repository_.project().diagnostics)
    by_file[diagnostic.file].push_back(diagnostic);
  std::vector<std::string> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, error] : errors_)
      if (key.starts_with("project:") && !by_file.contains(error.file)) gone.push_back(key);
    for (const std::string& key : gone) errors_.erase(key);
  }
  for (auto& [file, diagnostics] : by_file) {
    const bool is_bad = has_errors(diagnostics);
    note_problems("project:" + file, "", std::move(diagnostics));
    if (!is_bad) continue;
    const std::lock_guard lock(mutex_);
    errors_["project:" + file].file = file;
  }
}

/// False: stop.
bool Watch::wait() {
  pollfd waits[] = {{stop_.get(), POLLIN, 0}, {repository_.wait_fd(), POLLIN, 0}};
  const bool sees_all = repository_.is_watching_all() && repository_.wait_fd() >= 0;
  poll(waits, std::size(waits), sees_all ? -1 : kBlindRescanMs);
  if (waits[0].revents != 0) return false;
  poll(waits, 1, kSettleMs);
  return waits[0].revents == 0;
}

}  // namespace

MakeDagSource dag_watch(std::string folder, std::shared_ptr<const Clock> clock) {
  return [folder = std::move(folder), clock = std::move(clock)](
             std::vector<std::shared_ptr<const Dag>> known,
             DagSource::Listener listener) -> Result<std::unique_ptr<DagSource>> {
    LoadOptions options;
    options.now = clock->now();
    auto repository = Repository::open(folder, options);
    if (!repository) return repository.error();
    std::set<std::string> ids;
    for (const auto& dag : known)
      if (!dag->definition().airflow) ids.insert(dag->id());
    return std::unique_ptr<DagSource>(std::make_unique<Watch>(
        std::move(*repository), std::move(ids), clock, std::move(listener)));
  };
}

}  // namespace etesian
