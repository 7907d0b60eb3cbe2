#include <algorithm>
#include <charconv>

#include "api/schema.h"
#include "base/time_text.h"

namespace etesian::api {
namespace {

using Location = std::vector<std::string>;

class Problems {
 public:
  void add(const Location& location, std::string_view type, std::string_view message,
           const json::value& input) {
    json::array where(location.begin(), location.end());
    list_.push_back(json::object{
        {"type", type}, {"loc", std::move(where)}, {"msg", message}, {"input", input}});
  }
  std::optional<http::Response> response() const {
    if (list_.empty()) return std::nullopt;
    http::Response response;
    response.status = 422;
    response.body = json::serialize(json::object{{"detail", list_}});
    return response;
  }

 private:
  json::array list_;
};

std::string one_of(const std::vector<std::string_view>& values) {
  std::string text = "Input should be ";
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) text += i + 1 == values.size() ? " or " : ", ";
    text += "'" + std::string(values[i]) + "'";
  }
  return text;
}

/// A task id, or [task id, map index].
bool is_task_reference(const json::value& value) {
  if (value.is_string()) return true;
  const auto* pair = value.if_array();
  return pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_int64();
}

struct Complaint {
  std::string_view type;
  std::string message;
};

std::optional<Complaint> complaint_of_text(const Field& field, std::string_view text) {
  if (const auto& values = values_of_type(field.type); !values.empty()) {
    if (std::find(values.begin(), values.end(), text) == values.end()) {
      return Complaint{"enum", one_of(values)};
    }
  } else if (field.type == "instant" && !instant_from_text(text)) {
    return Complaint{"datetime_from_date_parsing", "Input should be a valid datetime or date"};
  }
  return std::nullopt;
}

std::optional<Complaint> complaint_of_one(const Field& field, const json::value& value) {
  if (value.is_null() && field.is_nullable) return std::nullopt;
  // Which of its schemas a bulk action and its entities must fit depends on the action: bulk.cc.
  if (field.type == "any" || field.type.starts_with("bulk_")) return std::nullopt;
  if (field.type == "int") {
    if (value.is_int64()) return std::nullopt;
    return Complaint{"int_type", "Input should be a valid integer"};
  }
  if (field.type == "number") {
    if (value.is_number()) return std::nullopt;
    return Complaint{"float_type", "Input should be a valid number"};
  }
  if (field.type == "bool") {
    if (value.is_bool()) return std::nullopt;
    return Complaint{"bool_type", "Input should be a valid boolean"};
  }
  if (field.type == "object" || field.type.starts_with('@')) {
    if (value.is_object()) return std::nullopt;
    return Complaint{"dict_type", "Input should be a valid dictionary"};
  }
  if (field.type == "task_ref") {
    if (is_task_reference(value)) return std::nullopt;
    return Complaint{"string_type", "Input should be a task id or a pair of task id and map index"};
  }
  if (!value.is_string()) return Complaint{"string_type", "Input should be a valid string"};
  return complaint_of_text(field, value.get_string());
}

void check_object(const json::object& object, const Schema& schema, const Location& place,
                  Problems& problems);

void check_value(const Field& field, const json::value& value, Location location,
                 Problems& problems) {
  if (!field.is_list) {
    const bool is_nested = field.type.starts_with('@') && value.is_object();
    if (is_nested) {
      const Schema& inner = schema_named(std::string_view(field.type).substr(1));
      return check_object(value.get_object(), inner, location, problems);
    }
    if (auto complaint = complaint_of_one(field, value)) {
      problems.add(location, complaint->type, complaint->message, value);
    }
    return;
  }
  if (value.is_null() && field.is_nullable) return;
  const auto* list = value.if_array();
  if (list == nullptr) {
    return problems.add(location, "list_type", "Input should be a valid list", value);
  }
  Field item = field;
  item.is_list = item.is_nullable = false;
  for (std::size_t i = 0; i < list->size(); ++i) {
    Location place = location;
    place.push_back(std::to_string(i));
    check_value(item, (*list)[i], std::move(place), problems);
  }
}

