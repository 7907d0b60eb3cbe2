// What the loader learns of a template before any run exists.
#include "unit/template/support.h"

namespace etesian {
namespace {

std::string checked(std::string_view text) {
  return shown(parsed(text).check({{"name", "limit"}, {"extract", "group.inner"}, {"region"}}));
}

TEST(Check, AcceptsWhatARunWillHave) {
  for (const std::string_view text :
       {"{{ ds }} {{ params.name }} {{ region }} {{ output.extract.rows }} {{ "
        "output['group.inner'] }}",
        "{% for x in output.extract.list %}{{ loop.index }}{{ x.anything.at.all }}{% endfor %}",
        "{{ nope | default('x') }} {{ params.other is defined }}",
        "{% if extra is defined %}{{ extra }}{% endif %}", "{% set x = ds %}{{ x.upper() }}",
        "{{ conn.db.host }} {{ var.value.a }} {{ var.json.b.c }} {{ conn.get('a').extra_dejson.k "
        "}}",
        "{{ ti.xcom_pull(task_ids='extract') }}",
        "{{ logical_date.add(days=1).year }} {{ range(3) | list }}"}) {
    EXPECT_EQ(checked(text), "") << text;
  }
}

TEST(Check, NamesEveryMistakeWithAHint) {
  EXPECT_EQ(checked("{{ dss }}{{ params.nmae }}{{ 1 | joni }}"),
            "3+3: 'dss' is not defined (did you mean 'ds'?)\n"
            "19+4: there is no param 'nmae' (did you mean 'name'?)\n"
            "33+4: there is no filter 'joni' (did you mean 'join'?)");
  EXPECT_EQ(checked("{{ 1 is evn }}"), "8+3: there is no test 'evn' (did you mean 'even'?)");
  EXPECT_EQ(checked("{{ rnage(3) }}"), "3+8: there is no function 'rnage' (did you mean 'range'?)");
  EXPECT_EQ(checked("{{ dag.dagid }}"),
            "7+5: this object has no member 'dagid' (did you mean 'dag_id'?)");
  EXPECT_EQ(checked("{{ logical_date.strftme('%Y') }}"),
            "16+7: there is no method 'strftme' here (did you mean 'strftime'?)");
  EXPECT_EQ(checked("{{ conn.db.get_uri }}"), "11+7: 'get_uri' is a method (call it: get_uri(…))");
  EXPECT_EQ(checked("{{ output.extrct }}"),
            "10+6: the output of 'extrct' cannot be known here: no such task runs before this one "
            "(did you mean "
            "'extract'?)");
  EXPECT_EQ(checked("{{ ti.xcom_pull(task_ids=['extract', 'lod']) }}"),
            "37+5: the output of 'lod' cannot be known here: no such task runs before this one");
  EXPECT_EQ(
      checked("{{ ds | join(sep=',') }}{{ ds | replace('a') }}"),
      "13+3: filter 'join' has no argument 'sep'\n32+7: filter 'replace' lacks its argument 'new'");
  EXPECT_EQ(checked("{{ dag }}"), "3+3: an object cannot be printed (print one of its members)");
}

TEST(Check, ListsTheTasksThatAreRead) {
  const Template t = parsed(
      "{{ output.b.x }}{{ ti.xcom_pull(task_ids=['a', 'c']) }}{% if output['g.t'] %}{% endif %}{{ "
      "output.b }}");
  EXPECT_EQ(t.tasks_read(), (std::vector<std::string>{"a", "b", "c", "g.t"}));
}

TEST(Check, FindsParamsThatReachAShellUnquoted) {
  const auto unquoted = [](std::string_view text) {
    std::string out;
    for (const auto& e : parsed(text).unquoted_params())
      out += std::string(text.substr(e.offset, e.length)) + ";";
    return out;
  };
  EXPECT_EQ(unquoted("{{ params.x }} {{ params.y | quote }} {{ params.n | int }} {{ ds }}"),
            "params.x;");
  EXPECT_EQ(unquoted("{% set a = params.x ~ '!' %}{{ a }}{{ a | quote }}"), "a;");
  EXPECT_EQ(unquoted("{% for i in params.list %}{{ i }}{{ i | quote }}{% endfor %}"), "i;");
  EXPECT_EQ(unquoted("{{ dag_run.conf.k }}{{ params.list | map('quote') | join(' ') }}"),
            "dag_run.conf.k;");
  EXPECT_EQ(unquoted("{{ params.a | upper if params.b else params['c'] }}"),
            "params.a;params['c'];");
  EXPECT_EQ(unquoted("{% if params.x == 'a' %}b{% endif %}{% set t %}{{ params.x }}{% endset %}{{ "
                     "t | quote }}"),
            "");
}

TEST(Check, TextWithoutTagsIsLiteral) {
  EXPECT_TRUE(parsed("echo ${HOME} {} # 100%\n").is_literal());
  EXPECT_TRUE(parsed("").is_literal());
  EXPECT_FALSE(parsed("a{# #}").is_literal());
  EXPECT_EQ(rendered("echo ${HOME}\r\n"), "echo ${HOME}\r\n");
}

TEST(Quote, KeepsAnyTextOneShellWord) {
  expect_rendered({{"{{ 'plain-1.txt' | quote }}", "plain-1.txt"},
                   {"{{ '' | quote }}", "''"},
                   {"{{ \"it's; rm -rf $HOME `x`\" | quote }}", "'it'\"'\"'s; rm -rf $HOME `x`'"},
                   {"{{ ['a b', 1] | quote }}", "'a b' 1"},
                   {"{{ 'a\\x00b' | quote }}",
                    "error 14+5: a text with a NUL byte cannot be passed to a shell"}});
}

}  // namespace
}  // namespace etesian
