#pragma once
#include <optional>
#include <string>
#include <vector>

#include "model/run.h"

namespace etesian {

/// A question that a try of a task asks a person, and the answer (Airflow 3.3's human in the loop).
/// One for each try number of an instance.
struct HumanInput {
  struct Person {
    std::string id, name;
    friend bool operator==(const Person&, const Person&) = default;
  };
  struct Answer {
    std::vector<std::string> chosen;
    std::string params_input = "{}";  ///< JSON object.
    std::optional<Person> by;  ///< Absent: the defaults at the deadline, or the task's own answer.
    Instant at{};
    friend bool operator==(const Answer&, const Answer&) = default;
  };
  InstanceKey instance;
  int try_number = 1;
  Uuid try_id;  ///< The launch that asked.
  std::vector<std::string> options;
  std::string subject;
  std::optional<std::string> body;
  std::optional<std::vector<std::string>> defaults;  ///< Chosen when the deadline passes.
  bool is_multiple = false;                          ///< More than one option may be chosen.
  std::string params = "{}";     ///< JSON object: name -> value, or {"value", "description", …}.
  std::vector<Person> assigned;  ///< Who may answer; empty: everybody.
  Instant asked_at{};
  std::optional<Answer> answer;
  friend bool operator==(const HumanInput&, const HumanInput&) = default;
};

/// Whether `asked` is the question of the instance's present try: not one of a try that is over
/// because the instance is to be tried again.
bool is_current(const HumanInput& asked, const InstanceRow& instance);

/// JSON arrays, as they are stored; errors: Corrupt.
std::string texts_to_json(const std::vector<std::string>& texts);
Result<std::vector<std::string>> texts_from_json(const std::string& text);
/// [{"id", "name"}, …]
std::string people_to_json(const std::vector<HumanInput::Person>& people);
Result<std::vector<HumanInput::Person>> people_from_json(const std::string& text);

}  // namespace etesian
