#include "model/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/bytes.h"
#include "base/time_text.h"

namespace etesian {
namespace {

constexpr std::size_t kIdBytesMax = 250;

bool is_ascii_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Blocks outside ASCII that hold no letters: controls, punctuation, marks that are invisible or
/// change the direction of text, symbols, private use. Source: Unicode 15, Blocks.txt.
bool is_outside_letters(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  static constexpr Range kRanges[] = {
      {0x80, 0xa9},     {0xab, 0xb4},       {0xb6, 0xb9},       {0xbb, 0xbf},
      {0xd7, 0xd7},     {0xf7, 0xf7},       {0x34f, 0x34f},     {0x600, 0x61f},
      {0x70f, 0x70f},   {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
      {0x2000, 0x2070}, {0x20a0, 0x20ff},   {0x2190, 0x2bff},   {0x2e00, 0x2fff},
      {0x3000, 0x3004}, {0x3008, 0x3020},   {0x3164, 0x3164},   {0xd800, 0xf8ff},
      {0xfe00, 0xfe6f}, {0xfeff, 0xff0f},   {0xff1a, 0xff20},   {0xffa0, 0xffa0},
      {0xffe0, 0xffff}, {0x1d173, 0x1d17a}, {0x1f000, 0x1faff}, {0xe0000, 0x10ffff}};
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [c](const Range& r) { return c >= r.first && c <= r.last; });
}

/// The code point that `text`, valid UTF-8 and not empty, starts with; it is taken off.
char32_t take_code_point(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t c = size == 1 ? lead : lead & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3fU);
  text.remove_prefix(size);
  return c;
}

}  // namespace

std::string make_run_id(RunType type, Instant run_after, std::optional<Instant> logical_date,
                        Random& random) {
  std::string id = fmt::format("{}__{}", to_text(type), to_iso(run_after));
  if (logical_date) return id;
  static constexpr std::string_view kCharacters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  id += '_';
  for (int i = 0; i < 8; ++i) id += kCharacters[random.below(kCharacters.size())];
  return id;
}

bool has_retries_left(const InstanceRow& instance) {
  return instance.max_tries == RetryRule::kForever ||
         instance.try_number - instance.infrastructure_losses <= instance.max_tries;
}

RunType run_type_of_id(const std::string& run_id) {
  const std::size_t end = run_id.find("__");
  if (end == std::string::npos) return RunType::Manual;
  return run_type_from_text(std::string_view(run_id).substr(0, end)).value_or(RunType::Manual);
}

Result<Done> check_run_id(const std::string& run_id) {
  if (run_id.empty()) return Error{ErrorCode::InvalidInput, "check run id: it is empty"};
  if (run_id.size() > kIdBytesMax)
    return Error{ErrorCode::InvalidInput, fmt::format("check run id: {} bytes are more than {}",
                                                      run_id.size(), kIdBytesMax)};
  const bool is_allowed = std::all_of(run_id.begin(), run_id.end(), [](char c) {
    return is_ascii_word(c) || std::string_view(".~:+-").find(c) != std::string_view::npos;
  });
  if (is_allowed && run_id.find("..") == std::string::npos) return Done{};
  return Error{ErrorCode::InvalidInput,
               "check run id: only letters, digits and _ . ~ : + - are allowed, and no '..'"};
}

Result<Done> check_id(const std::string& what, const std::string& id) {
  const auto refuse = [&what](const std::string& why) {
    return Error{ErrorCode::InvalidInput, fmt::format("check {} id: {}", what, why)};
  };
  if (id.empty()) return refuse("it is empty");
  if (id.size() > kIdBytesMax)
    return refuse(fmt::format("{} bytes are more than {}", id.size(), kIdBytesMax));
  if (!is_utf8(id)) return refuse("it is not valid UTF-8");
  if (id == "." || id == "..") return refuse("'.' and '..' cannot stand in a URL");
  for (std::string_view rest = id; !rest.empty();) {
    const char32_t c = take_code_point(rest);
    const bool is_allowed = c < 0x80 ? is_ascii_word(static_cast<char>(c)) || c == '-' || c == '.'
                                     : !is_outside_letters(c);
    if (!is_allowed) {
      const std::string shown = c > 0x20 && c < 0x7f
                                    ? fmt::format("'{}'", static_cast<char>(c))
                                    : fmt::format("U+{:04X}", static_cast<unsigned>(c));
      return refuse(fmt::format("{} is not a letter, a digit, '_', '-' or '.'", shown));
    }
  }
  return Done{};
}

}  // namespace etesian
