#include "template/parser.h"

#include <algorithm>
#include <charconv>

#include "template/expression_parser.h"
#include "template/nearest.h"

namespace etesian::templates {
namespace {

constexpr std::size_t ErrorsMax = 50;

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::vector<TemplateError>& errors)
      : errors_(errors), cursor_(std::move(tokens)), expressions_(cursor_) {}

  Syntax run() {
    Syntax out;
    out.body = block(0);
    while (!done()) {
      unexpected_block();
      Block rest = block(0);
      std::move(rest.begin(), rest.end(), std::back_inserter(out.body));
    }
    out.depth = cursor_.deepest;
    out.deepest = cursor_.deepest_span;
    return out;
  }

 private:
  bool done() const { return cursor_.peek().kind == TokenKind::End || errors_.size() >= ErrorsMax; }

  /// True when the next tag is `{% word`.
  bool next_block_is(std::initializer_list<std::string_view> words) const {
    if (cursor_.peek().kind != TokenKind::BlockBegin) return false;
    const Token& word = cursor_.peek(1);
    return word.kind == TokenKind::Name &&
           std::find(words.begin(), words.end(), word.text) != words.end();
  }

  /// Statements up to a tag that ends or divides the enclosing block.
  Block block(std::size_t depth) {
    Block out;
    while (!done()) {
      if (next_block_is({"elif", "else", "endif", "endfor", "endset"})) return out;
      const Token& token = cursor_.peek();
      if (token.kind == TokenKind::Literal) {
        out.push_back({token.span, Output{token.text}});
        cursor_.next();
      } else if (token.kind == TokenKind::PrintBegin) {
        const Span begin = cursor_.next().span;
        guarded(TokenKind::PrintEnd, [&] {
          ExprPtr value = expressions_.tuple();
          const Span span = cursor_.since(begin, 1);
          out.push_back({span, Print{std::move(value)}});
        });
      } else {
        statement(out, depth);
      }
    }
    return out;
  }

  /// Reads the rest of a tag; a mistake is noted and the tag skipped. False after a mistake.
  template <class F>
  bool guarded(TokenKind end, F&& read) {
    try {
      read();
      if (cursor_.peek().kind != end) cursor_.fail_here("unexpected " + cursor_.described());
      cursor_.next();
      return true;
    } catch (Failure& failure) {
      note(std::move(failure.error));
    }
    while (cursor_.peek().kind != TokenKind::End && cursor_.peek().kind != end) cursor_.next();
    if (cursor_.peek().kind == end) cursor_.next();
    return false;
  }

  /// The lexer has already reported what a Broken token stands for.
  void note(TemplateError error) {
    if (!error.message.empty()) errors_.push_back(std::move(error));
  }

  void statement(Block& out, std::size_t depth) {
    const Span begin = cursor_.peek().span;
    const Token& word = cursor_.peek(1);
    cursor_.next();
    if (depth >= DepthMax) {
      note({begin.offset, begin.length, "blocks nest more than 64 levels deep", {}});
      cursor_.skip_to_end();
      return;
    }
    cursor_.reach(depth + 1, begin);
    if (word.kind == TokenKind::Name) {
      if (word.text == "if") return if_block(out, begin, depth + 1);
      if (word.text == "for") return for_block(out, begin, depth + 1);
      if (word.text == "set") return set_block(out, begin, depth + 1);
    }
    guarded(TokenKind::BlockEnd, [&] { unknown_statement(word); });
  }

  [[noreturn]] void unknown_statement(const Token& word) {
    if (word.kind != TokenKind::Name) cursor_.fail_here("a block begins with if, for, set or raw");
    static constexpr std::string_view Refused[] = {
        "include", "import", "from", "extends",    "macro", "call", "block",
        "filter",  "do",     "with", "autoescape", "trans", "print"};
    if (std::find(std::begin(Refused), std::end(Refused), word.text) != std::end(Refused)) {
      cursor_.fail(word.span, "'" + word.text + "' blocks are not part of the template language",
                   "blocks are if, for, set and raw");
    }
    cursor_.fail(word.span, "there is no block '" + word.text + "'",
                 did_you_mean(word.text, {"if", "elif", "else", "endif", "for", "endfor", "set",
                                          "endset", "raw", "endraw"}));
  }

