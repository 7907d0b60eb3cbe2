#pragma once
#include <vector>

#include "loader/scaffold.h"

/// The templates of `etesian new dag`, one file each. "@DAG@" stands for the DAG's id.
namespace etesian::templates {

std::vector<ScaffoldFile> hello();
std::vector<ScaffoldFile> sql_report();
std::vector<ScaffoldFile> python_etl();
std::vector<ScaffoldFile> mapped();
std::vector<ScaffoldFile> sensor_needs();

}  // namespace etesian::templates