void check_object(const json::object& object, const Schema& schema, const Location& place,
                  Problems& problems) {
  const auto below = [&](std::string_view name) {
    Location location = place;
    location.emplace_back(name);
    return location;
  };
  for (const auto& field : schema.fields) {
    const auto found = object.find(field.name);
    if (found != object.end()) {
      check_value(field, found->value(), below(field.name), problems);
    } else if (field.is_required) {
      problems.add(below(field.name), "missing", "Field required", object);
    }
  }
  for (const auto& member : object) {
    const auto is_named = [&](const Field& field) { return field.name == member.key(); };
    if (std::none_of(schema.fields.begin(), schema.fields.end(), is_named)) {
      problems.add(below(member.key()), "extra_forbidden", "Extra inputs are not permitted",
                   member.value());
    }
  }
}

bool is_json_content(const http::Request& request) {
  const auto type = request.header("content-type");
  if (!type) return true;
  std::string essence = type->substr(0, type->find(';'));
  while (!essence.empty() && essence.back() == ' ') essence.pop_back();
  std::transform(essence.begin(), essence.end(), essence.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return essence == "application/json";
}

std::optional<Complaint> complaint_of_parameter(const Field& field, const std::string& text) {
  if (field.type == "int") {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) {
      return Complaint{"int_parsing",
                       "Input should be a valid integer, unable to parse string as an integer"};
    }
    if (number < 0 && (field.name == "limit" || field.name == "offset")) {
      return Complaint{"greater_than_equal", "Input should be greater than or equal to 0"};
    }
    return std::nullopt;
  }
  if (field.type == "number") {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) return std::nullopt;
    return Complaint{"float_parsing",
                     "Input should be a valid number, unable to parse string as a number"};
  }
  if (field.type == "bool") {
    if (text == "true" || text == "false" || text == "1" || text == "0" || text == "True" ||
        text == "False") {
      return std::nullopt;
    }
    return Complaint{"bool_parsing", "Input should be a valid boolean, unable to interpret input"};
  }
  return complaint_of_text(field, text);
}

}  // namespace

http::Response unprocessable(std::vector<std::string> location, std::string_view type,
                             std::string_view message) {
  Problems problems;
  problems.add(location, type, message, nullptr);
  return *problems.response();
}

std::optional<http::Response> check_body(const http::Request& request, const Schema& schema,
                                         json::object& body) {
  if (!is_json_content(request)) {
    return http::error_response(415, "Content-Type must be application/json");
  }
  auto parsed = parse_json(request.body.empty() ? "{}" : std::string_view(request.body));
  if (!parsed) return unprocessable({"body"}, "json_invalid", parsed.error().message);
  Problems problems;
  if (!parsed->is_object()) {
    problems.add({"body"}, "model_attributes_type", "Input should be a valid dictionary", *parsed);
    return problems.response();
  }
  body = std::move(parsed->get_object());
  check_object(body, schema, {"body"}, problems);
  return problems.response();
}

std::optional<http::Response> check_members(const json::object& object, const Schema& schema,
                                            const std::vector<std::string>& place) {
  Problems problems;
  check_object(object, schema, place, problems);
  return problems.response();
}

std::optional<http::Response> check_query(const http::Request& request,
                                          const std::vector<Field>& fields) {
  Problems problems;
  for (const auto& field : fields) {
    const auto values = request.query_values(field.name);
    if (values.empty() && field.is_required) {
      problems.add({"query", field.name}, "missing", "Field required", nullptr);
    }
    for (const auto& value : values) {
      if (auto complaint = complaint_of_parameter(field, value)) {
        problems.add({"query", field.name}, complaint->type, complaint->message,
                     json::string(value));
      }
    }
    if (values.size() > 1 && !field.is_list) {
      problems.add({"query", field.name}, "too_many", "Only one value is supported", nullptr);
    }
  }
  return problems.response();
}

}  // namespace etesian::api
