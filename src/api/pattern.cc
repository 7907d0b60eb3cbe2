#include "api/pattern.h"

namespace etesian::api {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_like(std::string_view text, std::string_view pattern) {
  // One place to go back to is enough: a later '%' makes the earlier ones irrelevant.
  std::size_t at = 0, in = 0, after_any = std::string_view::npos, resume = 0;
  while (at < text.size()) {
    if (in < pattern.size() && pattern[in] == '%') {
      after_any = ++in;
      resume = at;
    } else if (in < pattern.size() &&
               (pattern[in] == '_' || lower(pattern[in]) == lower(text[at]))) {
      ++in;
      ++at;
    } else if (after_any != std::string_view::npos) {
      in = after_any;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '%') ++in;
  return in == pattern.size();
}

Pattern::Pattern(const http::Request& request, const std::string& name)
    : term_(request.query_value(name + "_pattern")),
      prefix_(request.query_value(name + "_prefix_pattern")) {
  if (term_ && *term_ == "~") term_ = "%";
}

Pattern Pattern::containing(std::string part) {
  Pattern pattern;
  pattern.term_ = std::move(part);
  return pattern;
}

bool Pattern::fits(std::string_view text) const {
  if (prefix_ && !text.starts_with(*prefix_)) return false;
  if (!term_) return true;
  const auto holds = [&](std::string_view term) {
    return is_like(text, "%" + std::string(term) + "%");
  };
  if (term_->find('|') == std::string::npos) return holds(*term_);
  bool is_any_given = false;
  for (std::string_view rest = *term_; !rest.empty();) {
    const auto end = std::min(rest.find('|'), rest.size());
    const auto term = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (term.empty()) continue;
    is_any_given = true;
    if (holds(term)) return true;
  }
  return !is_any_given;
}

}  // namespace etesian::api
