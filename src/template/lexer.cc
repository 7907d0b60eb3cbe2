#include "template/lexer.h"

#include <algorithm>
#include <array>

#include "template/unicode.h"

namespace etesian::templates {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
  Lexer(std::string_view text, std::vector<TemplateError>& errors) : text_(text), errors_(errors) {}

  std::vector<Token> run() {
    while (at_ < text_.size()) {
      const std::size_t open = next_opening();
      literal(open);
      at_ = open;
      if (at_ < text_.size()) tag();
    }
    tokens_.push_back({TokenKind::End, {text_.size(), 0}, {}});
    return std::move(tokens_);
  }

 private:
  std::size_t next_opening() const {
    for (std::size_t i = at_; (i = text_.find('{', i)) != std::string_view::npos; ++i) {
      if (i + 1 < text_.size() &&
          std::string_view("{%#").find(text_[i + 1]) != std::string_view::npos) {
        return i;
      }
    }
    return text_.size();
  }

  /// The text up to `end`, without what whitespace control on either side takes.
  void literal(std::size_t end) {
    std::size_t begin = at_;
    if (trim_next_) {
      while (begin < end && is_space(text_[begin])) ++begin;
    }
    trim_next_ = false;
    std::size_t stop = end;
    if (end + 2 < text_.size() && text_[end + 2] == '-') {
      while (stop > begin && is_space(text_[stop - 1])) --stop;
    }
    add_text(begin, stop);
  }

  void add_text(std::size_t begin, std::size_t end) {
    if (begin < end) {
      add(TokenKind::Literal, begin, end, std::string(text_.substr(begin, end - begin)));
    }
  }

  void add(TokenKind kind, std::size_t begin, std::size_t end, std::string value = {}) {
    tokens_.push_back({kind, {begin, end - begin}, std::move(value)});
  }

  void error(std::size_t begin, std::size_t end, std::string message, std::string hint = {}) {
    errors_.push_back(
        {begin, std::max<std::size_t>(end - begin, 1), std::move(message), std::move(hint)});
  }

  void skip_spaces() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  void tag() {
    const std::size_t begin = at_;
    const char kind = text_[at_ + 1];
    at_ += 2;
    if (kind == '#') return comment(begin);
    if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
    if (kind == '%' && raw(begin)) return;
    const bool print = kind == '{';
    add(print ? TokenKind::PrintBegin : TokenKind::BlockBegin, begin, at_);
    inside(begin, print ? "}}" : "%}", print ? TokenKind::PrintEnd : TokenKind::BlockEnd);
  }

  void comment(std::size_t begin) {
    const std::size_t end = text_.find("#}", at_);
    if (end == std::string_view::npos) {
      error(begin, begin + 2, "this comment has no end", "close it with '#}'");
      at_ = text_.size();
      return;
    }
    trim_next_ = end > at_ && text_[end - 1] == '-';
    at_ = end + 2;
  }

  /// After "{%": reads a whole raw block when there is one.
  bool raw(std::size_t begin) {
    const std::size_t back = at_;
    skip_spaces();
    if (text_.substr(at_, 3) != "raw" || (at_ + 3 < text_.size() && is_name(text_[at_ + 3]))) {
      return at_ = back, false;
    }
    at_ += 3;
    skip_spaces();
    const bool trim = at_ < text_.size() && text_[at_] == '-';
    if (trim) ++at_;
    if (text_.substr(at_, 2) != "%}") {
      error(begin, at_, "'raw' takes nothing else", "write {% raw %}");
      at_ = std::min(text_.size(), text_.find("%}", at_));
    }
    at_ = std::min(text_.size(), at_ + 2);
    std::size_t start = at_;
    for (std::size_t i = at_; (i = text_.find("{%", i)) != std::string_view::npos; i += 2) {
      at_ = i + 2;
      const bool trim_before = at_ < text_.size() && text_[at_] == '-';
      if (trim_before) ++at_;
      skip_spaces();
      if (text_.substr(at_, 6) != "endraw") continue;
      at_ += 6;
      skip_spaces();
      trim_next_ = at_ < text_.size() && text_[at_] == '-';
      if (trim_next_) ++at_;
      if (text_.substr(at_, 2) != "%}") continue;
      at_ += 2;
      if (trim) {
        while (start < i && is_space(text_[start])) ++start;
      }
      std::size_t stop = i;
      if (trim_before) {
        while (stop > start && is_space(text_[stop - 1])) --stop;
      }
      add_text(start, stop);
      return true;
    }
    error(begin, begin + 2, "this raw block has no end", "close it with {% endraw %}");
    at_ = text_.size();
    return true;
  }

