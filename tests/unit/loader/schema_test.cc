#include "loader/schema.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/file.h"
#include "loader/dag_file.h"
#include "loader/scaffold.h"

namespace etesian {
namespace {

class DagSchema : public testing::Test {
 protected:
  DagSchema() : text_(json::parse(dag_json_schema())) {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::BoostJsonAdapter(text_), schema_);
  }
  bool accepts(const std::string& yaml) {
    Report report("dag.yaml", yaml);
    const auto root = parse_yaml(yaml, {}, report);
    if (!root) return false;
    const json::value value = to_json(*root);
    return valijson::Validator().validate(schema_, valijson::adapters::BoostJsonAdapter(value),
                                          nullptr);
  }
  json::value text_;
  valijson::Schema schema_;
};

TEST_F(DagSchema, AcceptsEveryFileThatLoads) {
  int loaded = 0;
  for (const char* root : {"/tests/golden/loader", "/examples"}) {
    const std::filesystem::path folder = std::string(ETESIAN_SOURCE_DIR) + root;
    if (!std::filesystem::exists(folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.path().filename() != "dag.yaml") continue;
      const auto yaml = read_file(entry.path(), 4 << 20);
      DagFileContext context;
      context.default_id = "x";
      if (!load_dag(*yaml, context).dag) continue;
      ++loaded;
      EXPECT_TRUE(accepts(*yaml)) << entry.path();
    }
  }
  for (const std::string& name : scaffold_names())
    EXPECT_TRUE(accepts(scaffold(name, "x")->front().text)) << name;
  EXPECT_GT(loaded, 5);
}

TEST_F(DagSchema, RefusesTheMistakesThatAnEditorShouldUnderline) {
  EXPECT_FALSE(accepts("tasks: {a: {rnu: echo}}\n"));
  EXPECT_FALSE(accepts("tasks: {a: {run: echo, trigger_rule: all_sucess}}\n"));
  EXPECT_FALSE(accepts("when: {cron: '@daily', catchup: maybe}\ntasks: {a: {run: echo}}\n"));
  EXPECT_FALSE(accepts("dag: x\n"));
}

}  // namespace
}  // namespace etesian
