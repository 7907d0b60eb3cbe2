#include "base/bytes.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace etesian {
namespace {

constexpr char kHexLower[] = "0123456789abcdef";
constexpr char kHexUpper[] = "0123456789ABCDEF";

/// Castagnoli's polynomial, bits reversed (RFC 3720, B.4).
constexpr std::array<std::uint32_t, 256> make_crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0x82f63b78U ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}

std::uint32_t crc32c_by_table(std::string_view data, std::uint32_t crc) {
  static constexpr auto kTable = make_crc32c_table();
  for (const char c : data) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ (crc >> 8);
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::string_view data,
                                                                      std::uint32_t crc) {
  std::uint64_t wide = crc;
  while (data.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof word);
    wide = _mm_crc32_u64(wide, word);
    data.remove_prefix(8);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (const char c : data) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(c));
  return crc;
}
#endif

/// Length of the well-formed UTF-8 sequence that `s` starts with (Unicode 15, table 3-7); 0: none.
std::size_t utf8_sequence(std::string_view s) {
  const auto at = [&](std::size_t i) {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U;
  };
  const auto continues = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  const unsigned lead = at(0), second = at(1);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool is_overlong = lead == 0xe0 && second < 0xa0;
    const bool is_surrogate = lead == 0xed && second > 0x9f;
    return continues(1) && continues(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool is_overlong = lead == 0xf0 && second < 0x90;
    const bool is_too_large = lead == 0xf4 && second > 0x8f;
    return continues(1) && continues(2) && continues(3) && !is_overlong && !is_too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string sha256_hex(std::string_view data) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(data.data()),
                     data.size());
  std::string out;
  out.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    out += kHexLower[byte >> 4];
    out += kHexLower[byte & 15];
  }
  return out;
}

std::uint32_t crc32c(std::string_view data, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (has_instruction) return ~crc32c_by_instruction(data, ~seed);
#endif
  return ~crc32c_by_table(data, ~seed);
}

std::string base64(std::string_view data) {
  std::string out(sodium_base64_encoded_len(data.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(data.data()),
                    data.size(), sodium_base64_VARIANT_ORIGINAL);
  out.pop_back();  // sodium counts the final NUL
  return out;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n = utf8_sequence(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t n = utf8_sequence(text);
    valid += n != 0 ? text.substr(0, n) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(n != 0 ? n : 1);
  }
  return valid;
}

std::string backslash_replaced(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t n = utf8_sequence(text);
    if (n != 0) {
      valid += text.substr(0, n);
    } else {
      const auto byte = static_cast<unsigned char>(text.front());
      valid += "\\x";
      valid += kHexLower[byte >> 4];
      valid += kHexLower[byte & 15];
    }
    text.remove_prefix(n != 0 ? n : 1);
  }
  return valid;
}

std::string_view without_space_at_end(std::string_view text) {
  // Those of str.isspace() in Python 3.11: bidirectional type WS, B or S, or category Zs.
  static constexpr std::string_view kSpaces[] = {
      "\t",     "\n",     "\v",       "\f",     "\r",     "\x1c",   "\x1d",   "\x1e",
      "\x1f",   " ",      "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
      "\u2003", "\u2004", "\u2005",   "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
      "\u2028", "\u2029", "\u202f",   "\u205f", "\u3000"};
  for (;;) {
    const auto* const found =
        std::find_if(std::begin(kSpaces), std::end(kSpaces),
                     [&](std::string_view space) { return text.ends_with(space); });
    if (found == std::end(kSpaces)) return text;
    text.remove_suffix(found->size());
  }
}

std::string file_name_from_id(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                          (c == '.' && !out.empty());
    if (is_plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHexUpper[byte >> 4];
    out += kHexUpper[byte & 15];
  }
  return out;
}

}  // namespace etesian
