#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "airflow/catalog.h"
#include "airflow/claims.h"
#include "airflow/outcome.h"
#include "airflow/parse_cache.h"
#include "airflow/parse_queue.h"
#include "airflow/sources.h"
#include "airflow/tree_watch.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"

namespace etesian::airflow {
namespace {

using namespace std::chrono_literals;

/// `[dag_processor] dag_file_processor_timeout` of Airflow; the host kills a parse then.
constexpr std::int64_t kParseTimeoutS = 50;
constexpr std::int64_t kParseMemoryBytes = 2LL << 30;
/// For a start of the host and its own overhead.
constexpr Duration kAnswerMax = std::chrono::seconds(kParseTimeoutS) + 400s;
/// Where something cannot be watched, everything is looked at this often.
constexpr int kBlindLookMs = 5000;
/// Editors and git write in several steps: one look for all of them, after a moment of quiet, but
/// soon.
constexpr int kQuietMs = 10, kQuietRounds = 5;
constexpr int kDeathsMax = 3;
constexpr std::size_t kSourceMax = 1 << 20;

struct Answer {
  BundleFile file;
  std::string input;
  Urgency urgency{};
  Result<json::object> frame;
};

/// What the host's thread leaves for ours. Outlives the source while an answer is on its way.
class Inbox {
 public:
  Inbox() : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  int fd() const { return bell_.get(); }
  void put(Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    ring();
  }
  std::vector<Answer> take() {
    std::uint64_t count = 0;
    static_cast<void>(!::read(bell_.get(), &count, sizeof count));
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }
  void ring() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(bell_.get(), &one, sizeof one));
  }

 private:
  const Fd bell_;
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

/// What is known of a file.
struct FileState {
  DagFile file;
  std::string input;  ///< Of what follows; empty: nothing yet.
  Claims::Dags dags;
  std::vector<Problem> problems;
  std::vector<std::string> unstable;
  Instant since{};                ///< When the problems began to be these.
  std::optional<Outcome> second;  ///< Of a check that gave something else.
  int deaths = 0;                 ///< Of the host during its parses.
  int readies = 0;                ///< How often the host had been started at the last of them.
};

bool is_same(const Claims::Dags& a, const Claims::Dags& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const auto& left, const auto& right) {
        return left.first == right.first && left.second->version() == right.second->version();
      });
}

Diagnostic diagnostic(const std::string& file, int line, const std::string& message) {
  Diagnostic out;
  out.file = file;
  out.line = line;
  out.message = message;
  return out;
}

class Source final : public DagSource {
 public:
  Source(std::shared_ptr<Host> host, const std::vector<Bundle>& bundles, ParseCache cache,
         std::shared_ptr<const Clock> clock, const std::string& environment_key,
         std::vector<std::shared_ptr<const Dag>> known, Listener listener)
      : host_(std::move(host)),
        cache_(std::move(cache)),
        clock_(std::move(clock)),
        listener_(std::move(listener)),
        known_(std::move(known)),
        claims_(known_),
        queue_(std::max(1U, std::thread::hardware_concurrency())) {
    for (const Bundle& bundle : bundles) catalogs_.emplace_back(bundle, environment_key);
    following_ = host_->add_listener({[this] { ++readies_; }, {}, {}});
    thread_ = std::thread([this] { run(); });
  }

  ~Source() override {
    host_->remove_listener(following_);
    must_end_ = true;
    inbox_->ring();
    thread_.join();
  }

  std::vector<ImportError> import_errors() const override {
    const std::lock_guard lock(mutex_);
    return errors_;
  }

 private:
  void run();
  void look_around();
  void look_at_file(const BundleFile& key, const DagFile& file);
  bool take_from_cache(const BundleFile& key, FileState& state);
  void forget(const BundleFile& key);
  void dispatch();
  void take(Answer answer);
  void note_death(const BundleFile& key, FileState& state, const Error& error);
  void refuse(const BundleFile& key, FileState& state, const std::string& why);
  void accept(const BundleFile& key, FileState& state, Outcome outcome);
  void check(const BundleFile& key, FileState& state, Outcome outcome);
  void set_problems(const BundleFile& key, FileState& state, std::vector<Problem> problems);
  void remember(const BundleFile& key, const FileState& state);
  void settle();
  void publish();
  void add_errors(const BundleFile& key, const FileState& state,
                  std::map<std::string, ImportError>& errors);
  bool wait();
  const Bundle& bundle_of(const BundleFile& key) const { return catalogs_[key.first].bundle(); }
  AirflowPlace place_of(const BundleFile& key) const {
    return {bundle_of(key).name, bundle_of(key).folder, key.second};
  }