  void inside(std::size_t begin, std::string_view close, TokenKind end_kind) {
    std::string brackets;
    for (;;) {
      skip_spaces();
      if (at_ >= text_.size()) {
        error(begin, begin + 2, std::string("this tag has no end"),
              "close it with '" + std::string(close) + "'");
        add(TokenKind::Broken, at_, at_);
        return add(end_kind, at_, at_);
      }
      const bool sign =
          (text_[at_] == '-' || text_[at_] == '+') && text_.substr(at_ + 1, 2) == close;
      if (brackets.empty() && (sign || text_.substr(at_, 2) == close)) {
        trim_next_ = sign && text_[at_] == '-';
        add(end_kind, at_, at_ + (sign ? 3 : 2));
        at_ += sign ? 3 : 2;
        return;
      }
      if (!token(brackets)) return recover(close, end_kind);
    }
  }

  /// Continues after the end of a tag with a mistake.
  void recover(std::string_view close, TokenKind end_kind) {
    add(TokenKind::Broken, at_, at_);
    const std::size_t end = text_.find(close, at_);
    if (end == std::string_view::npos) {
      at_ = text_.size();
      return add(end_kind, at_, at_);
    }
    trim_next_ = end > at_ && text_[end - 1] == '-';
    at_ = end + 2;
    add(end_kind, end, at_);
  }

  bool token(std::string& brackets) {
    const char c = text_[at_];
    if (is_name_start(c)) return name();
    if (is_digit(c)) return number();
    if (c == '"' || c == '\'') return string(c);
    static constexpr std::array<std::string_view, 26> Symbols = {
        "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "|",
        ".",  ",",  ":",  "=",  "<",  ">",  "(", ")", "[", "]", "{", "}", ";"};
    for (const auto symbol : Symbols) {
      if (text_.substr(at_, symbol.size()) != symbol) continue;
      if (!balance(brackets, c)) return false;
      add(TokenKind::Symbol, at_, at_ + symbol.size(), std::string(symbol));
      at_ += symbol.size();
      return true;
    }
    const std::size_t length = character_length(text_, at_);
    const unsigned code = static_cast<unsigned char>(c);
    const std::string shown = code < 0x20 || code == 0x7F
                                  ? "a control character"
                                  : "'" + std::string(text_.substr(at_, length)) + "'";
    error(at_, at_ + length, shown + " is not part of the template language",
          c == '&' || c == '!' ? "write 'and', 'or', 'not'" : "");
    at_ += length;
    return false;
  }

  bool balance(std::string& brackets, char c) {
    static constexpr std::string_view Open = "([{", Close = ")]}";
    if (Open.find(c) != std::string_view::npos) brackets += c;
    const std::size_t kind = Close.find(c);
    if (kind == std::string_view::npos) return true;
    if (!brackets.empty() && brackets.back() == Open[kind]) return brackets.pop_back(), true;
    error(at_, at_ + 1,
          std::string("'") + c +
              (brackets.empty() ? "' closes nothing that is open here"
                                : std::string("' does not close '") + brackets.back() + "'"));
    return false;
  }

