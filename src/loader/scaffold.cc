#include "loader/scaffold.h"

#include <fmt/format.h>

#include <utility>

#include "loader/diagnostic.h"
#include "loader/templates/templates.h"
#include "model/run.h"

namespace etesian {
namespace {

const std::vector<std::pair<std::string, std::vector<ScaffoldFile> (*)()>>& table() {
  static const std::vector<std::pair<std::string, std::vector<ScaffoldFile> (*)()>> kTemplates = {
      {"hello", templates::hello},
      {"sql-report", templates::sql_report},
      {"python-etl", templates::python_etl},
      {"mapped", templates::mapped},
      {"sensor-needs", templates::sensor_needs}};
  return kTemplates;
}

}  // namespace

std::vector<std::string> scaffold_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : table()) names.push_back(name);
  return names;
}

Result<std::vector<ScaffoldFile>> scaffold(const std::string& template_name,
                                           const std::string& dag_name) {
  if (auto checked = check_id("dag", dag_name); !checked) return checked.error();
  static constexpr std::string_view kPlaceholder = "@DAG@";
  for (const auto& [name, make] : table()) {
    if (name != template_name) continue;
    std::vector<ScaffoldFile> files = make();
    for (ScaffoldFile& file : files)
      for (std::size_t at = 0; (at = file.text.find(kPlaceholder, at)) != std::string::npos;
           at += dag_name.size())
        file.text.replace(at, kPlaceholder.size(), dag_name);
    return files;
  }
  const std::string hint = did_you_mean(template_name, scaffold_names());
  return Error{ErrorCode::NotFound, fmt::format("make dag '{}': no template '{}'{}", dag_name,
                                                template_name, hint.empty() ? "" : "; " + hint)};
}

}  // namespace etesian
