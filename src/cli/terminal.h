#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace etesian::cli {

/// How results are printed: `-o table|json|yaml`.
enum class Format { Table, Json, Yaml };

/// What standard output can show. Colours only on a terminal, and never with NO_COLOR set.
struct Terminal {
  bool is_terminal = false;
  bool has_colours = false;
  int columns = 80;
  static Terminal of_stdout();
};

enum class Tone { Plain, Good, Bad, Warn, Quiet, Strong };
/// `text` with control characters made visible and, where the terminal has colours, its tone.
std::string paint(const Terminal& terminal, Tone tone, std::string_view text);
/// The tone of a task or run state.
Tone tone_of_state(std::string_view state);

/// Columns on a terminal of UTF-8 text: wide (Korean, Chinese, Japanese) characters count two.
int display_width(std::string_view text);
/// C0, C1 and bidi controls as "\x1b" forms, so that no name can steer the terminal.
std::string visible(std::string_view text);
/// The same, but for the ends of lines.
std::string visible_lines(std::string_view text);
/// The same for JSON, and for YAML whose texts with such characters are quoted: the value stays.
std::string escape_hidden(std::string_view json);

/// "12.4" of a JSON number of seconds; "" of null.
std::string seconds_text(const json::value& seconds);

struct Cell {
  std::string text;
  Tone tone = Tone::Plain;
};
/// Aligned columns; the last one is cut to the terminal's width, never wrapped.
std::string table(const Terminal& terminal, const std::vector<std::string>& head,
                  const std::vector<std::vector<Cell>>& rows);

/// YAML 1.2 block style of a JSON value.
std::string to_yaml(const json::value& value);

}  // namespace etesian::cli
