#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "api/schema.h"
#include "api/service.h"

namespace etesian::api {

/// One action of a bulk request: PATCH of a collection, in the form of Airflow's BulkBody.
struct BulkAction {
  enum class Kind { Create, Update, Delete } kind = Kind::Create;
  enum class Otherwise { Fail, Skip, Overwrite };
  std::vector<json::value> entities;  ///< Objects that fit the schema; of a delete also texts.
  Otherwise on_existence = Otherwise::Fail, on_absence = Otherwise::Fail;
  std::set<std::string> update_mask;  ///< Empty: everything that an entity gives.
};

/// The actions of a body that fits BulkBody, entities checked against `entity`, or the refusal.
std::variant<std::vector<BulkAction>, http::Response> read_bulk(const json::object& body,
                                                                const Schema& entity);

/// What became of the actions of each kind.
class BulkResult {
 public:
  void begin(BulkAction::Kind kind) { parts_[kind]; }
  void success(BulkAction::Kind kind, std::string key) {
    parts_[kind].success.push_back(std::move(key));
  }
  void error(BulkAction::Kind kind, std::string message, int status);
  http::Response response() const;

 private:
  struct Part {
    std::vector<std::string> success;
    json::array errors;
  };
  std::map<BulkAction::Kind, Part> parts_;
};

/// Members of `body` that are in `mask`; all when it is empty.
json::object masked(const json::object& body, const std::set<std::string>& mask);
/// The body of a PATCH, so far as the query's update_mask lets it through.
json::object masked(const Call& call);

/// A set as Python prints it: "{'a', 'b'}".
std::string python_set(const std::set<std::string>& texts);

/// Bulk actions over a table of settings. `Kind` says what the table is:
///   using Row; static constexpr plural ("variables"), keys ("keys"), id ("key"), body (a schema);
///   static Result<std::vector<Row>> rows(Reading&); static std::string key(const Row&);
///   static Row make(key); static void merge(Service&, Row&, const json::object& body);
///   static std::optional<Error> mistake(const Row&, const BulkAction&, const json::object* body);
///   static Event set(Row, actor), remove(key, actor).
template <class Kind>
class SettingsBulk {
 public:
  using Row = typename Kind::Row;

  static Next run(Reading& reading) {
    auto actions = read_bulk(reading.call.body, schema_named(Kind::body));
    if (auto* refused = std::get_if<http::Response>(&actions)) return std::move(*refused);
    const auto rows = Kind::rows(reading);
    if (!rows) return refusal(rows.error());
    SettingsBulk bulk(reading);
    for (const auto& row : *rows) bulk.rows_.emplace(Kind::key(row), row);
    for (const auto& action : std::get<std::vector<BulkAction>>(actions)) bulk.take(action);
    return Command{std::move(bulk.events_),
                   [result = std::move(bulk.result_)](Reading&, const CommandDone&) -> Next {
                     return result.response();
                   }};
  }

 private:
  explicit SettingsBulk(Reading& reading) : reading_(reading) {}

  void take(const BulkAction& action) {
    result_.begin(action.kind);
    std::set<std::string> known, unknown;
    for (const auto& entity : action.entities) {
      (rows_.count(key_of(entity)) != 0 ? known : unknown).insert(key_of(entity));
    }
    const std::string what =
        "The " + std::string(Kind::plural) + " with these " + std::string(Kind::keys) + ": ";
    const bool is_new = action.kind == BulkAction::Kind::Create;
    if (is_new && action.on_existence == BulkAction::Otherwise::Fail && !known.empty()) {
      return result_.error(action.kind, what + python_set(known) + " already exist.", 409);
    }
    if (!is_new && action.on_absence == BulkAction::Otherwise::Fail && !unknown.empty()) {
      return result_.error(action.kind, what + python_set(unknown) + " were not found.", 404);
    }
    for (const auto& entity : action.entities) one(action, entity, known);
  }

  void one(const BulkAction& action, const json::value& entity,
           const std::set<std::string>& known) {
    const std::string key = key_of(entity);
    const bool is_known = known.count(key) != 0;
    const bool is_new = action.kind == BulkAction::Kind::Create;
    if (is_new && is_known && action.on_existence == BulkAction::Otherwise::Skip) return;
    if (!is_new && !is_known) return;
    if (action.kind == BulkAction::Kind::Delete) return remove(action, key);
    Row row = is_known ? rows_.at(key) : Kind::make(key);
    const json::object body = masked(entity.get_object(), action.update_mask);
    Kind::merge(reading_.service(), row, body);
    if (const auto mistake = Kind::mistake(row, action, &body)) {
      return result_.error(action.kind, mistake->message, 400);
    }
    rows_.insert_or_assign(key, row);
    events_.push_back(Kind::set(std::move(row), reading_.call.request.user));
    result_.success(action.kind, key);
  }

  void remove(const BulkAction& action, const std::string& key) {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return;
    if (const auto mistake = Kind::mistake(found->second, action, nullptr)) {
      return result_.error(action.kind, mistake->message, 400);
    }
    rows_.erase(found);
    events_.push_back(Kind::remove(key, reading_.call.request.user));
    result_.success(action.kind, key);
  }

  static std::string key_of(const json::value& entity) {
    if (entity.is_string()) return std::string(entity.get_string());
    return std::string(entity.at(Kind::id).as_string());
  }

  Reading& reading_;
  std::map<std::string, Row> rows_;
  std::vector<Event> events_;
  BulkResult result_;
};

}  // namespace etesian::api