  bool name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    std::string name(text_.substr(begin, at_ - begin));
    if (name.starts_with("__")) {
      error(begin, at_, "names that begin with '__' do not exist in templates");
      return false;
    }
    add(TokenKind::Name, begin, at_, std::move(name));
    return true;
  }

  bool number() {
    const std::size_t begin = at_;
    std::string digits;
    TokenKind kind = TokenKind::Integer;
    const auto take = [&](auto accept) {
      while (at_ < text_.size() && (accept(text_[at_]) || text_[at_] == '_')) {
        if (text_[at_] != '_') digits += text_[at_];
        ++at_;
      }
    };
    const char base = at_ + 1 < text_.size() && text_[at_] == '0' ? text_[at_ + 1] : '\0';
    if (std::string_view("xXoObB").find(base) != std::string_view::npos && base != '\0') {
      digits = text_.substr(at_, 2);
      at_ += 2;
      take(is_hex);
    } else {
      take(is_digit);
      if (at_ + 1 < text_.size() && text_[at_] == '.' && is_digit(text_[at_ + 1])) {
        kind = TokenKind::Float;
        digits += text_[at_++];
        take(is_digit);
      }
      std::size_t exponent = at_ + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      if (at_ < text_.size() && (text_[at_] | 0x20) == 'e' && exponent < text_.size() &&
          is_digit(text_[exponent])) {
        kind = TokenKind::Float;
        digits += text_.substr(at_, exponent - at_);
        at_ = exponent;
        take(is_digit);
      }
    }
    if (at_ < text_.size() && is_name(text_[at_])) {
      while (at_ < text_.size() && is_name(text_[at_])) ++at_;
      error(begin, at_, "this is neither a number nor a name", "write a text in quotes");
      return false;
    }
    add(kind, begin, at_, std::move(digits));
    return true;
  }

  bool string(char quote) {
    const std::size_t begin = at_++;
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        if (!escape(value)) return false;
      } else {
        value += text_[at_++];
      }
    }
    if (at_ >= text_.size()) {
      error(begin, begin + 1, "this text has no closing quote");
      at_ = begin + 1;
      return false;
    }
    ++at_;
    add(TokenKind::String, begin, at_, std::move(value));
    return true;
  }

  /// After a backslash. Python's escapes; an unknown one stays as it is written.
  bool escape(std::string& value) {
    static constexpr std::string_view Names = "abfnrtv\\'\"", Meanings = "\a\b\f\n\r\t\v\\'\"";
    const char c = text_[at_++];
    if (c == '\n') return true;
    if (const std::size_t i = Names.find(c); i != std::string_view::npos)
      return value += Meanings[i], true;
    const std::size_t width = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::uint32_t code = 0;
    if (width > 0) {
      const std::size_t begin = at_ - 2;
      for (std::size_t i = 0; i < width; ++i, ++at_) {
        if (at_ >= text_.size() || !is_hex(text_[at_])) {
          error(
              begin, at_,
              std::string("'\\") + c + "' takes " + std::to_string(width) + " hexadecimal digits");
          return false;
        }
        const char digit = text_[at_];
        code = code << 4 | static_cast<std::uint32_t>(is_digit(digit) ? digit - '0'
                                                                      : (digit | 0x20) - 'a' + 10);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        error(begin, at_, "this is not a Unicode character");
        return false;
      }
    } else if (c >= '0' && c <= '7') {
      code = static_cast<std::uint32_t>(c - '0');
      for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7'; ++i) {
        code = code * 8 + static_cast<std::uint32_t>(text_[at_++] - '0');
      }
    } else {
      value += '\\';
      value += c;
      return true;
    }
    append_utf8(value, code);
    return true;
  }

  std::string_view text_;
  std::vector<TemplateError>& errors_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool trim_next_ = false;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text, std::vector<TemplateError>& errors) {
  return Lexer(text, errors).run();
}

}  // namespace etesian::templates
