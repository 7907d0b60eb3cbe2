#include "template/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "template/parser.h"

namespace etesian::templates {
namespace {

template <class T>
ExprPtr make(Span span, T node) {
  return std::make_unique<const Expr>(Expr{span, std::move(node)});
}

Span joined(Span a, Span b) { return {a.offset, b.offset + b.length - a.offset}; }

constexpr std::array<std::string_view, 9> Words = {"and", "or",   "not",  "in", "is",
                                                   "if",  "else", "elif", "for"};

bool is_word(std::string_view name) {
  return std::find(Words.begin(), Words.end(), name) != Words.end();
}

}  // namespace

const Token& Cursor::peek(std::size_t ahead) const {
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

const Token& Cursor::next() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Cursor::is_symbol(std::string_view symbol, std::size_t ahead) const {
  return peek(ahead).kind == TokenKind::Symbol && peek(ahead).text == symbol;
}

bool Cursor::is_name(std::string_view name, std::size_t ahead) const {
  return peek(ahead).kind == TokenKind::Name && peek(ahead).text == name;
}

bool Cursor::skip_symbol(std::string_view symbol) { return is_symbol(symbol) && (next(), true); }
bool Cursor::skip_name(std::string_view name) { return is_name(name) && (next(), true); }

void Cursor::expect(std::string_view symbol) {
  if (!skip_symbol(symbol))
    fail_here("expected '" + std::string(symbol) + "' before " + described());
}

Span Cursor::since(Span begin, std::size_t ahead) const {
  const std::size_t last = std::min(at_ + ahead, tokens_.size()) - 1;
  return joined(begin, tokens_[last].span);
}

std::string Cursor::described() const {
  switch (peek().kind) {
    case TokenKind::PrintEnd:
    case TokenKind::BlockEnd: return "the end of the tag";
    case TokenKind::String: return "a text";
    case TokenKind::End: return "the end of the template";
    default: return "'" + peek().text + "'";
  }
}

void Cursor::fail(Span span, std::string message, std::string hint) const {
  throw Failure{
      {span.offset, std::max<std::size_t>(span.length, 1), std::move(message), std::move(hint)}};
}

void Cursor::fail_here(std::string message, std::string hint) const {
  if (peek().kind == TokenKind::Broken) message.clear();
  fail(peek().span, std::move(message), std::move(hint));
}

void Cursor::reach(std::size_t depth, Span span) {
  if (depth > deepest) deepest = depth, deepest_span = span;
}

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  const Span here = parser.cursor_.peek().span;
  if (parser.depth_ >= DepthMax) {
    parser.cursor_.fail(here, "this expression nests more than 64 levels deep");
  }
  parser.cursor_.reach(++parser.depth_, here);
}

ExprPtr ExpressionParser::expression() {
  const Level level(*this);
  ExprPtr value = or_chain();
  while (cursor_.skip_name("if")) {
    ExprPtr condition = or_chain();
    ExprPtr otherwise;
    if (cursor_.skip_name("else")) otherwise = expression();
    const Span span = cursor_.since(value->span);
    value = make(span, Conditional{std::move(condition), std::move(value), std::move(otherwise)});
  }
  return value;
}

ExprPtr ExpressionParser::tuple() {
  ExprPtr first = expression();
  if (!cursor_.is_symbol(",")) return first;
  ListOf list{Items::Kind::Tuple, {}};
  const Span begin = first->span;
  list.items.push_back(std::move(first));
  while (cursor_.skip_symbol(",")) {
    const TokenKind kind = cursor_.peek().kind;
    if (kind == TokenKind::PrintEnd || kind == TokenKind::BlockEnd) break;
    list.items.push_back(expression());
  }
  return make(cursor_.since(begin), std::move(list));
}

ExprPtr ExpressionParser::tuple_without_if() {
  ExprPtr first = or_chain();
  if (!cursor_.is_symbol(",")) return first;
  ListOf list{Items::Kind::Tuple, {}};
  const Span begin = first->span;
  list.items.push_back(std::move(first));
  while (cursor_.skip_symbol(",")) list.items.push_back(or_chain());
  return make(cursor_.since(begin), std::move(list));
}

std::vector<std::string> ExpressionParser::targets() {
  std::vector<std::string> names;
  const bool brackets = cursor_.skip_symbol("(");
  do {
    const Token& token = cursor_.peek();
    if (token.kind != TokenKind::Name)
      cursor_.fail_here("expected a name before " + cursor_.described());
    static constexpr std::array<std::string_view, 7> Reserved = {"true",  "false", "none", "True",
                                                                 "False", "None",  "loop"};
    if (is_word(token.text) ||
        std::find(Reserved.begin(), Reserved.end(), token.text) != Reserved.end()) {
      cursor_.fail_here("'" + token.text + "' cannot be given a value");
    }
    names.push_back(cursor_.next().text);
    if (cursor_.is_symbol(".")) cursor_.fail_here("a member cannot be given a value");
  } while (cursor_.skip_symbol(","));
  if (brackets) cursor_.expect(")");
  return names;
}

template <class Operand>
ExprPtr ExpressionParser::chain(
    Chain::Kind kind, std::initializer_list<std::pair<std::string_view, Operator>> operators,
    Operand operand) {
  ExprPtr first = operand();
  Chain chain{kind, {}, {}, {}};
  for (;;) {
    const Token& token = cursor_.peek();
    const auto found = std::find_if(operators.begin(), operators.end(), [&](const auto& candidate) {
      const bool word = candidate.first[0] >= 'a' && candidate.first[0] <= 'z';
      return token.kind == (word ? TokenKind::Name : TokenKind::Symbol) &&
             token.text == candidate.first;
    });
    Operator op;
    const Span span = token.span;
    if (found != operators.end()) {
      op = found->second;
      cursor_.next();
    } else if (kind == Chain::Kind::Comparison && cursor_.is_name("not") &&
               cursor_.is_name("in", 1)) {
      op = Operator::NotIn;
      cursor_.next(), cursor_.next();
    } else {
      break;
    }
    chain.rest.emplace_back(op, operand());
    chain.operator_spans.push_back(span);
  }
  if (chain.rest.empty()) return first;
  const Span span = cursor_.since(first->span);
  chain.first = std::move(first);
  return make(span, std::move(chain));
}

ExprPtr ExpressionParser::or_chain() {
  return chain(Chain::Kind::Logic, {{"or", Operator::Or}}, [this] { return and_chain(); });
}

ExprPtr ExpressionParser::and_chain() {
  return chain(Chain::Kind::Logic, {{"and", Operator::And}}, [this] { return negation(); });
}

ExprPtr ExpressionParser::negation() {
  if (!cursor_.is_name("not")) return comparison();
  const Level level(*this);
  const Span begin = cursor_.next().span;
  ExprPtr operand = negation();
  return make(cursor_.since(begin), Unary{Operator::Not, std::move(operand)});
}

ExprPtr ExpressionParser::comparison() {
  return chain(Chain::Kind::Comparison,
               {{"==", Operator::Equal},
                {"!=", Operator::NotEqual},
                {"<", Operator::Less},
                {"<=", Operator::LessEqual},
                {">", Operator::Greater},
                {">=", Operator::GreaterEqual},
                {"in", Operator::In}},
               [this] { return sum(); });
}

ExprPtr ExpressionParser::sum() {
  return chain(Chain::Kind::Arithmetic, {{"+", Operator::Add}, {"-", Operator::Subtract}},
               [this] { return concat(); });
}

ExprPtr ExpressionParser::concat() {
  ExprPtr first = product();
  if (!cursor_.is_symbol("~")) return first;
  Concat node;
  const Span begin = first->span;
  node.items.push_back(std::move(first));
  while (cursor_.skip_symbol("~")) node.items.push_back(product());
  return make(cursor_.since(begin), std::move(node));
}

ExprPtr ExpressionParser::product() {
  return chain(Chain::Kind::Arithmetic,
               {{"*", Operator::Multiply},
                {"/", Operator::Divide},
                {"//", Operator::FloorDivide},
                {"%", Operator::Modulo}},
               [this] { return power(); });
}

ExprPtr ExpressionParser::power() {
  return chain(Chain::Kind::Arithmetic, {{"**", Operator::Power}},
               [this] { return unary(Filters::Accept); });
}

ExprPtr ExpressionParser::unary(Filters filters) {
  if (!cursor_.is_symbol("-") && !cursor_.is_symbol("+")) return links(primary(), filters);
  const Level level(*this);
  const Token& sign = cursor_.next();
  const Operator op = sign.text == "-" ? Operator::Negate : Operator::Plus;
  const Span begin = sign.span;
  ExprPtr operand = unary(Filters::Leave);
  return links(make(cursor_.since(begin), Unary{op, std::move(operand)}), filters);
}

ExprPtr ExpressionParser::primary() {
  const Token& token = cursor_.peek();
  switch (token.kind) {
    case TokenKind::Name: return name();
    case TokenKind::Integer:
    case TokenKind::Float: return number();
    case TokenKind::String: {
      std::string text;
      const Span begin = token.span;
      while (cursor_.peek().kind == TokenKind::String) text += cursor_.next().text;
      return make(cursor_.since(begin), Constant{make_text(std::move(text))});
    }
    case TokenKind::Symbol:
      if (token.text == "(" || token.text == "[" || token.text == "{") return bracketed();
      [[fallthrough]];
    default: cursor_.fail_here("expected a value before " + cursor_.described());
  }
}

ExprPtr ExpressionParser::name() {
  const Token& token = cursor_.peek();
  if (is_word(token.text)) cursor_.fail_here("expected a value before '" + token.text + "'");
  cursor_.next();
  if (token.text == "true" || token.text == "True") return make(token.span, Constant{Value(true)});
  if (token.text == "false" || token.text == "False")
    return make(token.span, Constant{Value(false)});
  if (token.text == "none" || token.text == "None")
    return make(token.span, Constant{Value(None{})});
  return make(token.span, Name{token.text});
}

ExprPtr ExpressionParser::number() {
  const Token& token = cursor_.next();
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  if (token.kind == TokenKind::Float) {
    double value = 0;
    if (std::from_chars(begin, end, value).ec != std::errc{} || !std::isfinite(value)) {
      cursor_.fail(token.span, "this number is too large");
    }
    return make(token.span, Constant{Value(value)});
  }
  int base = 10;
  if (token.text.size() > 1 && token.text[0] == '0') {
    const char mark = static_cast<char>(token.text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) begin += 2;
  }
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value, base);
  if (error == std::errc::result_out_of_range) {
    cursor_.fail(token.span, "this number does not fit into 64 bits");
  }
  if (error != std::errc{} || stop != end) cursor_.fail(token.span, "this is not a number");
  return make(token.span, Constant{Value(value)});
}

