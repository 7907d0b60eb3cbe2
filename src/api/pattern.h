#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "http/http.h"

namespace etesian::api {

/// Airflow's search parameters over rows that are in memory already: `<name>_pattern` is SQL's
/// ILIKE
/// '%term%' ('%' any text, '_' any character, case of ASCII letters ignored, terms separated by
/// '|',
/// "~" for all), `<name>_prefix_pattern` the beginning of the text. A parameter that is absent fits
/// everything.
class Pattern {
 public:
  /// Reads both parameters of `name` ("task_id").
  Pattern(const http::Request& request, const std::string& name);
  /// Texts that hold `part`.
  static Pattern containing(std::string part);
  bool fits(std::string_view text) const;
  bool is_given() const { return term_.has_value() || prefix_.has_value(); }

 private:
  Pattern() = default;
  std::optional<std::string> term_, prefix_;
};

/// text ILIKE pattern, in time O(text · pattern).
bool is_like(std::string_view text, std::string_view pattern);

}  // namespace etesian::api
