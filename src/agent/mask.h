#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace etesian::agent {

/// Replaces secret values by "***" before a byte of them is stored. Values of at least 4 characters
/// are found as they are and in their usual disguises: URL-encoded, base64, inside a JSON text. A
/// value of several lines is found line by line.
class Mask {
 public:
  explicit Mask(const std::vector<std::string>& secrets);
  /// Replaces whole lines: for output whose secrets are not known any more.
  static Mask everything();

  bool is_empty() const { return patterns_.empty() && !hides_all_; }
  /// Whether `text` (any number of lines) holds something to hide: cheaper than `apply` on each
  /// line.
  bool matches(std::string_view text) const;
  /// `line` with its secrets replaced; counts them.
  std::string apply(std::string_view line);
  /// Where `text` may be cut at or before `end` so that no secret is cut in two.
  std::size_t safe_cut(std::string_view text, std::size_t end) const;
  std::size_t count() const { return count_; }

 private:
  Mask() = default;
  void add(const std::string& value);

  std::vector<std::string> patterns_;  ///< Longest first.
  bool hides_all_ = false;
  std::size_t count_ = 0;
};

}  // namespace etesian::agent