ExprPtr ExpressionParser::bracketed() {
  const Token& open = cursor_.next();
  const Span begin = open.span;
  if (open.text == "[") return list("]", Items::Kind::Array, begin);
  if (open.text == "{") return dict(begin);
  if (cursor_.skip_symbol(")")) return make(cursor_.since(begin), ListOf{Items::Kind::Tuple, {}});
  ExprPtr first = expression();
  if (cursor_.skip_symbol(")")) return first;
  ListOf node{Items::Kind::Tuple, {}};
  node.items.push_back(std::move(first));
  while (cursor_.skip_symbol(",")) {
    if (cursor_.is_symbol(")")) break;
    node.items.push_back(expression());
  }
  cursor_.expect(")");
  return make(cursor_.since(begin), std::move(node));
}

ExprPtr ExpressionParser::list(std::string_view close, Items::Kind kind, Span begin) {
  ListOf node{kind, {}};
  while (!cursor_.is_symbol(close)) {
    node.items.push_back(expression());
    if (!cursor_.skip_symbol(",")) break;
  }
  cursor_.expect(close);
  return make(cursor_.since(begin), std::move(node));
}

ExprPtr ExpressionParser::dict(Span begin) {
  DictOf node;
  while (!cursor_.is_symbol("}")) {
    ExprPtr key = expression();
    cursor_.expect(":");
    ExprPtr value = expression();
    node.pairs.emplace_back(std::move(key), std::move(value));
    if (!cursor_.skip_symbol(",")) break;
  }
  cursor_.expect("}");
  return make(cursor_.since(begin), std::move(node));
}

