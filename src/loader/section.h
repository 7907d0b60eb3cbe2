#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loader/yaml.h"

namespace etesian {

/// Range of a number, both ends included.
template <class T>
struct Range {
  T least, most;
};

/// Where a key belongs that is often written in the wrong place: {"timeout", "how"}.
using Homes = std::vector<std::pair<std::string, std::string>>;

/// Reads the keys of one mapping. Each reader gives nullopt both for an absent key and for a wrong
/// value; only the latter is reported. `finish` then reports every key that no reader asked for.
class Section {
 public:
  /// `name` completes "unknown key 'x' in …". A node that is no mapping is reported and read as
  /// empty; null reads as empty.
  Section(const YamlNode& node, std::string name, Report& report);

  /// The value of a key, which counts as known from now on; nullptr: absent.
  const YamlNode* get(const char* key);
  const YamlNode* key_node(std::string_view key) const;

  std::optional<std::string> text(const char* key);
  std::optional<bool> flag(const char* key);
  std::optional<int> whole(const char* key, Range<int> range);
  std::optional<double> number(const char* key, Range<double> range);
  std::optional<Duration> duration(const char* key);
  std::optional<std::uint64_t> bytes(const char* key);
  /// A text or a list of texts.
  std::vector<const YamlNode*> texts(const char* key);
  /// Whole numbers, one or a list.
  std::optional<std::vector<int>> wholes(const char* key, Range<int> range);
  /// One of `names`, as its position.
  std::optional<std::size_t> choice(const char* key, const std::vector<std::string>& names);

  void finish(const Homes& homes = {});

  Report& report() { return report_; }
  const YamlNode& node() const { return node_; }
  const std::string& name() const { return name_; }

 private:
  const YamlNode& node_;
  std::string name_;
  Report& report_;
  std::vector<std::string> known_;
};

/// The readers of single values; `what` names the value in messages.
std::optional<std::string> text_of(const YamlNode& node, std::string_view what, Report& report);
std::optional<Duration> duration_of(const YamlNode& node, std::string_view what, Report& report);
/// "256MiB", "1.5GiB", "512MB", "1024": bytes.
std::optional<std::uint64_t> bytes_from_text(std::string_view text);
/// As shown in messages: short, on one line.
std::string shown(const YamlNode& node);

}  // namespace etesian
