#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "loader/yaml.h"

namespace etesian {
namespace {

constexpr std::size_t kShownMax = 100;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

int code_points(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

}  // namespace

Report::Report(std::string file, std::string_view text)
    : file_(std::move(file)), text_(text), line_begins_{0} {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    line_begins_.push_back(at + 1);
}

std::string_view Report::line(int number) const {
  if (number < 1 || static_cast<std::size_t>(number) > line_begins_.size()) return {};
  const std::size_t begin = line_begins_[static_cast<std::size_t>(number) - 1];
  std::string_view found = text_.substr(begin, text_.find('\n', begin) - begin);
  if (found.ends_with('\r')) found.remove_suffix(1);
  return found;
}

std::size_t Report::offset_of(Mark mark) const {
  const std::string_view found = line(mark.line);
  std::size_t at = 0;
  for (int column = 1; at < found.size(); ++at)
    if (!continues(found[at]) && column++ == mark.column) break;
  return static_cast<std::size_t>(found.data() - text_.data()) + at;
}

void Report::add(Severity severity, Mark at, int length, std::string message, std::string hint) {
  has_errors_ |= severity == Severity::Error;
  // One line of a huge file must not be copied once a mistake.
  std::string source(found_.size() < kShownMax ? line(at.line) : std::string_view());
  if (!is_utf8(source))  // what is shown and sent on must be text
    std::replace_if(
        source.begin(), source.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; },
        '?');
  found_.push_back({file_, at.line, at.column, std::max(length, 1), severity, std::move(message),
                    std::move(hint), std::move(source)});
}

namespace {

int shown_length(const YamlNode& node) {
  if (node.start.line == node.end.line && node.is_scalar())
    return node.end.column - node.start.column;
  return 1;
}

}  // namespace

void Report::error(const YamlNode& node, std::string message, std::string hint) {
  add(Severity::Error, node.start, shown_length(node), std::move(message), std::move(hint));
}

void Report::warning(const YamlNode& node, std::string message, std::string hint) {
  add(Severity::Warning, node.start, shown_length(node), std::move(message), std::move(hint));
}

Mark Report::place(const YamlNode& scalar, std::size_t offset) const {
  std::size_t at = offset_of(scalar.start);
  const std::size_t end = std::max(offset_of(scalar.end), at);
  if (scalar.style == YamlNode::Style::Quoted) ++at;
  if (scalar.style == YamlNode::Style::Block) at = std::min(text_.find('\n', at), end);
  // Every byte of the value that is not blank stands in the source too, in the same order; what
  // lies between them there is indentation, folding, or the sign of an escape.
  std::size_t matched = at;
  for (std::size_t i = 0; i <= offset && i < scalar.text.size(); ++i) {
    const char c = scalar.text[i];
    if (is_blank(c)) {
      if (at < end && is_blank(text_[at]) && i < offset) ++at;
      matched = at;
      continue;
    }
    std::size_t found = at;
    while (found < end && text_[found] != c) ++found;
    if (found == end) return scalar.start;  // written as an escape such as \x41
    matched = found;
    at = found + 1;
  }
  if (offset >= scalar.text.size()) matched = at;
  const auto next = std::upper_bound(line_begins_.begin(), line_begins_.end(), matched);
  const auto number = static_cast<int>(next - line_begins_.begin());
  const std::size_t begin = *(next - 1);
  return {number, code_points(text_.substr(begin, matched - begin)) + 1};
}

std::vector<Diagnostic> Report::take() {
  std::stable_sort(found_.begin(), found_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  if (found_.size() > kShownMax) {
    const std::size_t more = found_.size() - kShownMax;
    const bool hides_error =
        std::any_of(found_.begin() + kShownMax, found_.end(),
                    [](const Diagnostic& d) { return d.severity == Severity::Error; });
    Diagnostic last = found_[kShownMax];
    last.severity = hides_error ? Severity::Error : Severity::Warning;
    last.message = fmt::format("… and {} more mistakes", more);
    last.hint.clear();
    last.source.clear();
    found_.resize(kShownMax);
    found_.push_back(std::move(last));
  }
  return std::move(found_);
}

}  // namespace etesian
