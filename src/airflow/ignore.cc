#include "airflow/ignore.h"

#include <re2/re2.h>

#include <optional>

namespace etesian::airflow {
namespace {

constexpr std::string_view kBlank = " \t\r\f\v";

std::string_view strip_right(std::string_view text, std::string_view what) {
  const std::size_t last = text.find_last_not_of(what);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

std::string_view strip_left(std::string_view text, std::string_view what) {
  const std::size_t first = text.find_first_not_of(what);
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t end = text.find(at);
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

/// The regular expression for a bracket expression at `at`, which is moved behind it; none when it
/// is not closed.
std::optional<std::string> translate_bracket(std::string_view glob, std::size_t& at) {
  std::size_t end = at;
  const auto is_at = [&](std::size_t i, char c) { return i < glob.size() && glob[i] == c; };
  if (is_at(end, '!') || is_at(end, '^')) ++end;
  if (is_at(end, ']')) ++end;
  end = glob.find(']', end);
  if (end == std::string_view::npos) return std::nullopt;
  std::string out = "[";
  if (glob[at] == '!' || glob[at] == '^') {
    out += '^';
    ++at;
  }
  for (; at <= end; ++at) out += glob[at] == '\\' ? "\\\\" : std::string(1, glob[at]);
  return out;
}

/// None where Airflow would refuse the pattern.
std::optional<std::string> translate_segment(std::string_view glob) {
  std::string out;
  for (std::size_t at = 0; at < glob.size();) {
    const char c = glob[at++];
    if (c == '\\') {
      if (at == glob.size()) return std::nullopt;
      out += re2::RE2::QuoteMeta(glob.substr(at++, 1));
    } else if (c == '*') {
      out += "[^/]*";
    } else if (c == '?') {
      out += "[^/]";
    } else if (c == '[') {
      const auto bracket = translate_bracket(glob, at);
      if (!bracket) return std::nullopt;
      out += *bracket;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      out += c;
    } else {
      out += re2::RE2::QuoteMeta(std::string(1, c));
    }
  }
  return out;
}

/// As pathspec's __normalize_segments: "" is gone, "**" is there once in a row, and a pattern
/// without a slash in it matches at any depth. False: nothing is left.
bool normalize(std::vector<std::string>& segments) {
  if (segments[0].empty())
    segments.erase(segments.begin());
  else if (segments.size() == 1 || (segments.size() == 2 && segments[1].empty()))
    if (segments[0] != "**") segments.insert(segments.begin(), "**");
  if (segments.empty()) return false;
  if (segments.back().empty()) segments.back() = "**";
  for (std::size_t i = segments.size() - 1; i > 0; --i)
    if (segments[i] == "**" && segments[i - 1] == "**")
      segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(i));
  return true;
}

std::optional<std::string> translate(const std::string& pattern) {
  std::vector<std::string> segments = split(pattern, '/');
  const bool only_folders = segments.back().empty();
  if (!normalize(segments)) return std::nullopt;
  const std::size_t last = segments.size() - 1;
  if (last == 0 && segments[0] == "**") return only_folders ? "/" : ".";
  if (last == 1 && segments[0] == "**" && segments[1] == "*") return ".";
  if (last == 2 && segments[0] == "**" && segments[1] == "*" && segments[2] == "**") return "/";
  std::string out;
  bool needs_slash = false;
  for (std::size_t i = 0; i <= last; ++i) {
    if (segments[i] == "**") {
      out += i == 0 ? "^(?:.+/)?" : i < last ? "(?:/.+)?" : "/";
      needs_slash = needs_slash || i > 0;
      continue;
    }
    if (i == 0) out += '^';
    if (needs_slash) out += '/';
    const auto segment =
        segments[i] == "*" ? std::optional<std::string>("[^/]+") : translate_segment(segments[i]);
    if (!segment) return std::nullopt;
    out += *segment;
    if (i == last) out += "(?:/|$)";
    needs_slash = true;
  }
  return out;
}

}  // namespace

bool IgnoreRules::compile(std::string line, Rule& rule) {
  const std::string_view stripped = strip_right(strip_left(line, kBlank), kBlank);
  if (stripped.empty() || stripped == "/") return false;
  rule.is_anchored =
      line.starts_with('/') || strip_right(line, "/").find('/') != std::string_view::npos;
  rule.only_folders = strip_right(strip_left(line, "!"), kBlank).ends_with('/');
  if (!line.ends_with("\\ ")) line = strip_right(line, kBlank);
  rule.ignores = !line.starts_with('!');
  if (!rule.ignores) line.erase(0, 1);
  if (line.empty()) return false;
  const auto expression = translate(line);
  if (!expression) return false;
  auto pattern = std::make_shared<const re2::RE2>(*expression, re2::RE2::Quiet);
  if (!pattern->ok()) return false;
  rule.pattern = std::move(pattern);
  return true;
}

void IgnoreRules::add(std::string_view text, const std::string& folder) {
  for (std::string& line : split(text, '\n')) {
    if (const std::size_t comment = line.find('#'); comment != std::string::npos)
      line = strip_right(line.substr(0, comment), kBlank);
    Rule rule;
    rule.folder = folder;
    if (compile(std::move(line), rule)) rules_.push_back(std::move(rule));
  }
}

bool IgnoreRules::ignores(const std::string& path, bool is_folder) const {
  bool is_ignored = false;
  for (const Rule& rule : rules_) {
    if (rule.only_folders && !is_folder) continue;
    const std::size_t below = rule.folder.empty() ? 0 : rule.folder.size() + 1;
    std::string subject = rule.is_anchored ? path.substr(below) : path.substr(path.rfind('/') + 1);
    if (is_folder) subject += '/';
    if (re2::RE2::PartialMatch(subject, *rule.pattern)) is_ignored = rule.ignores;
  }
  return is_ignored;
}

}  // namespace etesian::airflow
