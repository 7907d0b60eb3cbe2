#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "http/http.h"
#include "model/state.h"

namespace etesian::task_api {

/// What is wrong with a request, in the words of FastAPI and Pydantic: {"detail": [{"type", "loc",
/// "msg", "input"}, …]}, status 422.
class Mistakes {
 public:
  void add(std::string_view type, json::array location, std::string_view message,
           json::value input);
  bool is_empty() const { return list_.empty(); }
  http::Response response() const;

 private:
  json::array list_;
};

/// The body as a JSON object, or the refusal.
std::optional<http::Response> read_object(const std::string& body, json::object& into);

/// Reads the members of a body; each reader notes what is wrong and goes on with a default, so that
/// all mistakes are told at once. Every member must be asked for before `refusal`: one that was
/// not is an unknown key, and forbidden.
class BodyReader {
 public:
  /// `tag`: of the union's branch, where the body is one ("success"); it goes into locations.
  explicit BodyReader(const json::object& body, std::string_view tag = {});

  std::string text(std::string_view name);
  std::optional<std::string> maybe_text(std::string_view name);  ///< Null counts as absent.
  std::int64_t integer(std::string_view name);
  std::optional<double> maybe_number(std::string_view name);
  bool flag(std::string_view name);  ///< False when absent.
  Instant instant(std::string_view name);
  std::optional<Instant> maybe_instant(std::string_view name);
  std::optional<Duration> maybe_duration(std::string_view name);
  void literal(std::string_view name, std::string_view value);
  void object(std::string_view name);          ///< May be absent.
  void object_or_text(std::string_view name);  ///< May be absent.
  const json::array* list(std::string_view name);
  const json::array* maybe_list(std::string_view name);  ///< Null when absent.
  void knows(std::string_view name) { known_.emplace(name); }

  json::array location(std::string_view name) const;
  Mistakes& mistakes() { return mistakes_; }
  std::optional<http::Response> refusal();

 private:
  const json::value* find(std::string_view name);
  const json::value* need(std::string_view name);
  void wrong(std::string_view name, std::string_view type, std::string_view message,
             const json::value& input);
  std::optional<Instant> instant_of(std::string_view name, const json::value& value);

  const json::object& body_;
  std::string tag_;
  std::set<std::string, std::less<>> known_;
  Mistakes mistakes_;
};

/// The same for the values of a query. Unknown names are ignored, as FastAPI does.
class QueryReader {
 public:
  explicit QueryReader(const http::Request& request) : request_(request) {}

  std::string text(std::string_view name);
  std::optional<std::string> maybe_text(std::string_view name) const;
  std::optional<std::int64_t> maybe_integer(std::string_view name);
  bool flag(std::string_view name);  ///< False when absent.
  std::optional<Instant> maybe_instant(std::string_view name);
  Instant instant(std::string_view name);
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<Instant> instants(std::string_view name);
  std::optional<TaskState> maybe_task_state(std::string_view name);
  std::optional<RunState> maybe_run_state(std::string_view name);
  std::optional<http::Response> refusal() const;

 private:
  void missing(std::string_view name);
  std::optional<Instant> instant_of(json::array location, const std::string& text);
  const http::Request& request_;
  Mistakes mistakes_;
};

}  // namespace etesian::task_api
