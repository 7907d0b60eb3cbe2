#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace etesian {

/// SHA-256 of `data`, lower-case hex (64 characters).
std::string sha256_hex(std::string_view data);
/// CRC-32C (Castagnoli) of `data`, continued from `seed` (0 to start).
std::uint32_t crc32c(std::string_view data, std::uint32_t seed = 0);
/// Standard base64 with padding.
std::string base64(std::string_view data);
/// False when `text` is not valid UTF-8 (overlong forms and surrogates are invalid).
bool is_utf8(std::string_view text);
/// `text` with U+FFFD in place of every byte that belongs to no valid sequence.
std::string valid_utf8(std::string_view text);
/// `text` with "\\xff" in place of every byte that belongs to no valid sequence, as Python's
/// `bytes.decode(errors="backslashreplace")` gives it.
std::string backslash_replaced(std::string_view text);
/// Valid UTF-8 without white space at its end, as Python's `str.rstrip` cuts it.
std::string_view without_space_at_end(std::string_view text);
/// `text` with every byte that is not [A-Za-z0-9_.-] as %XX, and a leading '.' encoded too, so that
/// no id can name another folder. The one way an id becomes a file name.
std::string file_name_from_id(std::string_view text);

}  // namespace etesian
