#include "loader/scaffold.h"

#include <gtest/gtest.h>

#include "loader/project.h"
#include "unit/loader/loader_folder.h"

namespace etesian {
namespace {

TEST(Scaffold, EveryTemplateLoadsWithoutDiagnostics) {
  TestFolder folder;
  for (const std::string& name : scaffold_names()) {
    const auto files = scaffold(name, "my_" + name);
    ASSERT_TRUE(files);
    for (const ScaffoldFile& file : *files) {
      const std::string path = "dags/my_" + name + "/" + file.path;
      if (file.is_executable)
        folder.write_program(path, file.text);
      else
        folder.write(path, file.text);
    }
  }
  const Project project = load_project(folder.path());
  EXPECT_EQ(render(project.all_diagnostics()), "");
  EXPECT_EQ(project.files.size(), 5U);
  for (const LoadedFile& file : project.files)
    EXPECT_TRUE(file.loaded.id.starts_with("my_")) << file.loaded.id;
}

TEST(Scaffold, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(scaffold("sql-reprot", "x").error().message,
            "make dag 'x': no template 'sql-reprot'; did you mean 'sql-report'?");
  EXPECT_EQ(scaffold("hello", "../x").error().code, ErrorCode::InvalidInput);
}

}  // namespace
}  // namespace etesian
