// Every diagnostic of a DAG file, pinned whole: tests/golden/loader/<case>/{dag.yaml,expected.txt}.
// ETESIAN_UPDATE_GOLDEN=1 writes what is found; read the difference before you keep it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "loader/bundle.h"
#include "loader/dag_file.h"

namespace etesian {
namespace {

const std::filesystem::path kFolder = ETESIAN_SOURCE_DIR "/tests/golden/loader";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string outcome_of(const std::string& name) {
  const std::string folder = kFolder / name;
  const auto text = read_file(folder + "/dag.yaml", 4 << 20);
  DagFileContext context;
  context.file = "dag.yaml";
  context.default_id = name;
  context.folder = folder;
  context.pools = {"db", "warehouse"};
  context.variables = {"region"};
  context.connections = {"warehouse"};
  context.look = [&](const std::string& relative) { return look_at(folder, relative); };
  context.read_calendar = [&](const std::string& calendar) -> Result<std::string> {
    const auto days = read_file(folder + "/" + calendar, 1 << 20);
    if (!days) return Error{ErrorCode::NotFound, "no calendar '" + calendar + "'"};
    return *days;
  };
  const LoadedDag loaded = load_dag(*text, context);
  const std::string found = render(loaded.diagnostics);
  EXPECT_EQ(loaded.dag != nullptr, !has_errors(loaded.diagnostics)) << name;
  return found.empty() ? "ok\n" : found;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, SaysWhatIsWrong) {
  const std::string found = outcome_of(GetParam());
  const std::string file = kFolder / GetParam() / "expected.txt";
  if (std::getenv("ETESIAN_UPDATE_GOLDEN") != nullptr) std::ofstream(file) << found;
  EXPECT_EQ(found, read_file(file).operator bool() ? *read_file(file) : "no expected.txt");
}

std::string test_name(const testing::TestParamInfo<std::string>& param) {
  std::string name = param.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Loader, Golden, testing::ValuesIn(cases()), test_name);

}  // namespace
}  // namespace etesian
