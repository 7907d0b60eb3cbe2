#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "template/meter.h"

namespace etesian::templates {

enum class TokenKind {
  Literal,
  PrintBegin,
  PrintEnd,
  BlockBegin,
  BlockEnd,
  Name,
  Integer,
  Float,
  String,
  Symbol,
  Broken,  ///< Stands for text inside a tag that was already reported.
  End
};

struct Token {
  TokenKind kind;
  Span span;
  std::string text;  ///< Decoded for String and Literal; digits without '_' for numbers.
};

/// Splits `text` into tokens, the last of which is End. Comments are dropped, raw blocks become
/// Literal, whitespace control is applied. Every mistake is added to `errors`; after one, the rest
/// of its tag is a Broken token.
std::vector<Token> tokens_of(std::string_view text, std::vector<TemplateError>& errors);

}  // namespace etesian::templates
