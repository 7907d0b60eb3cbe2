#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "template/value.h"

namespace etesian::templates {

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

enum class Operator {
  Add,
  Subtract,
  Multiply,
  Divide,
  FloorDivide,
  Modulo,
  Power,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  In,
  NotIn,
  Negate,
  Plus,
  Not,
  And,
  Or
};

struct Argument {
  std::string name;  ///< Empty: positional.
  Span name_span;
  ExprPtr value;
};

/// One link of `base.member[index](…)|filter is test`.
struct Part {
  enum class Kind { Member, Index, Slice, Method, Call, Filter, Test, TestNot } kind;
  Span span;
  std::string name;
  ExprPtr index;         ///< Index; start of a slice.
  ExprPtr stop, stride;  ///< Of a slice, where given.
  std::vector<Argument> arguments;
};

struct Constant {
  Value value;
};
struct Name {
  std::string name;
};
struct ListOf {
  Items::Kind kind;
  std::vector<ExprPtr> items;
};
struct DictOf {
  std::vector<std::pair<ExprPtr, ExprPtr>> pairs;
};
/// Links are a flat vector, as are chains: only true nesting makes the tree deep.
struct Postfix {
  ExprPtr base;
  std::vector<Part> parts;
};
struct Unary {
  Operator op;
  ExprPtr operand;
};
/// first (op operand)*, evaluated from the left: arithmetic of one precedence, `and`, `or`, and
/// comparisons, of which all must hold.
struct Chain {
  enum class Kind { Arithmetic, Comparison, Logic } kind;
  ExprPtr first;
  std::vector<std::pair<Operator, ExprPtr>> rest;
  std::vector<Span> operator_spans;
};
struct Concat {
  std::vector<ExprPtr> items;
};
struct Conditional {
  ExprPtr condition, then, otherwise;  ///< `otherwise` may be null.
};

struct Expr {
  Span span;
  std::variant<Constant, Name, ListOf, DictOf, Postfix, Unary, Chain, Concat, Conditional> node;
};

struct Stmt;
using Block = std::vector<Stmt>;

struct Output {  ///< Literal text.
  std::string text;
};
struct Print {
  ExprPtr value;
};
struct If {
  struct Branch {
    ExprPtr condition;  ///< Null: else.
    Block body;
  };
  std::vector<Branch> branches;
};
struct For {
  std::vector<std::string> targets;
  ExprPtr iterable, filter;  ///< `filter` may be null.
  Block body, otherwise;
};
struct Set {
  std::vector<std::string> targets;
  ExprPtr value;  ///< Null: the rendered body.
  Block body;
};
struct Stmt {
  Span span;
  std::variant<Output, Print, If, For, Set> node;
};

/// A parsed text.
struct Syntax {
  Block body;
  bool is_literal = true;
  std::size_t depth = 0;  ///< Deepest nesting of blocks and expressions.
  Span deepest;           ///< Where.
};

}  // namespace etesian::templates
