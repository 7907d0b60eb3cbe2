#include "loader/yaml.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <set>

#include "base/bytes.h"

namespace etesian {
namespace {

constexpr std::string_view kBom = "\xef\xbb\xbf";

Mark mark_of(const yaml_mark_t& mark) {
  return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
}

/// Line and column of a byte.
Mark mark_at(std::string_view text, std::size_t offset) {
  Mark mark;
  for (std::size_t i = 0; i < offset; ++i) {
    if (text[i] == '\n') {
      ++mark.line;
      mark.column = 1;
    } else if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
      ++mark.column;
    }
  }
  return mark;
}

/// First byte that is not part of valid UTF-8.
std::size_t first_invalid(std::string_view text) {
  std::size_t good = 0,
              bad = text.size();  // binary search: prefixes of valid text may cut a character
  while (good + 4 < bad) {
    std::size_t middle = good + (bad - good) / 2;
    while (middle > good && (static_cast<unsigned char>(text[middle]) & 0xc0) == 0x80) --middle;
    if (middle == good) break;
    (is_utf8(text.substr(good, middle - good)) ? good : bad) = middle;
  }
  while (good < text.size()) {
    std::size_t size = 1;
    while (size < 4 && !is_utf8(text.substr(good, size))) ++size;
    if (!is_utf8(text.substr(good, size))) break;
    good += size;
  }
  return good;
}

/// Reports what no text file should hold: it would be invisible, or lie about what is written.
bool check_characters(std::string_view text, Report& report) {
  const auto refuse = [&](std::size_t at, std::string message, std::string hint) {
    report.add(Severity::Error, mark_at(text, at), 1, std::move(message), std::move(hint));
    return false;
  };
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return refuse(0, "the file is UTF-16", "save it as UTF-8");
  if (text.starts_with(kBom))
    return refuse(0, "the file begins with a byte order mark", "save it as UTF-8 without BOM");
  if (!is_utf8(text)) {
    const std::size_t at = first_invalid(text);
    return refuse(
        at, fmt::format("byte 0x{:02x} is not valid UTF-8", static_cast<unsigned char>(text[at])),
        "save the file as UTF-8");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
      return refuse(i, fmt::format("control character U+{:04X}", c), "remove it");
    if (c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return refuse(
          i, fmt::format("control character U+{:04X}", static_cast<unsigned char>(text[i + 1])),
          "remove it");
    if (c == 0xd8 && static_cast<unsigned char>(text[i + 1]) == 0x9c)
      return refuse(i, "U+061C changes the direction of text and hides what is written",
                    "remove it");
    if (c != 0xe2 || i + 2 >= text.size()) continue;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    const auto third = static_cast<unsigned char>(text[i + 2]);
    const bool is_bidi =
        (second == 0x80 && (third == 0x8e || third == 0x8f || (third >= 0xaa && third <= 0xae))) ||
        (second == 0x81 && third >= 0xa6 && third <= 0xa9);
    if (is_bidi)
      return refuse(i,
                    fmt::format("U+{:04X} changes the direction of text and hides what is written",
                                0x2000U | (second & 0x3fU) << 6 | (third & 0x3fU)),
                    "remove it");
  }
  return true;
}

/// Builds the tree from libyaml's events.
class Builder {
 public:
  Builder(std::string_view text, const YamlLimits& limits, Report& report)
      : text_(text), limits_(limits), report_(report) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Builder() { yaml_parser_delete(&parser_); }
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  std::optional<YamlNode> build() {
    while (!is_done_) {
      yaml_event_t event;
      if (yaml_parser_parse(&parser_, &event) == 0) {
        refuse_syntax();
        return std::nullopt;
      }
      const std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)> owner(&event, yaml_event_delete);
      if (!take(event)) return std::nullopt;
    }
    if (has_duplicates_) return std::nullopt;
    return std::move(root_);
  }

 private:
  struct Open {
    YamlNode node;
    std::string anchor;
  };

  bool refuse(const yaml_mark_t& at, std::string message, std::string hint = {}) {
    report_.add(Severity::Error, mark_of(at), 1, std::move(message), std::move(hint));
    return false;
  }

  void refuse_syntax() {
    std::string problem = parser_.problem != nullptr ? parser_.problem : "unreadable";
    std::string hint;
    Mark at = mark_of(parser_.problem_mark);
    if (problem == "found unexpected end of stream") {
      at = mark_of(parser_.context_mark);
      problem = "the text that begins here is never closed";
      hint = "look for the missing quote";
    } else if (problem.find("cannot start any token") != std::string::npos) {
      const char found = character_at(at);
      if (found == '\t') {
        problem = "a tab cannot indent YAML";
        hint = "use spaces";
      } else if (found == '%' || found == '@' || found == '`') {
        problem = fmt::format("a text cannot begin with '{}'", found);
        hint = "put the text in quotes";
      }
    } else if (problem.find("did not find expected") != std::string::npos ||
               problem.find("mapping values are not allowed") != std::string::npos) {
      hint = "look for a missing quote, colon or indentation here or in the line above";
    } else if (problem.find("could not find expected ':'") != std::string::npos) {
      hint = "a key is followed by ': '";
    }
    report_.add(Severity::Error, at, 1, "not valid YAML: " + problem, std::move(hint));
  }

  char character_at(Mark mark) const {
    std::size_t at = 0;
    for (int line = 1; line < mark.line; ++line) {
      at = text_.find('\n', at);
      if (at == std::string_view::npos) return '\0';
      ++at;
    }
    at += static_cast<std::size_t>(mark.column - 1);  // exact in front of the first wide character
    return at < text_.size() ? text_[at] : '\0';
  }

  bool take(const yaml_event_t& event) {
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (root_)
          return refuse(event.start_mark, "a second document begins here",
                        "keep one document a file");
        if (event.data.document_start.tag_directives.start !=
            event.data.document_start.tag_directives.end)
          return refuse(event.start_mark, "tags are not allowed");
        return true;
      case YAML_ALIAS_EVENT: return take_alias(event);
      case YAML_SCALAR_EVENT: return take_scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        return open(event, YamlNode::Kind::List, event.data.sequence_start.anchor,
                    event.data.sequence_start.tag);
      case YAML_MAPPING_START_EVENT:
        return open(event, YamlNode::Kind::Mapping, event.data.mapping_start.anchor,
                    event.data.mapping_start.tag);
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: return close(event);
      case YAML_STREAM_END_EVENT: is_done_ = true; return true;
      default: return true;
    }
  }