  const std::shared_ptr<Host> host_;
  const ParseCache cache_;
  const std::shared_ptr<const Clock> clock_;
  const Listener listener_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::atomic<bool> must_end_{false};
  std::atomic<int> readies_{0};  ///< How often the host has been ready.
  int following_ = 0;

  mutable std::mutex mutex_;
  std::vector<ImportError> errors_;

  // The rest belongs to the thread.
  std::vector<std::shared_ptr<const Dag>> known_;  ///< Until the first look.
  std::vector<Catalog> catalogs_;
  std::vector<std::string> troubles_;  ///< Of bundles that cannot be read.
  TreeWatch watch_;
  Claims claims_;
  ParseQueue queue_;
  std::map<BundleFile, FileState> states_;
  std::string host_trouble_;  ///< Why the host did not answer last; empty: it did.
  std::map<std::string, std::int64_t> error_ids_;
  bool has_news_ = true;  ///< The errors may be others than those that are published.
  bool has_told_first_scan_ = false;
  std::thread thread_;
};

void Source::run() {
  look_around();
  known_.clear();
  for (;;) {
    dispatch();
    settle();
    if (!wait()) return;
    for (Answer& answer : inbox_->take()) take(std::move(answer));
  }
}

// ---- what lies on disk ----

void Source::look_around() {
  has_news_ = true;
  for (bool is_heard = false; !is_heard;) {
    std::vector<Tree::Place> places;
    troubles_.clear();
    for (std::size_t i = 0; i < catalogs_.size(); ++i) {
      const Catalog::Look look = catalogs_[i].look();
      places.insert(places.end(), look.places.begin(), look.places.end());
      if (!look.problem.empty()) troubles_.push_back(look.problem);
      std::set<BundleFile> seen;
      for (const DagFile& file : look.files) {
        look_at_file({i, file.path}, file);
        seen.emplace(i, file.path);
      }
      std::vector<BundleFile> gone;
      for (const auto& [key, state] : states_)
        if (key.first == i && !seen.contains(key)) gone.push_back(key);
      for (const BundleFile& key : gone) forget(key);
    }
    is_heard = !watch_.follow(places);
  }
}

void Source::look_at_file(const BundleFile& key, const DagFile& file) {
  const auto found = states_.find(key);
  const bool is_new = found == states_.end();
  FileState& state = is_new ? states_[key] : found->second;
  const DagFile before = std::exchange(state.file, file);
  if (!is_new && before.input == file.input && before.unreadable == file.unreadable) return;
  if (is_new && take_from_cache(key, state)) return;
  state.second.reset();
  state.deaths = 0;
  queue_.remove(key);
  if (!file.unreadable.empty())
    refuse(key, state, file.unreadable);
  else if (state.input != file.input)
    queue_.add(key, before.content == file.content ? Urgency::Affected : Urgency::Changed,
               file.modified_ns);
}

/// What the store and the cache know of the file. True: nothing has changed since.
bool Source::take_from_cache(const BundleFile& key, FileState& state) {
  for (const auto& dag : known_) {
    const DagDefinition& definition = dag->definition();
    if (definition.airflow && definition.airflow->bundle == bundle_of(key).name &&
        definition.relative_file == key.second)
      state.dags[dag->id()] = dag;
  }
  claims_.set(key, state.dags);
  auto note = cache_.find(bundle_of(key).name, key.second);
  if (!note || note->input != state.file.input) return false;
  for (const auto& [id, version] : note->versions)
    if (!state.dags.contains(id) || state.dags[id]->version() != version) return false;
  std::erase_if(state.dags, [&](const auto& dag) { return !note->versions.contains(dag.first); });
  claims_.set(key, state.dags);
  state.input = note->input;
  state.unstable = std::move(note->unstable);
  set_problems(key, state, std::move(note->problems));
  return true;
}

void Source::forget(const BundleFile& key) {
  claims_.set(key, {});
  queue_.remove(key);
  cache_.forget(bundle_of(key).name, key.second);
  states_.erase(key);
}

// ---- parsing ----

void Source::dispatch() {
  while (const auto start = queue_.next()) {
    const auto& [key, urgency] = *start;
    json::object request{{"op", "parse"},
                         {"bundle", bundle_of(key).name},
                         {"bundle_path", bundle_of(key).folder},
                         {"file", bundle_of(key).folder + "/" + key.second},
                         {"timeout_s", kParseTimeoutS},
                         {"memory_bytes", kParseMemoryBytes}};
    host_->ask(std::move(request), kAnswerMax,
               [inbox = inbox_, file = key, urgency = urgency,
                input = states_.at(key).file.input](Result<json::object> frame) {
                 inbox->put({file, input, urgency, std::move(frame)});
               });
  }
}

