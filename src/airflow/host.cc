#include "airflow/host.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "airflow/frame.h"
#include "airflow/host_process.h"
#include "base/log.h"

namespace etesian::airflow {
namespace {

constexpr std::size_t kAskMax = 64UL << 20, kTellMax = 256UL << 20;
constexpr std::size_t kReadMax = 64UL << 10;
constexpr Duration kEndGrace = std::chrono::seconds(5);

Error down_error(const std::string& why) {
  return {ErrorCode::Unavailable, "ask the Python host: " + why};
}

std::string text_of(const json::object& frame, const char* name) {
  const json::value* value = frame.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// Python's json writes NaN and Infinity, which JSON has not: they become null.
std::string without_nan(std::string_view text) {
  std::string out;
  bool is_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    std::size_t length = 0;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
      if (!is_string && rest.starts_with(word)) length = word.size();
    if (length > 0) {
      out += "null";
      at += length - 1;
      continue;
    }
    out += text[at];
    if (text[at] == '"') is_string = !is_string;
    if (text[at] == '\\' && is_string && at + 1 < text.size()) out += text[++at];
  }
  return out;
}

std::optional<json::object> frame_from(const std::string& body) {
  json::parse_options options;
  options.max_depth = 1000;
  json::error_code failed;
  json::value value = json::parse(body, failed, {}, options);
  if (failed) value = json::parse(without_nan(body), failed, {}, options);
  if (failed || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

class PythonHost final : public Host {
 public:
  PythonHost(HostOptions options, std::shared_ptr<const Clock> clock, Fd wake)
      : options_(std::move(options)), clock_(std::move(clock)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { run(); });
  }
  ~PythonHost() override {
    must_end_ = true;
    ring();
    thread_.join();
  }

  int add_listener(Listener listener) override {
    const std::lock_guard lock(listeners_mutex_);
    listeners_.emplace(++last_listener_, Followed{std::move(listener)});
    ring();
    return last_listener_;
  }
  void remove_listener(int handle) override {
    const std::lock_guard lock(listeners_mutex_);
    listeners_.erase(handle);
  }

  void ask(json::object request, Duration timeout,
           std::function<void(Result<json::object>)> done) override;
  void tell(json::object frame) override;
  void wake() override {
    is_wanted_ = true;
    ring();
  }
  bool is_ready() const override { return is_ready_; }
  json::object versions() const override {
    const std::lock_guard lock(mutex_);
    return versions_;
  }

 private:
  struct Followed {
    Listener listener;
    bool knows_ready = false;
  };
  struct Asked {
    Duration deadline{};
    std::function<void(Result<json::object>)> done;
  };

  void ring() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }
  void run();
  std::string live_once();
  /// Why the process is of no use any more; empty: its end says it. None: go on.
  using Ended = std::optional<std::string>;
  std::string talk(HostProcess& process);
  void wait(const HostProcess& process, Duration until, bool& has_word, bool& has_ended);
  Ended receive(int socket);
  Ended take(const std::string& body);
  void answer(const json::object& frame, std::int64_t id);
  bool flush(int socket);
  Ended check_silence();
  void expire();
  void fail_all(const std::string& why);
  void tell_ready();
  void tell_down(const std::string& why);
  void rest(Duration until);
  template <class Call>
  void each_listener(Call call);
  Duration next_deadline() const;
  Duration silence_due() const {
    return (waits_for_sign_ ? asked_for_sign_ : last_word_) + options_.silence_max;
  }
  int millis_until(Duration then) const;
  void drain_wake();

  const HostOptions options_;
  const std::shared_ptr<const Clock> clock_;
  const Fd wake_;
  std::atomic<bool> must_end_{false}, is_wanted_{false}, is_ready_{false};

  mutable std::mutex mutex_;
  std::string queue_;  ///< Guarded: frames to send once it is ready.
  bool is_overfull_ = false;
  std::map<std::int64_t, Asked> asked_;
  std::int64_t last_id_ = 0;
  json::object versions_;

  std::recursive_mutex listeners_mutex_;  ///< Recursive: a listener may remove itself.
  std::map<int, Followed> listeners_;
  int last_listener_ = 0;

  // The rest belongs to the thread.
  FrameReader in_;
  std::string out_;
  std::size_t sent_ = 0;
  Duration last_word_{0}, asked_for_sign_{0};
  bool waits_for_sign_ = false;
  std::thread thread_;
};

void PythonHost::ask(json::object request, Duration timeout,
                     std::function<void(Result<json::object>)> done) {
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    is_full = queue_.size() > kAskMax;
    if (!is_full) {
      request["id"] = ++last_id_;
      queue_ += frame_of(json::serialize(request));
      asked_.emplace(last_id_, Asked{clock_->uptime() + timeout, std::move(done)});
    }
  }
  if (is_full) return done(down_error("it does not keep up"));
  wake();
}

void PythonHost::tell(json::object frame) {
  const std::string bytes = frame_of(json::serialize(frame));
  {
    const std::lock_guard lock(mutex_);
    if (!is_ready_) return;
    is_overfull_ = is_overfull_ || queue_.size() + bytes.size() > kTellMax;
    if (!is_overfull_) queue_ += bytes;
  }
  ring();
}

void PythonHost::run() {
  Duration pause = options_.first_pause;
  while (!must_end_) {
    if (!is_wanted_) {
      rest(Duration::max());
      continue;
    }
    const Duration begin = clock_->uptime();
    const std::string why = live_once();
    if (must_end_) break;
    // What has lived for a while is no loop of failures.
    if (clock_->uptime() - begin > options_.last_pause) pause = options_.first_pause;
    const Duration until = clock_->uptime() + pause;
    log_line(
        LogLevel::Warning, "the Python host is down; it is started again",
        {{"why", why}, {"pause_s", std::to_string(std::chrono::duration<double>(pause).count())}});
    while (!must_end_ && clock_->uptime() < until) rest(until);
    pause = std::min(pause * 2, options_.last_pause);
  }
  fail_all("the server is ending");
}

/// From the start of a process to its end; returns why it ended.
std::string PythonHost::live_once() {
  std::string why;
  auto process = HostProcess::start(options_);
  if (process) {
    why = talk(*process);
    const bool had_begun = is_ready_;
    // A broken connection may be heard a little before the end that broke it.
    const std::string end = process->end(must_end_ || why.empty() ? kEndGrace : Duration(0));
    if (why.empty()) {
      why = "it ended (" + end + ")";
      const std::string said = had_begun ? "" : last_log_line(options_.log_file);
      if (!said.empty()) why += ": " + said;
    }
  } else {
    why = process.error().message;
  }
  in_ = {};
  out_.clear();
  sent_ = 0;
  waits_for_sign_ = false;
  fail_all(must_end_ ? "the server is ending" : why);
  if (!must_end_) tell_down(why);
  return why;
}

/// Returns why it is of no use any more, or nothing when its end says it.
std::string PythonHost::talk(HostProcess& process) {
  const Duration start = clock_->uptime();
  last_word_ = start;
  while (!must_end_) {
    bool has_word = false, has_ended = false;
    wait(process, is_ready_ ? silence_due() : start + options_.start_timeout, has_word, has_ended);
    if (has_word) {
      if (auto ended = receive(process.socket())) return *ended;
    } else if (has_ended) {
      return "";
    }
    if (is_ready_) {
      tell_ready();
      if (auto ended = check_silence()) return *ended;
      if (!flush(process.socket())) return "";
    } else if (clock_->uptime() > start + options_.start_timeout) {
      return "it was not ready in time";
    }
    expire();
  }
  return "";
}

void PythonHost::wait(const HostProcess& process, Duration until, bool& has_word, bool& has_ended) {
  const short events = sent_ < out_.size() ? POLLIN | POLLOUT : POLLIN;
  pollfd waits[] = {
      {process.socket(), events, 0}, {wake_.get(), POLLIN, 0}, {process.end_fd(), POLLIN, 0}};
  ::poll(waits, std::size(waits), millis_until(std::min(until, next_deadline())));
  if (waits[1].revents != 0) drain_wake();
  has_word = (waits[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  has_ended = waits[2].revents != 0;
}

PythonHost::Ended PythonHost::receive(int socket) {
  std::array<char, kReadMax> buffer;
  const ssize_t n = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
  if (n <= 0) return "";
  last_word_ = clock_->uptime();
  waits_for_sign_ = false;
  in_.feed({buffer.data(), static_cast<std::size_t>(n)});
  for (;;) {
    const auto body = in_.next();
    if (!body) return body.error().message;
    if (!*body) return std::nullopt;
    if (auto ended = take(**body)) return ended;
  }
}

PythonHost::Ended PythonHost::take(const std::string& body) {
  std::optional<json::object> frame = frame_from(body);
  if (!frame) return "it sent what is no JSON object: " + body.substr(0, 200);
  const json::value* id = frame->if_contains("id");
  const std::string op = text_of(*frame, "op");
  if (op == "broken") return "it cannot work: " + text_of(*frame, "error");
  if (op == "ready") {
    frame->erase("op");
    const std::lock_guard lock(mutex_);
    versions_ = std::move(*frame);
    is_ready_ = true;
  } else if (id != nullptr && id->is_int64()) {
    answer(*frame, id->get_int64());
  } else if (op != "stat") {
    each_listener([&](Followed& followed) {
      const auto call = followed.listener.on_frame;  // It may remove itself.
      if (call) call(*frame);
    });
  }
  return std::nullopt;
}

void PythonHost::answer(const json::object& frame, std::int64_t id) {
  std::function<void(Result<json::object>)> done;
  {
    const std::lock_guard lock(mutex_);
    const auto asked = asked_.find(id);
    if (asked == asked_.end()) return;
    done = std::move(asked->second.done);
    asked_.erase(asked);
  }
  done(frame);
}

/// False: the connection broke.
bool PythonHost::flush(int socket) {
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
    const std::lock_guard lock(mutex_);
    out_.swap(queue_);
  }
  if (out_.empty()) return true;
  const ssize_t n = ::send(socket, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  sent_ += static_cast<std::size_t>(n);
  return true;
}

PythonHost::Ended PythonHost::check_silence() {
  const Duration now = clock_->uptime();
  bool is_awaited = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_overfull_) return "it takes nothing any more";
    is_awaited = !asked_.empty();
  }
  if (waits_for_sign_ && is_awaited) asked_for_sign_ = now;
  if (now < silence_due()) return std::nullopt;
  if (waits_for_sign_) return "it fell silent";
  waits_for_sign_ = true;
  asked_for_sign_ = now;
  bound_host_log(options_.log_file);
  tell({{"op", "stat"}});
  return std::nullopt;
}

/// Those whose time is over.
void PythonHost::expire() {
  std::vector<Asked> late;
  {
    const std::lock_guard lock(mutex_);
    const Duration now = clock_->uptime();
    for (auto asked = asked_.begin(); asked != asked_.end();) {
      if (asked->second.deadline > now) {
        ++asked;
        continue;
      }
      late.push_back(std::move(asked->second));
      asked = asked_.erase(asked);
    }
  }
  for (const Asked& asked : late)
    asked.done(Error{ErrorCode::Timeout, "ask the Python host: no answer in time"});
}

void PythonHost::fail_all(const std::string& why) {
  std::map<std::int64_t, Asked> asked;
  {
    const std::lock_guard lock(mutex_);
    is_ready_ = false;
    is_overfull_ = false;
    queue_.clear();
    asked.swap(asked_);
  }
  for (const auto& [id, one] : asked) one.done(down_error(why));
}

template <class Call>
void PythonHost::each_listener(Call call) {
  const std::lock_guard lock(listeners_mutex_);
  std::vector<int> handles;
  for (const auto& [handle, followed] : listeners_) handles.push_back(handle);
  for (const int handle : handles)
    if (const auto found = listeners_.find(handle); found != listeners_.end()) call(found->second);
}

void PythonHost::tell_ready() {
  each_listener([](Followed& followed) {
    if (followed.knows_ready) return;
    followed.knows_ready = true;
    const auto call = followed.listener.on_ready;
    if (call) call();
  });
}

void PythonHost::tell_down(const std::string& why) {
  each_listener([&](Followed& followed) {
    followed.knows_ready = false;
    const auto call = followed.listener.on_down;
    if (call) call(why);
  });
}

/// Until then, or until something rings.
void PythonHost::rest(Duration until) {
  pollfd wait{wake_.get(), POLLIN, 0};
  ::poll(&wait, 1, millis_until(std::min(until, next_deadline())));
  if (wait.revents != 0) drain_wake();
  expire();
}

Duration PythonHost::next_deadline() const {
  const std::lock_guard lock(mutex_);
  Duration next = Duration::max();
  for (const auto& [id, asked] : asked_) next = std::min(next, asked.deadline);
  return next;
}

int PythonHost::millis_until(Duration then) const {
  if (then == Duration::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(then - clock_->uptime());
  constexpr std::int64_t kLongest = 3'600'000;
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, kLongest));
}

void PythonHost::drain_wake() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_.get(), &count, sizeof count));
}

}  // namespace

Result<std::shared_ptr<Host>> Host::create(HostOptions options,
                                           std::shared_ptr<const Clock> clock) {
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return Error{ErrorCode::Unavailable, "make the Python host: no file descriptor"};
  return std::shared_ptr<Host>(
      std::make_shared<PythonHost>(std::move(options), std::move(clock), std::move(wake)));
}

}  // namespace etesian::airflow
