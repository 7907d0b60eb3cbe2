#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/api.h"
#include "base/json.h"
#include "fakes/inline_engine.h"
#include "loader/canonical.h"

namespace etesian::api {

using test::InlineEngine;
using test::TemporaryFolder;

/// The text of an endless answer so far.
class RecordedStream final : public http::Stream {
 public:
  bool write(std::string_view chunk) override {
    const std::lock_guard lock(mutex_);
    if (is_open_) text_ += chunk;
    return is_open_;
  }
  void end() override { close(); }
  bool is_open() const override {
    const std::lock_guard lock(mutex_);
    return is_open_;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    closed_.notify_all();
  }
  /// Waits until the server has ended it.
  std::string whole_text() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(closed_.wait_for(lock, std::chrono::seconds(60), [this] { return !is_open_; }));
    return text_;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable closed_;
  std::string text_;
  bool is_open_ = true;
};

class RecordedReply final : public http::Reply {
 public:
  void send(http::Response response) override {
    if (response.shared_body) response.body = *response.shared_body;
    answer.set_value(std::move(response));
  }
  std::shared_ptr<http::Stream> stream(http::Response head) override {
    answer.set_value(std::move(head));
    return body;
  }
  std::promise<http::Response> answer;
  std::shared_ptr<RecordedStream> body = std::make_shared<RecordedStream>();
};

/// An installation with the DAG "etl" (extract -> load), unpaused, and a user who is logged in.
class ApiTest : public ::testing::Test {
 protected:
  static constexpr const char* kPassword = "correct horse battery";

  ApiTest() : engine_(folder_) {
    std::optional<std::string> made;
    accounts_ = *Accounts::open(engine_, kPassword, made);
    router_ =
        make_router(engine_, accounts_, {.log_folder = folder_.file("logs"), .version = "0.1"});
    engine_.happen(DagLoaded{etl()});
  }

  static std::shared_ptr<const Dag> etl() {
    DagDefinition definition;
    definition.id = "etl";
    definition.owner = "data-platform";
    definition.relative_file = "dags/etl/dag.yaml";
    definition.source = "dag: etl\n";
    for (const auto* id : {"extract", "load"}) {
      Task task;
      task.id = id;
      task.run.kind = etesian::Command::Kind::Argv;
      task.run.words.push_back({"true", 1, 1});
      if (task.id == "load") task.after = {"extract"};
      definition.tasks.push_back(std::move(task));
    }
    definition.canonical = to_canonical(definition, CanonicalUse::Storage);
    definition.version = "v1";
    return *Dag::build(std::move(definition));
  }

  /// `line`: "GET /api/v2/dags?limit=1".
  http::Response call(const std::string& line, const std::string& body = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto reply = begin(line, body, std::move(headers));
    auto answer = reply->answer.get_future();
    if (answer.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      ADD_FAILURE() << line << ": no answer";
      return {};
    }
    return answer.get();
  }

  std::shared_ptr<RecordedReply> begin(
      const std::string& line, const std::string& body = "",
      std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::Request request;
    request.method = line.substr(0, line.find(' '));
    const std::string target = line.substr(line.find(' ') + 1);
    request.path = target.substr(0, target.find('?'));
    if (const auto mark = target.find('?'); mark != std::string::npos) {
      std::istringstream pairs(target.substr(mark + 1));
      for (std::string pair; std::getline(pairs, pair, '&');) {
        request.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
      }
    }
    request.headers = std::move(headers);
    if (!token_.empty()) request.headers.emplace_back("authorization", "Bearer " + token_);
    request.body = body;
    request.peer = "192.0.2.7";
    auto reply = std::make_shared<RecordedReply>();
    router_->handle(request, reply);
    return reply;
  }

  void log_in() {
    const auto response = call("POST /auth/token", login_body(kPassword));
    ASSERT_EQ(response.status, 201) << response.body;
    token_ = json::parse(response.body).at("access_token").as_string();
  }
  static std::string login_body(const std::string& password) {
    return json::serialize(json::object{{"username", "admin"}, {"password", password}});
  }

  /// The member at "a.0.b" of the answer, as JSON text; the status where there is no such member.
  std::string of(const http::Response& response, const std::string& path) {
    boost::system::error_code error;
    const json::value body = json::parse(response.body, error);
    const json::value* at = &body;
    std::istringstream parts(path);
    for (std::string part; !error && std::getline(parts, part, '.');) {
      if (const auto* object = at->if_object(); object != nullptr && object->contains(part)) {
        at = &object->at(part);
      } else if (const auto* list = at->if_array();
                 list != nullptr && part.find_first_not_of("0123456789") == std::string::npos &&
                 std::stoul(part) < list->size()) {
        at = &list->at(std::stoul(part));
      } else {
        return std::to_string(response.status) + ": no " + part + " in " + response.body;
      }
    }
    return json::serialize(*at);
  }

  std::string trigger(const std::string& run_id) {
    return of(call("POST /api/v2/dags/etl/dagRuns",
                   R"({"logical_date": null, "dag_run_id": ")" + run_id + "\"}"),
              "dag_run_id");
  }
  void unpause() { call("PATCH /api/v2/dags/etl", R"({"is_paused": false})"); }
  /// The agent comes up and takes work.
  void agent_comes() { engine_.happen(ExecutorUp{"local", "s1", "host-a", 8}); }
  /// Every open try starts and ends.
  void all_end(int exit_code, const std::string& output = "") {
    for (const auto& row : engine_.world().open_tries()) {
      const LaunchId id{row.id, row.launch};
      const Instant now = engine_.clock().now();
      engine_.happen(LaunchStarted{id, 4711, "host-a", now, {}});
      Outcome outcome;
      outcome.exit_code = exit_code;
      outcome.output = output;
      outcome.started_at = outcome.ended_at = now;
      engine_.happen(LaunchEnded{id, outcome});
    }
  }

  TemporaryFolder folder_;
  InlineEngine engine_;
  std::shared_ptr<Accounts> accounts_;
  std::shared_ptr<http::Router> router_;
  std::string token_;
};

/// The same, already logged in.
class UserTest : public ApiTest {
 protected:
  void SetUp() override { log_in(); }
};

}  // namespace etesian::api
