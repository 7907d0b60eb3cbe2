#include "agent/mask.h"

#include <algorithm>

#include "base/bytes.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kSecretMin = 4;  ///< Shorter values would blot out ordinary text.
constexpr std::size_t kPatternMax = 32UL << 10;
constexpr std::string_view kStars = "***";

std::string url_encoded(std::string_view text, const char* digits) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain)
      out += c;
    else
      (out += '%', out += digits[byte >> 4], out += digits[byte & 15]);
  }
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\', out += c);
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out;
}

/// base64 of `text` behind `skipped` unknown bytes: without the digits that those bytes, or the
/// ones that follow, change too.
std::string base64_inside(std::string_view text, std::size_t skipped) {
  const std::string padded = std::string(skipped, '\0') + std::string(text);
  const std::size_t first = (skipped * 8 + 5) / 6, last = padded.size() * 8 / 6;
  return base64(padded).substr(first, last > first ? last - first : 0);
}

}  // namespace

Mask::Mask(const std::vector<std::string>& secrets) {
  for (const std::string& secret : secrets) {
    if (secret.size() < kSecretMin) continue;
    add(url_encoded(secret, "0123456789ABCDEF"));
    add(url_encoded(secret, "0123456789abcdef"));
    add(json_escaped(secret));
    for (std::size_t skipped = 0; skipped < 3; ++skipped) {
      const std::string inner = base64_inside(secret, skipped);
      if (inner.size() >= kSecretMin + 1) add(inner);
    }
    for (std::string_view rest = secret; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      add(std::string(line));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  std::sort(patterns_.begin(), patterns_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  patterns_.erase(std::unique(patterns_.begin(), patterns_.end()), patterns_.end());
}

Mask Mask::everything() {
  Mask mask;
  mask.hides_all_ = true;
  return mask;
}

void Mask::add(const std::string& value) {
  if (value.size() >= kSecretMin) patterns_.push_back(value.substr(0, kPatternMax));
}

bool Mask::matches(std::string_view text) const {
  return hides_all_ || std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& p) {
           return text.find(p) != std::string_view::npos;
         });
}

std::string Mask::apply(std::string_view line) {
  if (hides_all_) return ++count_, std::string(kStars);
  // Each secret's bytes are marked first, so that overlapping values leave no rest of one another.
  std::string is_hidden(line.size(), '\0');
  for (const std::string& pattern : patterns_)
    for (std::size_t at = line.find(pattern); at != std::string_view::npos;
         at = line.find(pattern, at + 1))
      is_hidden.replace(at, pattern.size(), pattern.size(), '\1');
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (is_hidden[i] == '\0')
      out += line[i];
    else if (i == 0 || is_hidden[i - 1] == '\0')
      (out += kStars, ++count_);
  }
  return out;
}

std::size_t Mask::safe_cut(std::string_view text, std::size_t end) const {
  if (patterns_.empty()) return end;
  const std::size_t longest = patterns_.front().size();
  std::size_t cut = end - std::min(longest - 1, end - 1);
  // A value that begins before the cut and ends behind it goes whole into the first piece.
  for (bool is_moved = true; is_moved;) {
    is_moved = false;
    for (const std::string& pattern : patterns_) {
      const std::size_t from = cut - std::min(pattern.size() - 1, cut);
      const std::size_t at = text.find(pattern, from);
      if (at != std::string_view::npos && at < cut && at + pattern.size() > cut &&
          at + pattern.size() <= end)
        (cut = at + pattern.size(), is_moved = true);
    }
  }
  return cut;
}

}  // namespace etesian::agent
