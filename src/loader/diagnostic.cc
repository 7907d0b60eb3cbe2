#include "loader/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace etesian {
namespace {

constexpr std::size_t kShownMax = 120;  ///< Code points of a source line.
constexpr std::size_t kNearMax = 64;    ///< Longer words are never typing mistakes of a known one.

struct Glyph {
  std::string text;
  int width = 1;
};

/// Whether a terminal shows the code point in two columns. Source: UAX 11, the blocks in daily use.
bool is_wide(char32_t c) {
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
         (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
         (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
}

std::vector<Glyph> glyphs_of(const std::string& line) {
  std::vector<Glyph> glyphs;
  for (std::size_t i = 0; i < line.size();) {
    const auto lead = static_cast<unsigned char>(line[i]);
    const std::size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size == 1) {
      const bool is_shown = lead == '\t' || (lead >= 0x20 && lead < 0x7f);
      glyphs.push_back({is_shown ? std::string(1, line[i]) : "?"});
    } else {
      char32_t c = lead & (0x7fU >> size);
      for (std::size_t k = 1; k < size && i + k < line.size(); ++k)
        c = c << 6 | (static_cast<unsigned char>(line[i + k]) & 0x3fU);
      const bool is_control = c < 0xa0 || (c >= 0x200b && c <= 0x200f) ||
                              (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
                              c == 0xfeff;
      glyphs.push_back(is_control ? Glyph{"?"} : Glyph{line.substr(i, size), is_wide(c) ? 2 : 1});
    }
    i += size;
  }
  return glyphs;
}

}  // namespace

std::string render(const Diagnostic& d) {
  // The name of a file may try to steer a terminal, as its text may.
  std::string file;
  for (const Glyph& glyph : glyphs_of(d.file)) file += glyph.text;
  std::string out = fmt::format("{}:{}:{}: {}: {}\n", file, d.line, d.column,
                                d.severity == Severity::Error ? "error" : "warning", d.message);
  if (d.source.empty()) return d.hint.empty() ? out : out + fmt::format("    {}\n", d.hint);
  const std::vector<Glyph> glyphs = glyphs_of(d.source);
  const std::size_t at =
      std::min(static_cast<std::size_t>(std::max(d.column, 1) - 1), glyphs.size());
  const std::size_t begin =
      glyphs.size() > kShownMax && at > kShownMax / 2 ? at - kShownMax / 2 : 0;
  const std::size_t end = std::min(glyphs.size(), begin + kShownMax);
  const std::string number = std::to_string(d.line);
  out += fmt::format("  {} | {}", number, begin > 0 ? "…" : "");
  for (std::size_t i = begin; i < end; ++i) out += glyphs[i].text;
  out += fmt::format("{}\n  {:{}} | {}", end < glyphs.size() ? "…" : "", "", number.size(),
                     begin > 0 ? " " : "");
  for (std::size_t i = begin; i < at; ++i)
    out +=
        glyphs[i].text == "\t" ? "\t" : std::string(static_cast<std::size_t>(glyphs[i].width), ' ');
  out += '^';
  int marks = at < glyphs.size() ? glyphs[at].width - 1 : 0;
  const std::size_t last = std::min(at + static_cast<std::size_t>(std::max(d.length, 1)), end);
  for (std::size_t i = at + 1; i < last; ++i) marks += glyphs[i].width;
  out += std::string(static_cast<std::size_t>(marks), '~');
  if (!d.hint.empty()) out += " " + d.hint;
  return out + "\n";
}

std::string render(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& d : diagnostics) out += render(d);
  return out;
}

json::object to_json(const Diagnostic& d) {
  return {{"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"length", d.length},
          {"severity", d.severity == Severity::Error ? "error" : "warning"},
          {"message", d.message},
          {"hint", d.hint},
          {"source", d.source}};
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::Error; });
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kNearMax) return {};
  const auto lower = [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  };
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kNearMax) continue;
    // Damerau-Levenshtein with adjacent swaps, two rows back.
    std::vector<std::size_t> before(candidate.size() + 1), row(candidate.size() + 1), two(row);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      two = before;
      before = row;
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const bool is_same = lower(word[i - 1]) == lower(candidate[j - 1]);
        row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (is_same ? 0 : 1)});
        if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1])
          row[j] = std::min(row[j], two[j - 2] + 1);
      }
    }
    if (row.back() < best_distance && row.back() < word.size()) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? "" : fmt::format("did you mean '{}'?", best);
}

}  // namespace etesian
