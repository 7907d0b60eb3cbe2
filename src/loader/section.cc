#include "loader/section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/time_text.h"

namespace etesian {
namespace {

template <class T>
std::optional<T> number_from(const YamlNode& node) {
  if (!node.is_scalar() || node.style != YamlNode::Style::Plain) return std::nullopt;
  T value{};
  const char* const end = node.text.data() + node.text.size();
  const auto [p, code] = std::from_chars(node.text.data(), end, value);
  if (p != end || code != std::errc()) return std::nullopt;
  return value;
}

std::optional<int> whole_of(const YamlNode& node, std::string_view what, Range<int> range,
                            Report& report) {
  const auto value = number_from<int>(node);
  if (value && *value >= range.least && *value <= range.most) return value;
  report.error(node, fmt::format("'{}' must be a whole number from {} to {}, not {}", what,
                                 range.least, range.most, shown(node)));
  return std::nullopt;
}

}  // namespace

std::string shown(const YamlNode& node) {
  if (node.is_mapping()) return "a mapping";
  if (node.is_sequence()) return "a list";
  if (node.is_null()) return "nothing";
  std::string text = node.text.substr(0, 40);
  while (!text.empty() && text.size() == 40 &&
         (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80)
    text.pop_back();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return fmt::format("'{}{}'", text, text.size() < node.text.size() ? "…" : "");
}

std::optional<std::string> text_of(const YamlNode& node, std::string_view what, Report& report) {
  if (node.is_scalar() && !node.is_null()) return node.text;
  report.error(node, fmt::format("'{}' must be a text, not {}", what, shown(node)));
  return std::nullopt;
}

std::optional<Duration> duration_of(const YamlNode& node, std::string_view what, Report& report) {
  if (node.is_scalar() && !node.is_null()) {
    const auto value = duration_from_text(node.text);
    if (value) return *value;
  }
  report.error(node, fmt::format("'{}' must be a length of time, not {}", what, shown(node)),
               "write for example 30s, 10m, 6h, 1d or 1h30m");
  return std::nullopt;
}

std::optional<std::uint64_t> bytes_from_text(std::string_view text) {
  static const std::vector<std::pair<std::string_view, double>> kUnits = {
      {"", 1},
      {"B", 1},
      {"kB", 1e3},
      {"KB", 1e3},
      {"MB", 1e6},
      {"GB", 1e9},
      {"TB", 1e12},
      {"K", 1024},
      {"M", 1024. * 1024},
      {"G", 1024. * 1024 * 1024},
      {"KiB", 1024},
      {"MiB", 1024. * 1024},
      {"GiB", 1024. * 1024 * 1024},
      {"TiB", 1024. * 1024 * 1024 * 1024}};
  double value = 0;
  const auto [p, code] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (code != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
  std::string_view unit(p, static_cast<std::size_t>(text.data() + text.size() - p));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    const double bytes = value * factor;
    if (bytes > 1e18) return std::nullopt;
    return static_cast<std::uint64_t>(std::llround(bytes));
  }
  return std::nullopt;
}

Section::Section(const YamlNode& node, std::string name, Report& report)
    : node_(node), name_(std::move(name)), report_(report) {
  if (!node.is_mapping() && !node.is_null())
    report_.error(node, fmt::format("{} must be a mapping, not {}", name_, shown(node)),
                  "write 'key: value' lines below it");
}

const YamlNode* Section::get(const char* key) {
  known_.emplace_back(key);
  return node_.find(key);
}

const YamlNode* Section::key_node(std::string_view key) const {
  for (std::size_t i = 0; node_.is_mapping() && i + 1 < node_.items.size(); i += 2)
    if (node_.items[i].text == key) return &node_.items[i];
  return nullptr;
}

std::optional<std::string> Section::text(const char* key) {
  const YamlNode* value = get(key);
  return value ? text_of(*value, key, report_) : std::nullopt;
}

std::optional<bool> Section::flag(const char* key) {
  const YamlNode* value = get(key);
  if (!value) return std::nullopt;
  if (value->is_scalar() && value->style == YamlNode::Style::Plain) {
    if (value->text == "true") return true;
    if (value->text == "false") return false;
  }
  report_.error(*value, fmt::format("'{}' must be true or false, not {}", key, shown(*value)));
  return std::nullopt;
}

std::optional<int> Section::whole(const char* key, Range<int> range) {
  const YamlNode* value = get(key);
  return value ? whole_of(*value, key, range, report_) : std::nullopt;
}

std::optional<double> Section::number(const char* key, Range<double> range) {
  const YamlNode* node = get(key);
  if (!node) return std::nullopt;
  const auto value = number_from<double>(*node);
  if (value && *value >= range.least && *value <= range.most) return value;
  report_.error(*node, fmt::format("'{}' must be a number from {} to {}, not {}", key, range.least,
                                   range.most, shown(*node)));
  return std::nullopt;
}

std::optional<Duration> Section::duration(const char* key) {
  const YamlNode* value = get(key);
  return value ? duration_of(*value, key, report_) : std::nullopt;
}

std::optional<std::uint64_t> Section::bytes(const char* key) {
  const YamlNode* node = get(key);
  if (!node) return std::nullopt;
  if (node->is_scalar())
    if (const auto value = bytes_from_text(node->text)) return value;
  report_.error(*node, fmt::format("'{}' must be a size, not {}", key, shown(*node)),
                "write for example 256MiB, 1.5GiB or 512MB");
  return std::nullopt;
}

std::vector<const YamlNode*> Section::texts(const char* key) {
  std::vector<const YamlNode*> found;
  const YamlNode* node = get(key);
  if (!node) return found;
  if (node->is_scalar() && !node->is_null()) return {node};
  if (!node->is_sequence()) {
    report_.error(*node,
                  fmt::format("'{}' must be a text or a list of texts, not {}", key, shown(*node)));
    return found;
  }
  for (const YamlNode& item : node->items)
    if (text_of(item, key, report_)) found.push_back(&item);
  return found;
}

std::optional<std::vector<int>> Section::wholes(const char* key, Range<int> range) {
  const YamlNode* node = get(key);
  if (!node) return std::nullopt;
  std::vector<int> values;
  if (node->is_sequence()) {
    for (const YamlNode& item : node->items)
      if (const auto value = whole_of(item, key, range, report_)) values.push_back(*value);
  } else if (const auto value = whole_of(*node, key, range, report_)) {
    values.push_back(*value);
  }
  return values;
}

std::optional<std::size_t> Section::choice(const char* key, const std::vector<std::string>& names) {
  const YamlNode* node = get(key);
  if (!node) return std::nullopt;
  const auto found =
      node->is_scalar() ? std::find(names.begin(), names.end(), node->text) : names.end();
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const std::string hint = node->is_scalar() ? did_you_mean(node->text, names) : "";
  report_.error(
      *node,
      fmt::format("'{}' must be one of {}, not {}", key, fmt::join(names, ", "), shown(*node)),
      hint);
  return std::nullopt;
}

void Section::finish(const Homes& homes) {
  for (std::size_t i = 0; node_.is_mapping() && i + 1 < node_.items.size(); i += 2) {
    const YamlNode& key = node_.items[i];
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    std::string hint;
    for (const auto& [name, home] : homes)
      if (name == key.text) hint = fmt::format("write it below '{}:'", home);
    if (hint.empty()) hint = did_you_mean(key.text, known_);
    report_.error(key, fmt::format("unknown key {} in {}", shown(key), name_), hint);
  }
}

}  // namespace etesian
