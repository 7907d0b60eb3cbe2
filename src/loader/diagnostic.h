#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace etesian {

enum class Severity { Error, Warning };

/// One mistake in one place of a file. Lines and columns count from 1, columns in code points.
struct Diagnostic {
  std::string file;  ///< As the user knows it: relative to the project.
  int line = 1, column = 1, length = 1;
  Severity severity = Severity::Error;
  std::string message;  ///< What is wrong, in the user's words.
  std::string hint;     ///< What to do about it; may be empty.
  std::string source;   ///< The offending line, as written; empty where there is none.
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

/// The way compilers do, so that editors can jump to it:
///     dags/a/dag.yaml:7:5: error: unknown key 'aftre' in task 'b'
///       7 |     aftre: a
///         |     ^~~~~ did you mean 'after'?
/// Control characters of the source are shown as '?', long lines are cut around the place.
std::string render(const Diagnostic& diagnostic);
/// All of them, one after the other.
std::string render(const std::vector<Diagnostic>& diagnostics);
/// {"file", "line", "column", "length", "severity", "message", "hint", "source"}.
json::object to_json(const Diagnostic& diagnostic);

bool has_errors(const std::vector<Diagnostic>& diagnostics);

/// The candidate nearest to `word` by edit distance, when it is near enough to be meant; else
/// empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
/// "did you mean 'after'?", or empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace etesian