ExprPtr ExpressionParser::links(ExprPtr base, Filters filters) {
  Postfix node{nullptr, {}};
  bool tested = false;
  bool filtered = false;
  for (;;) {
    if (!filtered && cursor_.is_symbol(".")) {
      node.parts.push_back(member());
    } else if (!filtered && cursor_.is_symbol("[")) {
      node.parts.push_back(subscript());
    } else if (cursor_.is_symbol("(")) {
      const Span begin = cursor_.peek().span;
      if (!node.parts.empty() || !std::holds_alternative<Name>(base->node)) {
        cursor_.fail_here("only functions and methods can be called");
      }
      Part call{Part::Kind::Call, begin, std::get<Name>(base->node).name, {}, {}, {}, arguments()};
      call.span = cursor_.since(base->span);
      node.parts.push_back(std::move(call));
    } else if (filters == Filters::Accept && cursor_.is_symbol("|")) {
      node.parts.push_back(filter());
      filtered = true;
    } else if (filters == Filters::Accept && cursor_.is_name("is")) {
      if (tested) cursor_.fail_here("tests cannot be chained", "join them with 'and'");
      node.parts.push_back(test());
      tested = filtered = true;
    } else {
      break;
    }
  }
  if (node.parts.empty()) return base;
  const Span span = cursor_.since(base->span);
  node.base = std::move(base);
  return make(span, std::move(node));
}

