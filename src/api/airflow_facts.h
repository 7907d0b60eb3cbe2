#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "model/dag.h"

namespace etesian::api {

/// What clients are shown of an Airflow task and the engine has no use for.
struct AirflowTaskFacts {
  std::string display_name, owner, module, ui_color = "#fff", ui_fgcolor = "#000", doc_md;
  std::optional<std::string> executor;
  std::string executor_config = "{}";  ///< As Python prints the dict.
  std::optional<Instant> start, end;   ///< Its own, or the DAG's.
  std::optional<Duration> execution_timeout;
  json::array template_fields;
  json::object params;                 ///< name -> {"value", "schema", "description", "source"}.
  std::vector<std::string> link_keys;  ///< XCom keys of its extra links, beside their names.
  std::vector<std::string> link_names;
};

/// The same of an Airflow DAG.
struct AirflowFacts {
  std::string display_name, file, timezone = "UTC";
  json::value doc_md, default_args, asset_expression;
  json::value is_paused_upon_creation, rerun_with_latest_version, template_search_path;
  json::object params, owner_links;
  std::optional<Instant> start, end;
  bool is_periodic = false, is_native = false;  ///< is_native: render_template_as_native_obj.
  std::vector<AirflowTaskFacts> tasks;          ///< By TaskIndex.
};

/// Reads them out of what the SDK serialised. Null for a DAG that is not Airflow's.
std::shared_ptr<const AirflowFacts> airflow_facts_of(const Dag& dag);

}  // namespace etesian::api
