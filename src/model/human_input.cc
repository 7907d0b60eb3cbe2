#include "model/human_input.h"

#include "base/json.h"

namespace etesian {
namespace {

/// The elements of a JSON array, each read by `read`, which throws what Boost.JSON throws.
template <class Row, class Read>
Result<std::vector<Row>> rows_from(const std::string& text, const char* what, Read&& read) {
  const auto value = parse_json(text);
  try {
    if (!value) throw std::invalid_argument(value.error().message);
    std::vector<Row> rows;
    for (const json::value& each : value->as_array()) rows.push_back(read(each));
    return rows;
  } catch (const std::exception& e) {
    return Error{ErrorCode::Corrupt, std::string("read ") + what + ": " + e.what()};
  }
}

std::string text_from(const json::value& value) { return std::string(value.as_string()); }

}  // namespace

bool is_current(const HumanInput& asked, const InstanceRow& instance) {
  return asked.try_number == instance.try_number && instance.state != TaskState::None &&
         instance.state != TaskState::UpForRetry;
}

std::string texts_to_json(const std::vector<std::string>& texts) {
  json::array array;
  for (const std::string& text : texts) array.emplace_back(text);
  return json::serialize(array);
}

Result<std::vector<std::string>> texts_from_json(const std::string& text) {
  return rows_from<std::string>(text, "a list of texts", text_from);
}

std::string people_to_json(const std::vector<HumanInput::Person>& people) {
  json::array array;
  for (const auto& person : people)
    array.push_back(json::object{{"id", person.id}, {"name", person.name}});
  return json::serialize(array);
}

Result<std::vector<HumanInput::Person>> people_from_json(const std::string& text) {
  return rows_from<HumanInput::Person>(text, "a list of people", [](const json::value& each) {
    return HumanInput::Person{text_from(each.at("id")), text_from(each.at("name"))};
  });
}

}  // namespace etesian