  /// `{% else %}` and the like without an opening.
  void unexpected_block() {
    if (done()) return;
    const Span begin = cursor_.next().span;
    const Token word = cursor_.peek();
    note({begin.offset,
          word.span.offset + word.span.length - begin.offset,
          "'" + word.text + "' without the block it belongs to",
          {}});
    while (cursor_.peek().kind != TokenKind::BlockEnd && cursor_.peek().kind != TokenKind::End)
      cursor_.next();
    if (cursor_.peek().kind == TokenKind::BlockEnd) cursor_.next();
  }

  /// Reads `{% word %}`. False, with an error about `begin`, when something else stands here.
  bool closed_by(std::string_view word, std::string_view opening, Span begin) {
    if (next_block_is({word})) {
      cursor_.next();
      guarded(TokenKind::BlockEnd, [&] { cursor_.next(); });
      return true;
    }
    if (errors_.size() < ErrorsMax) {
      note({begin.offset, begin.length, "'" + std::string(opening) + "' is never closed",
            "end it with {% " + std::string(word) + " %}"});
    }
    return false;
  }

  void if_block(Block& out, Span begin, std::size_t depth) {
    If node;
    bool has_else = false;
    for (;;) {
      If::Branch branch;
      const Token word = cursor_.peek();
      guarded(TokenKind::BlockEnd, [&] {
        cursor_.next();
        if (word.text == "else") {
          has_else = true;
        } else {
          if (has_else) cursor_.fail(word.span, "'elif' after 'else'");
          branch.condition = expressions_.tuple();
        }
      });
      branch.body = block(depth);
      node.branches.push_back(std::move(branch));
      if (!next_block_is({"elif", "else"}) || (has_else && next_block_is({"else"}))) break;
      cursor_.next();
    }
    closed_by("endif", "if", begin);
    out.push_back({begin, std::move(node)});
  }

  void for_block(Block& out, Span begin, std::size_t depth) {
    For node;
    guarded(TokenKind::BlockEnd, [&] {
      cursor_.next();
      node.targets = expressions_.targets();
      if (!cursor_.skip_name("in"))
        cursor_.fail_here("'in' is missing", "write {% for x in list %}");
      node.iterable = expressions_.tuple_without_if();
      if (cursor_.skip_name("if")) node.filter = expressions_.expression();
      if (cursor_.peek().kind == TokenKind::Name && cursor_.peek().text == "recursive") {
        cursor_.fail_here("recursive loops are not part of the template language");
      }
    });
    node.body = block(depth);
    if (next_block_is({"else"})) {
      cursor_.next();
      guarded(TokenKind::BlockEnd, [&] { cursor_.next(); });
      node.otherwise = block(depth);
    }
    closed_by("endfor", "for", begin);
    out.push_back({begin, std::move(node)});
  }

  void set_block(Block& out, Span begin, std::size_t depth) {
    Set node;
    const bool good = guarded(TokenKind::BlockEnd, [&] {
      cursor_.next();
      node.targets = expressions_.targets();
      if (cursor_.skip_symbol("=")) {
        node.value = expressions_.tuple();
      } else if (cursor_.peek().kind != TokenKind::BlockEnd) {
        cursor_.fail_here("unexpected " + cursor_.described(), "write {% set x = value %}");
      }
    });
    if (good && !node.value) {
      if (node.targets.size() > 1)
        note({begin.offset, begin.length, "a set block has one name", {}});
      node.body = block(depth);
      closed_by("endset", "set", begin);
    }
    out.push_back({begin, std::move(node)});
  }

  std::vector<TemplateError>& errors_;
  Cursor cursor_;
  ExpressionParser expressions_;
};

}  // namespace

Syntax parse_template(std::string_view text, std::vector<TemplateError>& errors) {
  std::vector<Token> tokens = tokens_of(text, errors);
  const bool literal =
      tokens.size() == 1 ? text.empty() : tokens.size() == 2 && tokens[0].text == text;
  Syntax out = Parser(std::move(tokens), errors).run();
  out.is_literal = literal;
  std::stable_sort(errors.begin(), errors.end(),
                   [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return out;
}

}  // namespace etesian::templates
