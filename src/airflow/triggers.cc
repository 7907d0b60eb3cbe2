#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>

#include "airflow/requests.h"
#include "airflow/sources.h"
#include "base/log.h"

namespace etesian::airflow {
namespace {

/// A callback may take as long as the request says; the rest is for a start of the host.
constexpr Duration kCallbackAnswerMax = std::chrono::seconds(700);
constexpr std::size_t kShownMax = 2000;

std::string text_at(const json::object& frame, const char* name) {
  const json::value* value = frame.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::value value_at(const json::object& frame, const char* name) {
  const json::value* value = frame.if_contains(name);
  return value ? *value : json::value(nullptr);
}

std::string last_part(const std::string& text) {
  return text.size() > kShownMax ? "… " + text.substr(text.size() - kShownMax) : text;
}

/// What one try waits for.
struct Waiting {
  InstanceKey key;
  Uuid try_id;
  json::object request;      ///< For the host.
  json::object next_kwargs;  ///< Of the method that goes on.
};

/// The event that a fired trigger stands for; none when the host says what we do not know.
std::optional<Event> event_from(const json::object& frame, const Waiting& waiting) {
  const std::string kind = text_at(frame, "kind");
  if (kind == "event") {
    json::object kwargs = waiting.next_kwargs;
    kwargs["event"] = value_at(frame, "payload");
    return ResumeInstance{waiting.key, waiting.try_id, json::serialize(kwargs), false};
  }
  if (kind == "error") {
    const std::string error = text_at(frame, "error");
    const json::object kwargs{{"error", error.empty() ? "Trigger failure" : error},
                              {"traceback", value_at(frame, "traceback")}};
    return ResumeInstance{waiting.key, waiting.try_id, json::serialize(kwargs), true};
  }
  const auto state = task_state_from_text(text_at(frame, "state"));
  if (kind != "end" || !state) return std::nullopt;
  EndInstance end{waiting.key, waiting.try_id, *state, {}};
  if (const json::value xcoms = value_at(frame, "xcoms"); xcoms.is_object())
    for (const auto& [name, value] : xcoms.get_object())
      end.outputs.emplace_back(name, json::serialize(value));
  return end;
}

class Triggers final : public TriggerHost {
 public:
  Triggers(std::shared_ptr<Host> host, Sink sink) : host_(std::move(host)), sink_(std::move(sink)) {
    // Before the host runs: what it hears of then is a reason to start it.
    sink_(up());
    following_ = host_->add_listener({[this] { on_ready(); },
                                      [this](const std::string& why) { on_down(why); },
                                      [this](const json::object& frame) { on_frame(frame); }});
  }
  ~Triggers() override { host_->remove_listener(following_); }

  void watch(const Effect::Watch& what) override;
  void unwatch(const Uuid& try_id) override;
  void expect_task() override { host_->wake(); }
  void call(const Effect::Callback& what) override;

 private:
  static ExecutorUp up() { return {kTriggerHost, kTriggerHost, "", 0}; }
  void on_ready();
  void on_down(const std::string& why);
  void on_frame(const json::object& frame);

  const std::shared_ptr<Host> host_;
  const Sink sink_;
  int following_ = 0;
  std::mutex mutex_;
  bool is_up_ = true;  ///< Guarded, as the rest: the engine believes so.
  std::map<std::string, Waiting> waiting_;
};

void Triggers::watch(const Effect::Watch& what) {
  auto request = trigger_request(what);
  if (!request) {
    // Nothing would ever wake it: it goes on by failing.
    return sink_(ResumeInstance{
        what.key, what.try_id,
        json::serialize(json::object{{"error", request.error().message}, {"traceback", nullptr}}),
        true});
  }
  Waiting waiting{what.key, what.try_id, *request, {}};
  if (const auto resume = parse_json(what.resume); resume && resume->is_object())
    if (const json::value kwargs = value_at(resume->get_object(), "next_kwargs");
        kwargs.is_object())
      waiting.next_kwargs = kwargs.get_object();
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert_or_assign(to_text(what.try_id), std::move(waiting));
  }
  // Dropped while the host is down; told when it is ready.
  host_->tell(std::move(*request));
  host_->wake();
}

void Triggers::unwatch(const Uuid& try_id) {
  const std::string id = to_text(try_id);
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.erase(id) == 0) return;
  }
  host_->tell({{"op", "cancel"}, {"id", id}});
}

void Triggers::call(const Effect::Callback& what) {
  const std::string dag_id = what.dag->id();
  host_->ask(callback_request(what), kCallbackAnswerMax, [dag_id](Result<json::object> answer) {
    const std::string error = answer ? text_at(*answer, "error") : answer.error().message;
    log_line(error.empty() ? LogLevel::Info : LogLevel::Warning,
             "callback of a DAG file was called",
             {{"dag_id", dag_id},
              {"error", error},
              {"output", answer ? last_part(text_at(*answer, "output")) : ""}});
  });
}

void Triggers::on_ready() {
  std::vector<json::object> requests;
  bool was_up = false;
  {
    const std::lock_guard lock(mutex_);
    was_up = std::exchange(is_up_, true);
    if (was_up)
      for (const auto& [id, waiting] : waiting_) requests.push_back(waiting.request);
  }
  if (!was_up) return sink_(up());  // The engine names everything itself.
  for (json::object& request : requests) host_->tell(std::move(request));
}

void Triggers::on_down(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    if (!std::exchange(is_up_, false)) return;
  }
  sink_(ExecutorDown{kTriggerHost, kTriggerHost, why});
}

void Triggers::on_frame(const json::object& frame) {
  const std::string op = text_at(frame, "op"), id = text_at(frame, "id");
  if (op == "blocked")
    log_line(LogLevel::Warning, "a trigger blocks all others of this server",
             {{"trigger", id},
              {"seconds", json::serialize(value_at(frame, "seconds"))},
              {"stack", last_part(text_at(frame, "stack"))}});
  if (op != "fired") return;
  std::optional<Event> event;
  {
    const std::lock_guard lock(mutex_);
    const auto waiting = waiting_.find(id);
    if (waiting == waiting_.end()) return;
    event = event_from(frame, waiting->second);
    if (event) waiting_.erase(waiting);
  }
  if (event)
    sink_(std::move(*event));
  else
    log_line(LogLevel::Error, "the Python host says of a trigger what nobody understands",
             {{"frame", last_part(json::serialize(frame))}});
}

}  // namespace

MakeTriggerHost trigger_host(std::shared_ptr<Host> host) {
  return [host](TriggerHost::Sink sink) -> Result<std::unique_ptr<TriggerHost>> {
    return std::unique_ptr<TriggerHost>(std::make_unique<Triggers>(host, std::move(sink)));
  };
}

}  // namespace etesian::airflow