  bool has_tag(const yaml_event_t& event, const yaml_char_t* tag) {
    if (tag == nullptr) return false;
    refuse(event.start_mark,
           fmt::format("tag '{}' is not allowed", reinterpret_cast<const char*>(tag)),
           "write the value without it");
    return true;
  }

  bool count(const yaml_event_t& event, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ <= limits_.nodes) return true;
    return refuse(
        event.start_mark,
        fmt::format("more than {} values (aliases counted as what they stand for)", limits_.nodes),
        "split the file");
  }

  bool open(const yaml_event_t& event, YamlNode::Kind kind, const yaml_char_t* anchor,
            const yaml_char_t* tag) {
    if (has_tag(event, tag) || !count(event, 1)) return false;
    if (static_cast<int>(open_.size()) >= limits_.depth)
      return refuse(event.start_mark, fmt::format("nested deeper than {} levels", limits_.depth));
    Open item;
    item.node.kind = kind;
    item.node.start = mark_of(event.start_mark);
    if (anchor != nullptr) item.anchor = reinterpret_cast<const char*>(anchor);
    open_.push_back(std::move(item));
    return true;
  }

  bool close(const yaml_event_t& event) {
    Open item = std::move(open_.back());
    open_.pop_back();
    item.node.end = mark_of(event.end_mark);
    if (item.node.is_mapping() && !finish_mapping(event, item.node)) return false;
    return place(std::move(item.node), item.anchor);
  }

  bool take_scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    if (has_tag(event, scalar.tag) || !count(event, 1)) return false;
    YamlNode node;
    node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
    node.style =
        scalar.style == YAML_PLAIN_SCALAR_STYLE ? YamlNode::Style::Plain
        : scalar.style == YAML_LITERAL_SCALAR_STYLE || scalar.style == YAML_FOLDED_SCALAR_STYLE
            ? YamlNode::Style::Block
            : YamlNode::Style::Quoted;
    node.start = mark_of(event.start_mark);
    node.end = mark_of(event.end_mark);
    if (node.text.find('\0') != std::string::npos)
      return refuse(event.start_mark, "the text holds a NUL character");
    return place(std::move(node),
                 scalar.anchor != nullptr ? reinterpret_cast<const char*>(scalar.anchor) : "");
  }

  bool take_alias(const yaml_event_t& event) {
    const std::string name = reinterpret_cast<const char*>(event.data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end())
      return refuse(event.start_mark, fmt::format("alias '*{}' has no anchor before it", name),
                    is_open(name) ? "a value cannot hold itself" : "");
    if (!count(event, found->second.nodes)) return false;
    if (static_cast<int>(open_.size()) + found->second.depth > limits_.depth)
      return refuse(event.start_mark, fmt::format("nested deeper than {} levels", limits_.depth));
    return place(YamlNode(found->second.node), "");
  }

  bool is_open(const std::string& anchor) const {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const Open& o) { return o.anchor == anchor; });
  }

  static std::size_t nodes_in(const YamlNode& node) {
    std::size_t nodes = 1;
    for (const YamlNode& item : node.items) nodes += nodes_in(item);
    return nodes;
  }
  static int depth_of(const YamlNode& node) {
    int depth = 0;
    for (const YamlNode& item : node.items) depth = std::max(depth, depth_of(item));
    return node.is_scalar() ? 0 : depth + 1;
  }

  bool place(YamlNode node, const std::string& anchor) {
    if (!anchor.empty()) anchors_[anchor] = {node, nodes_in(node), depth_of(node)};
    if (open_.empty())
      root_ = std::move(node);
    else
      open_.back().node.items.push_back(std::move(node));
    return true;
  }

  /// Keys must be texts and unique; '<<' adds the keys of other mappings that are not there.
  bool finish_mapping(const yaml_event_t& event, YamlNode& mapping) {
    std::map<std::string_view, Mark> seen;
    std::vector<YamlNode> merged;
    for (std::size_t i = 0; i < mapping.items.size(); i += 2) {
      const YamlNode& key = mapping.items[i];
      if (!key.is_scalar()) {
        report_.error(key, "a key must be a text");
        return false;
      }
      const auto [first, is_new] = seen.emplace(key.text, key.start);
      if (is_new) continue;
      report_.error(key, fmt::format("key '{}' is repeated", key.text),
                    fmt::format("first written in line {}", first->second.line));
      has_duplicates_ = true;
    }
    if (!seen.contains("<<")) return true;
    return merge(event, mapping, seen);
  }

  bool merge(const yaml_event_t& event, YamlNode& mapping,
             const std::map<std::string_view, Mark>& seen) {
    std::set<std::string, std::less<>> have;
    for (const auto& [key, mark] : seen) have.emplace(key);
    std::vector<YamlNode> own, added;
    for (std::size_t i = 0; i < mapping.items.size(); i += 2) {
      YamlNode& value = mapping.items[i + 1];
      if (mapping.items[i].text != "<<" || mapping.items[i].style != YamlNode::Style::Plain) {
        own.push_back(std::move(mapping.items[i]));
        own.push_back(std::move(value));
        continue;
      }
      std::vector<YamlNode> sources;
      if (value.is_sequence())
        sources = std::move(value.items);
      else
        sources.push_back(std::move(value));
      for (YamlNode& source : sources) {
        if (!source.is_mapping()) {
          report_.error(source, "'<<' takes a mapping or a list of mappings");
          return false;
        }
        for (std::size_t k = 0; k < source.items.size(); k += 2) {
          if (!have.insert(source.items[k].text).second) continue;
          if (!count(event, 2)) return false;
          added.push_back(std::move(source.items[k]));
          added.push_back(std::move(source.items[k + 1]));
        }
      }
    }
    std::move(added.begin(), added.end(), std::back_inserter(own));
    mapping.items = std::move(own);
    return true;
  }

  struct Anchor {
    YamlNode node;
    std::size_t nodes = 1;
    int depth = 0;
  };

  std::string_view text_;
  const YamlLimits& limits_;
  Report& report_;
  yaml_parser_t parser_{};
  std::vector<Open> open_;
  std::map<std::string, Anchor> anchors_;
  std::optional<YamlNode> root_;
  std::size_t nodes_ = 0;
  bool is_done_ = false, has_duplicates_ = false;
};

