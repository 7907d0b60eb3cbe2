#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace etesian::templates {

/// Length in bytes (1 to 4) of the character at `offset`; 1 for a byte that is not valid UTF-8.
std::size_t character_length(std::string_view text, std::size_t offset);
/// Code point of one character as `character_length` delimits it; the byte itself when invalid.
std::uint32_t code_point(std::string_view character);
std::size_t character_count(std::string_view text);
std::vector<std::string_view> characters(std::string_view text);
void append_utf8(std::string& out, std::uint32_t code);
/// ASCII letters only; other characters stay as they are.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
bool is_space(char c);

}  // namespace etesian::templates
