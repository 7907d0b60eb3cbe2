// SEC-14: escapes of other engines, loops, floods and nesting end in a bounded, positioned error.
#include "unit/template/support.h"

namespace etesian {
namespace {

/// Parses, checks and renders; true when an error with a place in the text came of it.
bool is_refused(const std::string& text, const TemplateLimits& limits = {}) {
  std::vector<TemplateError> errors;
  const auto result = Template::parse(text, errors);
  if (result) {
    result->check({});
    const auto out = result->render(example_facts(), limits);
    if (!out.error) return false;
    errors.push_back(*out.error);
  }
  return !errors.empty() && errors[0].offset <= text.size() && !errors[0].message.empty();
}

TEST(Hostile, EscapesOfOtherEnginesAreErrors) {
  for (const char* text : {"{{ ''.__class__.__mro__[1].__subclasses__() }}",
                           "{{ ''['__class__'] }}",
                           "{{ params['__class__'] }}",
                           "{{ self.__init__.__globals__ }}",
                           "{{ config.items() }}",
                           "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
                           "{{ lipsum.__globals__['os'] }}",
                           "{{ request.application }}",
                           "{{ ''|attr('__class__') }}",
                           "{{ params|map(attribute='__class__')|list }}",
                           "{{ get_flashed_messages() }}",
                           "{{ self }}",
                           "{% include '/etc/passwd' %}",
                           "{% import 'os' as os %}",
                           "{% from 'x' import y %}",
                           "{% macro m() %}{{ m() }}{% endmacro %}",
                           "{% extends 'x' %}",
                           "{% do 1 %}",
                           "{% debug %}",
                           "{{ '%s' % params }}",
                           "{{ '{0.__class__}'.format(1) }}",
                           "{{ 'a'|format(1) }}",
                           "{{ params.format_map }}",
                           "{{ range.__class__ }}",
                           "{{ namespace() }}",
                           "{{ .Files.Get \"/etc/passwd\" }}",
                           "{{ call .System \"id\" }}",
                           "{{ printf \"%s\" .Env }}",
                           "{{ env.PATH }}",
                           "{{ os.environ }}",
                           "{{ open('/etc/passwd') }}",
                           "{% assign x = 'a' %}",
                           "{% render 'file' %}",
                           "{{ macros.os }}",
                           "{{ macros.__builtins__ }}",
                           "{{ ti.task.dag }}",
                           "{{ dag.__dict__ }}",
                           "{{ joiner() }}",
                           "{{ dict(a=1) }}",
                           "{{ loop }}",
                           "{{ caller() }}",
                           "{{ x.y }}",
                           "{{ ((((((((( }}",
                           "{{ }}",
                           "{%%}",
                           "{{ {{ 1 }} }}",
                           "{{ 1 if }}"}) {
    EXPECT_TRUE(is_refused(text)) << text;
  }
}

TEST(Hostile, WorkAndOutputAreBounded) {
  for (const char* text :
       {"{% for i in range(1000000000) %}{% endfor %}", "{{ range(9223372036854775807) | length }}",
        "{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1073741824 }}", "{{ 'a' * 9223372036854775807 }}",
        "{{ [1] * 9223372036854775807 }}", "{{ 2 ** 1000000000 }}", "{{ 10.0 ** 400 }}",
        "{% set s = 'a' * 1000000 %}{{ s }}{{ s }}", "{% set s = 'a' * 1000000 %}{{ s ~ s }}",
        "{% set s = 'a' * 1000 %}{% for i in range(10000) %}{{ s }}{% endfor %}",
        "{{ ('a' * 1000000) | replace('', 'bb') }}", "{{ ['a' * 1000] * 5000 | join('x') }}",
        "{{ (['a' * 1000] * 5000) | join }}", "{{ '1'.zfill(99999999999) }}",
        "{% set t %}{% for i in range(50000) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor "
        "%}{% endset %}",
        "{{ [1] | batch(9223372036854775807, 0) }}", "{{ 'a' | map('map', 'map', 'upper') }}",
        "{% set p = 'a' * 400000 %}{{ (p ~ p).count(p ~ 'b') }}"}) {
    EXPECT_TRUE(is_refused(text)) << text;
  }
}

TEST(Hostile, DoublingListsNeitherPrintNorCompareWithoutBound) {
  std::string text = "{% set x = [1] %}";
  for (int i = 0; i < 60; ++i) text += "{% set x = [x, x] %}";
  EXPECT_TRUE(is_refused(text + "{{ x }}"));
  EXPECT_TRUE(is_refused(text + "{{ x | tojson }}"));
  std::string deep = "{% set x = 1 %}";
  for (int i = 0; i < 10000; ++i) deep += "{% set x = [x] %}";
  EXPECT_TRUE(is_refused(deep));
}

TEST(Hostile, NestingIsBounded) {
  const auto many = [](std::string_view part, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += part;
    return out;
  };
  for (const char* bracket : {"[", "(", "{'a':", "-", "not ", "1 if 1 else ", "x[", "1|join("}) {
    EXPECT_TRUE(is_refused("{{ " + many(bracket, 100'000) + " }}")) << bracket;
    EXPECT_TRUE(is_refused("{{ " + many(bracket, 100'000))) << bracket;
  }
  EXPECT_TRUE(is_refused(many("{% if true %}", 100'000)));
  EXPECT_TRUE(is_refused(many("{% for x in y %}", 1000) + many("{% endfor %}", 1000)));
  EXPECT_EQ(rendered("{{ 0" + many(" + 1", 5000) + " }}"), "5000") << "chains are not nesting";
  EXPECT_EQ(rendered("{{ " + many("[", 60) + many("]", 60) + " | length }}"), "1");
}

TEST(Hostile, LimitsCanBeTighter) {
  EXPECT_EQ(
      rendered("{{ [[[1]]] }}", example_facts(), {.output_bytes = 100, .steps = 100, .depth = 2}),
      "error 6+1: this template nests more than 2 levels deep");
  EXPECT_EQ(rendered("{{ 'aaaaaa' }}", example_facts(), {.output_bytes = 5}),
            "error 3+8: the text grows beyond 5 bytes (pass large data through a file or an object "
            "store)");
}

TEST(Hostile, ErrorsNeverRepeatASecret) {
  for (const char* text : {"{{ var.json.broken }}", "{{ conn.warehouse.password + 1 }}",
                           "{{ conn.warehouse.password.x }}",
                           "{{ macros.datetime.strptime(conn.warehouse.password, '%Y') }}"}) {
    const std::string out = rendered(text);
    EXPECT_EQ(out.substr(0, 5), "error");
    EXPECT_EQ(out.find("{secret"), std::string::npos);
    EXPECT_EQ(out.find("pw"), std::string::npos);
  }
}

}  // namespace
}  // namespace etesian
