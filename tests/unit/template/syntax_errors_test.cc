#include "unit/template/support.h"

namespace etesian {
namespace {

TEST(SyntaxErrors, PointAtTheMistake) {
  const std::vector<Case> cases = {
      {"{{ 1 + }}", "7+2: expected a value before the end of the tag"},
      {"{{ a b }}", "5+1: unexpected 'b'"},
      {"{{ 'abc }}", "3+1: this text has no closing quote"},
      {"{{ (1 }}", "6+1: '}' does not close '('"},
      {"{{ 1) }}", "4+1: ')' closes nothing that is open here"},
      {"x {{ y", "2+2: this tag has no end (close it with '}}')"},
      {"{# x", "0+2: this comment has no end (close it with '#}')"},
      {"{% raw %}x", "0+2: this raw block has no end (close it with {% endraw %})"},
      {"{% if true %}x", "0+2: 'if' is never closed (end it with {% endif %})"},
      {"{% endif %}", "0+8: 'endif' without the block it belongs to"},
      {"{% fro x in y %}", "3+3: there is no block 'fro' (did you mean 'for'?)"},
      {"{% include 'x' %}",
       "3+7: 'include' blocks are not part of the template language (blocks are if, for, set and "
       "raw)"},
      {"{% for x of y %}{% endfor %}", "9+2: 'in' is missing (write {% for x in list %})"},
      {"{{ x.__class__ }}", "5+9: names that begin with '__' do not exist in templates"},
      {"{{ a && b }}", "5+1: '&' is not part of the template language (write 'and', 'or', 'not')"},
      {"{{ 99999999999999999999 }}", "3+20: this number does not fit into 64 bits"},
      {"{{ f(*x) }}", "5+1: argument lists cannot be unpacked in templates"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_errors(text), expected) << text;
}

TEST(SyntaxErrors, AreAllReportedAtOnce) {
  EXPECT_EQ(parse_errors("{{ 1 + }}\n{% iff x %}\n{{ 'a }}"),
            "7+2: expected a value before the end of the tag\n"
            "13+3: there is no block 'iff' (did you mean 'if'?)\n"
            "25+1: this text has no closing quote");
}

TEST(RenderErrors, PointAtTheOperation) {
  expect_rendered(
      {{"{{ 1 / 0 }}", "error 5+1: division by zero"},
       {"{{ 'a' + 1 }}",
        "error 7+1: '+' does not work on a text and a int (join texts and other values with '~')"},
       {"{{ 9223372036854775807 + 1 }}", "error 23+1: the result does not fit into 64 bits"},
       {"{{ 10 ** 30 }}", "error 6+2: the result does not fit into 64 bits"},
       {"{{ 1 < 'a' }}", "error 5+1: a int and a text have no order"},
       {"{{ 'a'.format(1) }}", "error 7+6: a text has no method 'format'"}});
}

}  // namespace
}  // namespace etesian