void Source::take(Answer answer) {
  const BundleFile& key = answer.file;
  queue_.end(key);
  if (!std::exchange(host_trouble_, {}).empty()) has_news_ = true;
  const auto is_overtaken = [&] {
    const auto found = states_.find(key);
    return found == states_.end() || found->second.file.input != answer.input;
  };
  if (is_overtaken()) return;
  FileState& state = states_.at(key);
  if (!answer.frame && answer.frame.error().code == ErrorCode::Unavailable)
    return note_death(key, state, answer.frame.error());
  if (!answer.frame) return refuse(key, state, answer.frame.error().message);
  const json::value* op = answer.frame->if_contains("op");
  if (op == nullptr || *op != "parsed")
    return refuse(key, state, "the Python host answered: " + json::serialize(*answer.frame));
  const AirflowPlace place = place_of(key);
  const auto text = read_file(place.bundle_folder + "/" + key.second);
  if (!text || sha256_hex(*text) != state.file.content) {
    look_around();  // Whatever was parsed, it is not what we have seen.
    if (is_overtaken()) return;
  }
  const bool is_shown = text && key.second.ends_with(".py") && text->size() <= kSourceMax;
  Outcome outcome = outcome_from(*answer.frame, place, is_shown ? valid_utf8(*text) : "");
  state.deaths = 0;
  if (answer.urgency == Urgency::Check)
    check(key, state, std::move(outcome));
  else
    accept(key, state, std::move(outcome));
}

void Source::note_death(const BundleFile& key, FileState& state, const Error& error) {
  host_trouble_ = error.message;
  has_news_ = true;
  // A host that does not come up is no file's fault.
  const int readies = readies_;
  if (readies > state.readies) ++state.deaths;
  state.readies = readies;
  if (state.deaths >= kDeathsMax) {
    host_trouble_.clear();
    return refuse(key, state,
                  "the Python host died each time that it parsed this file: " + error.message);
  }
  queue_.add(key, state.deaths > 0 ? Urgency::Suspicious : Urgency::Changed,
             state.file.modified_ns);
}

/// Not parsed, or not to an answer: what was there before stays.
void Source::refuse(const BundleFile& key, FileState& state, const std::string& why) {
  state.input = state.file.input;
  set_problems(key, state, {{key.second, why, 1, ""}});
}

void Source::accept(const BundleFile& key, FileState& state, Outcome outcome) {
  const bool is_checked = state.second.has_value();
  state.second.reset();
  state.unstable.clear();
  // What could not be loaded may be what was there before.
  if (!outcome.problems.empty()) outcome.dags.insert(state.dags.begin(), state.dags.end());
  state.input = state.file.input;
  state.dags = std::move(outcome.dags);
  claims_.set(key, state.dags);
  set_problems(key, state, std::move(outcome.problems));
  remember(key, state);
  if (state.problems.empty() && !state.dags.empty() && !is_checked)
    queue_.add(key, Urgency::Check, state.file.modified_ns);
}

/// Whether parsing again gave the same. If not, a third time tells a change of the world outside
/// (then the second answer counts) from a file that gives something else each time (then the first
/// stays: a version for each parse would help nobody).
void Source::check(const BundleFile& key, FileState& state, Outcome outcome) {
  const auto agrees = [&](const Claims::Dags& dags, const std::vector<Problem>& problems) {
    return outcome.problems == problems && is_same(outcome.dags, dags);
  };
  if (agrees(state.dags, state.problems)) return state.second.reset();
  if (!state.second) {
    state.second = std::move(outcome);
    return queue_.add(key, Urgency::Check, state.file.modified_ns);
  }
  if (agrees(state.second->dags, state.second->problems))
    return accept(key, state, std::move(outcome));
  state.second.reset();
  for (const auto& [id, dag] : state.dags) {
    const auto other = outcome.dags.find(id);
    if (other == outcome.dags.end()) {
      state.unstable.push_back(id + ": the DAG itself");
    } else if (other->second->version() != dag->version()) {
      const auto serialized = [](const Dag& of) { return of.definition().airflow->serialized; };
      for (const std::string& path : differences(serialized(*dag), serialized(*other->second)))
        state.unstable.push_back(id + ": " + path);
    }
  }
  log_line(LogLevel::Warning, "DAG file gives something else at each parse; the first one counts",
           {{"file", key.second},
            {"fields", state.unstable.empty() ? "errors" : fmt::format("{}", state.unstable[0])}});
  remember(key, state);
}

