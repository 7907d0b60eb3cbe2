#pragma once
#include <string>

#include "base/json.h"
#include "model/schedule.h"

namespace etesian::airflow_json {

/// What a serialised timetable asks of the scheduler.
struct AirflowTimetable {
  decltype(Schedule::kind) kind;
  std::string summary;                           ///< As Airflow's `timetable_summary`.
  const json::value* asset_condition = nullptr;  ///< Of the object that was read; null: none.
};

/// Reads {"__type", "__var"} of a timetable. One that only assets trigger gives a manual schedule,
/// AssetOrTimeSchedule its time part. Throws Refused: a plugin's or a partitioned timetable, and
/// steps that are no fixed length (calendar months).
AirflowTimetable timetable_from(const json::value& timetable);

}  // namespace etesian::airflow_json