bool looks_like_number(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const bool has_leading_zero =
      text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  return !text.empty() && !has_leading_zero && (text[0] >= '0' && text[0] <= '9');
}

}  // namespace

bool YamlNode::is_null() const {
  return is_scalar() && style == Style::Plain &&
         (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
}

const YamlNode* YamlNode::find(std::string_view key) const {
  if (!is_mapping()) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i].text == key) return &items[i + 1];
  return nullptr;
}

std::optional<YamlNode> parse_yaml(std::string_view text, const YamlLimits& limits,
                                   Report& report) {
  if (text.size() > limits.bytes) {
    report.add(
        Severity::Error, {}, 1,
        fmt::format("the file has {} bytes, more than the {} allowed", text.size(), limits.bytes),
        "split it, or move long texts into files of their own");
    return std::nullopt;
  }
  if (!check_characters(text, report)) return std::nullopt;
  auto root = Builder(text, limits, report).build();
  if (!root && !report.has_errors()) report.add(Severity::Error, {}, 1, "the file is empty");
  return root;
}

json::value to_json(const YamlNode& node) {
  if (node.is_sequence()) {
    json::array array;
    for (const YamlNode& item : node.items) array.push_back(to_json(item));
    return array;
  }
  if (node.is_mapping()) {
    json::object object;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2)
      object[node.items[i].text] = to_json(node.items[i + 1]);
    return object;
  }
  if (node.style != YamlNode::Style::Plain) return json::string(node.text);
  if (node.is_null()) return nullptr;
  const std::string_view text = node.text;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (!looks_like_number(text)) return json::string(node.text);
  const char* const begin = text.data() + (text[0] == '+' ? 1 : 0);
  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [p, code] = std::from_chars(begin, end, whole); p == end && code == std::errc())
    return whole;
  double real = 0;
  if (const auto [p, code] = std::from_chars(begin, end, real); p == end && code == std::errc())
    return real;
  return json::string(node.text);
}

}  // namespace etesian
