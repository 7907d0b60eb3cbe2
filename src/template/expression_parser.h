#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "template/lexer.h"
#include "template/syntax.h"

namespace etesian::templates {

/// A position in the tokens of a text. Mistakes are thrown as Failure.
class Cursor {
 public:
  explicit Cursor(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  /// The token `ahead` places on; End beyond the last.
  const Token& peek(std::size_t ahead = 0) const;
  /// Returns the token here and moves past it; stays at End.
  const Token& next();
  bool skip_symbol(std::string_view symbol);
  bool skip_name(std::string_view name);
  bool is_symbol(std::string_view symbol, std::size_t ahead = 0) const;
  bool is_name(std::string_view name, std::size_t ahead = 0) const;
  /// Requires a symbol here.
  void expect(std::string_view symbol);
  /// From the start of `begin` to the end of the last token read, plus `ahead` tokens.
  Span since(Span begin, std::size_t ahead = 0) const;
  /// Words for the token here: "'+'", "the end of the tag".
  std::string described() const;
  void skip_to_end() { at_ = tokens_.size() - 1; }

  [[noreturn]] void fail(Span span, std::string message, std::string hint = {}) const;
  [[noreturn]] void fail_here(std::string message, std::string hint = {}) const;
  /// Notes nesting of `depth` at `span`.
  void reach(std::size_t depth, Span span);

  std::size_t deepest = 0;
  Span deepest_span;

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

/// Expressions, by recursive descent in the order of Jinja's precedence (loosest first).
class ExpressionParser {
 public:
  explicit ExpressionParser(Cursor& cursor) : cursor_(cursor) {}

  ExprPtr expression();
  /// `a, b` without brackets, or one expression.
  ExprPtr tuple();
  /// As `tuple`, where a following `if` belongs to the loop.
  ExprPtr tuple_without_if();
  /// The names that `for` and `set` bind.
  std::vector<std::string> targets();

 private:
  ExprPtr or_chain();
  ExprPtr and_chain();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  enum class Filters { Accept, Leave };
  ExprPtr unary(Filters filters);
  ExprPtr primary();
  ExprPtr name();
  ExprPtr number();
  ExprPtr bracketed();
  ExprPtr list(std::string_view close, Items::Kind kind, Span begin);
  ExprPtr dict(Span begin);

  ExprPtr links(ExprPtr base, Filters filters);
  Part member();
  Part subscript();
  Part filter();
  Part test();
  std::vector<Argument> arguments();

  template <class Operand>
  ExprPtr chain(Chain::Kind kind,
                std::initializer_list<std::pair<std::string_view, Operator>> operators,
                Operand operand);

  /// Counts one level of nesting while it lives.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() { --parser_.depth_; }

   private:
    ExpressionParser& parser_;
  };

  Cursor& cursor_;
  std::size_t depth_ = 0;
};

}  // namespace etesian::templates