Part ExpressionParser::member() {
  cursor_.next();
  const Token& token = cursor_.peek();
  if (token.kind == TokenKind::Integer) {
    const Span span = token.span;
    return {Part::Kind::Index, span, {}, number(), {}, {}, {}};
  }
  if (token.kind != TokenKind::Name) cursor_.fail_here("expected a name after '.'");
  cursor_.next();
  Part part{Part::Kind::Member, token.span, token.text, {}, {}, {}, {}};
  if (cursor_.is_symbol("(")) {
    part.kind = Part::Kind::Method;
    part.arguments = arguments();
  }
  return part;
}

Part ExpressionParser::subscript() {
  const Span begin = cursor_.next().span;
  Part part{Part::Kind::Index, begin, {}, {}, {}, {}, {}};
  const auto bound = [&]() -> ExprPtr {
    return cursor_.is_symbol(":") || cursor_.is_symbol("]") ? nullptr : expression();
  };
  if (cursor_.is_symbol("]")) cursor_.fail_here("expected a value before ']'");
  part.index = bound();
  if (cursor_.skip_symbol(":")) {
    part.kind = Part::Kind::Slice;
    part.stop = bound();
    if (cursor_.skip_symbol(":")) part.stride = bound();
  }
  cursor_.expect("]");
  part.span = cursor_.since(begin);
  return part;
}

Part ExpressionParser::filter() {
  cursor_.next();
  const Token& token = cursor_.peek();
  if (token.kind != TokenKind::Name) cursor_.fail_here("expected the name of a filter after '|'");
  cursor_.next();
  Part part{Part::Kind::Filter, token.span, token.text, {}, {}, {}, {}};
  if (cursor_.is_symbol("(")) part.arguments = arguments();
  return part;
}

Part ExpressionParser::test() {
  cursor_.next();
  Part part{Part::Kind::Test, {}, {}, {}, {}, {}, {}};
  if (cursor_.skip_name("not")) part.kind = Part::Kind::TestNot;
  const Token& token = cursor_.peek();
  if (token.kind != TokenKind::Name) cursor_.fail_here("expected the name of a test after 'is'");
  part.span = cursor_.next().span;
  part.name = token.text;
  const Token& after = cursor_.peek();
  if (cursor_.is_symbol("(")) {
    part.arguments = arguments();
  } else if (after.kind == TokenKind::String || after.kind == TokenKind::Integer ||
             after.kind == TokenKind::Float || cursor_.is_symbol("[") || cursor_.is_symbol("{") ||
             (after.kind == TokenKind::Name && !is_word(after.text))) {
    const Level level(*this);
    Argument argument;
    argument.value = links(primary(), Filters::Leave);
    part.arguments.push_back(std::move(argument));
  }
  return part;
}

std::vector<Argument> ExpressionParser::arguments() {
  std::vector<Argument> out;
  cursor_.expect("(");
  while (!cursor_.is_symbol(")")) {
    if (cursor_.is_symbol("*") || cursor_.is_symbol("**")) {
      cursor_.fail_here("argument lists cannot be unpacked in templates");
    }
    Argument argument;
    if (cursor_.peek().kind == TokenKind::Name && cursor_.is_symbol("=", 1)) {
      argument.name_span = cursor_.peek().span;
      argument.name = cursor_.next().text;
      cursor_.next();
    } else if (!out.empty() && !out.back().name.empty()) {
      cursor_.fail_here("a positional argument cannot follow a named one");
    }
    argument.value = expression();
    out.push_back(std::move(argument));
    if (!cursor_.skip_symbol(",")) break;
  }
  cursor_.expect(")");
  return out;
}

}  // namespace etesian::templates
