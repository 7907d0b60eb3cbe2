#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace etesian::cli {
namespace {

/// Decodes one character; invalid bytes stand for themselves.
char32_t take_character(std::string_view text, std::size_t& i) {
  const auto byte = static_cast<unsigned char>(text[i++]);
  int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
  char32_t c = more == 3   ? byte & 0x07u
               : more == 2 ? byte & 0x0fu
               : more == 1 ? byte & 0x1fu
                           : byte;
  while (more-- > 0 && i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80)
    c = c << 6 | (static_cast<unsigned char>(text[i++]) & 0x3fu);
  return c;
}

/// East Asian Wide and Fullwidth ranges of Unicode's EastAsianWidth.txt, joined.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
         (c >= 0xa960 && c <= 0xa97f) || (c >= 0xac00 && c <= 0xd7a3) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) ||
         (c >= 0xff00 && c <= 0xff60) || (c >= 0xffe0 && c <= 0xffe6) ||
         (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
}

bool is_hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

const char* escape_of(Tone tone) {
  switch (tone) {
    case Tone::Plain: return "";
    case Tone::Good: return "\033[32m";
    case Tone::Bad: return "\033[31m";
    case Tone::Warn: return "\033[33m";
    case Tone::Quiet: return "\033[2m";
    case Tone::Strong: return "\033[1m";
  }
  return "";
}

std::string cut_to(std::string_view text, int width) {
  std::string out;
  int used = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    used += is_wide(take_character(text, i)) ? 2 : 1;
    if (used > width - 1) return out + "…";
    out += text.substr(begin, i - begin);
  }
  return out;
}

bool needs_quotes(std::string_view text) {
  // YAML 1.1 readers know these words too, in any case.
  static const std::vector<std::string_view> kWords = {"true", "false", "null", "yes", "no",
                                                       "on",   "off",   "y",    "n",   "~"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (text.empty() || std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return true;
  if (text.front() == ' ' || text.back() == ' ' || text.back() == ':') return true;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`0123456789.+=").find(text.front()) !=
      std::string_view::npos)
    return true;
  return text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos ||
         visible(text) != text;
}

std::string yaml_scalar(const json::value& value) {
  if (!value.is_string()) return json::serialize(value);
  const std::string_view text = value.as_string();
  return needs_quotes(text) ? json::serialize(value) : std::string(text);
}

bool is_block(const json::value& value) {
  return (value.is_object() && !value.as_object().empty()) ||
         (value.is_array() && !value.as_array().empty());
}

void write_yaml(const json::value& value, const std::string& indent, std::string& out) {
  if (value.is_object()) {
    bool first = true;
    for (const auto& [key, member] : value.as_object()) {
      if (!first) out += indent;
      first = false;
      out += yaml_scalar(json::value(key)) + ":";
      if (!is_block(member)) {
        out += " " + yaml_scalar(member) + "\n";
        continue;
      }
      const std::string deeper = indent + "  ";
      out += "\n" + deeper;
      write_yaml(member, deeper, out);
    }
    return;
  }
  bool first = true;
  for (const json::value& item : value.as_array()) {
    if (!first) out += indent;
    first = false;
    out += "- ";
    if (is_block(item))
      write_yaml(item, indent + "  ", out);
    else
      out += yaml_scalar(item) + "\n";
  }
}

}  // namespace

Terminal Terminal::of_stdout() {
  Terminal terminal;
  terminal.is_terminal = isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  terminal.has_colours = terminal.is_terminal && (no_colour == nullptr || *no_colour == '\0') &&
                         kind != nullptr && std::string_view(kind) != "dumb";
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    terminal.columns = size.ws_col;
  return terminal;
}

Tone tone_of_state(std::string_view state) {
  if (state == "success") return Tone::Good;
  if (state == "failed" || state == "upstream_failed") return Tone::Bad;
  if (state == "running") return Tone::Strong;
  if (state == "up_for_retry" || state == "up_for_reschedule" || state == "restarting")
    return Tone::Warn;
  if (state == "skipped" || state == "removed" || state == "none" || state.empty())
    return Tone::Quiet;
  return Tone::Plain;
}

std::string seconds_text(const json::value& seconds) {
  return seconds.is_number() ? fmt::format("{:.3f}", seconds.to_number<double>()) : "";
}

std::string visible(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    const char32_t c = take_character(text, i);
    if (!is_hidden(c))
      out += text.substr(begin, i - begin);
    else if (c <= 0xff)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
    else
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  }
  return out;
}

std::string visible_lines(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t end = text.find('\n');
    out += visible(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string escape_hidden(std::string_view json) {
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const std::size_t begin = i;
    const char32_t c = take_character(json, i);
    if (c >= 0x7f && is_hidden(c))
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += json.substr(begin, i - begin);
  }
  return out;
}

std::string paint(const Terminal& terminal, Tone tone, std::string_view text) {
  if (!terminal.has_colours || tone == Tone::Plain) return visible(text);
  return escape_of(tone) + visible(text) + "\033[0m";
}

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t i = 0; i < text.size();) width += is_wide(take_character(text, i)) ? 2 : 1;
  return width;
}

std::string table(const Terminal& terminal, const std::vector<std::string>& head,
                  const std::vector<std::vector<Cell>>& rows) {
  std::vector<int> widths;
  for (const std::string& name : head) widths.push_back(display_width(name));
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c)
      widths[c] = std::max(widths[c], display_width(visible(row[c].text)));
  std::string out;
  const auto line = [&](const std::vector<Cell>& cells) {
    int used = 0;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      std::string text = visible(cells[c].text);
      const bool is_last = c + 1 == cells.size();
      if (is_last && terminal.is_terminal && used + display_width(text) > terminal.columns)
        text = cut_to(text, std::max(1, terminal.columns - used));
      const int padding = is_last ? 0 : widths[c] - display_width(text) + 2;
      out += paint(terminal, cells[c].tone, text) +
             std::string(static_cast<std::size_t>(padding), ' ');
      used += widths[c] + 2;
    }
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const std::string& name : head) titles.push_back({name, Tone::Strong});
  line(titles);
  for (const auto& row : rows) line(row);
  return out;
}

std::string to_yaml(const json::value& value) {
  if (!is_block(value)) return yaml_scalar(value) + "\n";
  std::string out;
  write_yaml(value, "", out);
  return out;
}

}  // namespace etesian::cli