void Source::set_problems(const BundleFile& key, FileState& state, std::vector<Problem> problems) {
  if (problems == state.problems) return;
  has_news_ = true;
  if (!problems.empty())
    log_line(LogLevel::Warning, "file cannot be loaded; the last good version keeps running",
             {{"file", key.second}, {"why", problems[0].message}});
  state.problems = std::move(problems);
  state.since = clock_->now();
}

void Source::remember(const BundleFile& key, const FileState& state) {
  ParseNote note{state.input, {}, state.problems, state.unstable};
  for (const auto& [id, dag] : state.dags) note.versions[id] = dag->version();
  cache_.keep(bundle_of(key).name, key.second, note);
}

// ---- what the engine hears ----

void Source::settle() {
  const bool is_settled = queue_.is_settled();
  std::vector<Event> events =
      claims_.settle(is_settled && troubles_.empty() ? Claims::Gone::Now : Claims::Gone::Later);
  has_news_ = has_news_ || !events.empty();
  for (Event& event : events) listener_.on_event(std::move(event));
  if (std::exchange(has_news_, false)) publish();
  if (has_told_first_scan_ || (!is_settled && host_trouble_.empty())) return;
  has_told_first_scan_ = true;
  listener_.on_first_scan();
}

void Source::publish() {
  std::map<std::string, ImportError> errors;
  for (const auto& [key, state] : states_) add_errors(key, state, errors);
  std::vector<std::string> troubles = troubles_;
  if (!host_trouble_.empty()) troubles.push_back(host_trouble_);
  for (const std::string& trouble : troubles) {
    ImportError& error = errors[trouble];
    error.file = ".";
    error.bundle = catalogs_[0].bundle().name;
    error.at = clock_->now();
    error.diagnostics.push_back(diagnostic(".", 1, trouble));
  }
  const std::lock_guard lock(mutex_);
  errors_.clear();
  for (auto& [name, error] : errors) {
    const auto next = static_cast<std::int64_t>(error_ids_.size()) + 1;
    error.id = error_ids_.try_emplace(name, next).first->second;
    errors_.push_back(std::move(error));
  }
}

void Source::add_errors(const BundleFile& key, const FileState& state,
                        std::map<std::string, ImportError>& errors) {
  const auto error_of = [&](const std::string& file) -> ImportError& {
    ImportError& error = errors[fmt::format("{} {}", key.first, file)];
    error.file = file;
    error.bundle = bundle_of(key).name;
    error.at = state.since;
    if (state.dags.size() == 1) error.dag_id = state.dags.begin()->first;
    return error;
  };
  for (const Problem& problem : state.problems) {
    ImportError& error = error_of(problem.file);
    error.diagnostics.push_back(diagnostic(problem.file, problem.line, problem.message));
    error.trace += problem.trace;
  }
  for (const auto& [id, winner] : claims_.lost_by(key)) {
    ImportError& error = error_of(key.second);
    error.dag_id = id;
    error.diagnostics.push_back(
        diagnostic(key.second, 1,
                   fmt::format("DAG '{}' is defined in '{}' already; this one is left out", id,
                               winner.second)));
  }
}

/// False: stop.
bool Source::wait() {
  pollfd waits[] = {{inbox_->fd(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}};
  const bool sees_all = watch_.sees_all() && troubles_.empty();
  const int ready = ::poll(waits, std::size(waits), sees_all ? -1 : kBlindLookMs);
  if (must_end_) return false;
  bool must_look = ready == 0;
  if (waits[1].revents != 0 && watch_.take()) {
    must_look = true;
    for (int round = 0; round<kQuietRounds&& ::poll(&waits[1], 1, kQuietMs)> 0; ++round)
      watch_.take();
  }
  if (must_look) look_around();
  return !must_end_;
}

}  // namespace

MakeDagSource dag_source(std::shared_ptr<Host> host, std::vector<Bundle> bundles,
                         std::string cache_folder, std::shared_ptr<const Clock> clock,
                         std::string environment_key) {
  return [=](std::vector<std::shared_ptr<const Dag>> known,
             DagSource::Listener listener) -> Result<std::unique_ptr<DagSource>> {
    std::erase_if(known, [](const auto& dag) { return !dag->definition().airflow; });
    return std::unique_ptr<DagSource>(
        std::make_unique<Source>(host, bundles, ParseCache(cache_folder), clock, environment_key,
                                 std::move(known), std::move(listener)));
  };
}

}  // namespace etesian::airflow
