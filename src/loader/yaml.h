#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "loader/diagnostic.h"

namespace etesian {

/// A place in a file, from 1; columns count code points.
struct Mark {
  int line = 1, column = 1;
  friend auto operator<=>(const Mark&, const Mark&) = default;
};

/// A value of a YAML file with its place. Aliases and merge keys are expanded already.
struct YamlNode {
  enum class Kind { Scalar, List, Mapping } kind = Kind::Scalar;
  enum class Style { Plain, Quoted, Block } style = Style::Plain;
  std::string text;  ///< Scalars.
  Mark start, end;
  std::vector<YamlNode> items;  ///< Sequence: the values. Mapping: key, value, key, value …

  bool is_scalar() const { return kind == Kind::Scalar; }
  bool is_mapping() const { return kind == Kind::Mapping; }
  bool is_sequence() const { return kind == Kind::List; }
  /// An unquoted null, ~ or nothing at all.
  bool is_null() const;
  /// Of a mapping; nullptr: no such key.
  const YamlNode* find(std::string_view key) const;
};

struct YamlLimits {
  std::size_t bytes = 1UL << 20;
  std::size_t nodes = 100'000;  ///< Counted after aliases are expanded.
  int depth = 64;
};

/// Collects the diagnostics of one file and knows its lines.
class Report {
 public:
  /// `text` must outlive the report.
  Report(std::string file, std::string_view text);

  void error(const YamlNode& node, std::string message, std::string hint = {});
  void warning(const YamlNode& node, std::string message, std::string hint = {});
  /// Marks `length` code points from `at`.
  void add(Severity severity, Mark at, int length, std::string message, std::string hint = {});

  /// Where byte `offset` of a scalar's text stands in the file: looks through quotes, escapes,
  /// folding and indentation.
  Mark place(const YamlNode& scalar, std::size_t offset) const;
  bool has_errors() const { return has_errors_; }
  /// All diagnostics by position; past 100 only how many more there are.
  std::vector<Diagnostic> take();

 private:
  std::string_view line(int number) const;
  std::size_t offset_of(Mark mark) const;
  std::string file_;
  std::string_view text_;
  std::vector<std::size_t> line_begins_;
  std::vector<Diagnostic> found_;
  bool has_errors_ = false;
};

/// Reads a file that holds one YAML document without tags. Never more than one mistake of YAML
/// itself is reported, because what follows it has no meaning; repeated keys are all reported.
/// Bounded in time and memory by `limits`. nullopt: an error was reported.
std::optional<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits, Report& report);

/// JSON value by YAML 1.2's core schema: unquoted null, true, false and decimal numbers are what
/// they look like, all else is text.
json::value to_json(const YamlNode& node);

}  // namespace etesian
