#include "api/log_place.h"

namespace etesian::api {
namespace {

LogOfTry log_of(const TryRow& row) {
  LogOfTry log;
  log.try_id = row.id;
  log.instance = row.instance;
  log.place = row.log;
  if (row.outcome) {
    if (row.outcome->log.segment != 0) log.place = row.outcome->log;
    log.seal = logs::Seal{row.outcome->log_lines, row.outcome->log_bytes, row.outcome->log_hash,
                          row.outcome->log_cut};
    log.ended_at = row.outcome->ended_at;
    log.message = row.outcome->message;
  }
  return log;
}

}  // namespace

std::vector<logs::Line> LogOfTry::words_in_place_of_lines() const {
  if (!is_complete_without_lines() || message.empty()) return {};
  logs::Line line;
  line.stream = logs::Line::Stream::System;
  line.at = ended_at;
  line.bytes = message;
  return {line};
}

Result<LogOfTry> find_log(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  const auto instance = find_instance(reading, *index);
  if (!instance) return instance.error();
  const auto tries = reading.store.tries(instance->row.key);
  if (!tries) return tries.error();
  const std::string& number = reading.call.param("try_number");
  for (auto row = tries->rbegin(); row != tries->rend(); ++row) {
    if (std::to_string(row->number) == number) return log_of(*row);
  }
  return Error{ErrorCode::NotFound, "The Task Instance has no try_number: `" + number + "`"};
}

Result<LogOfTry> refreshed(Store& store, const LogOfTry& log) {
  const auto tries = store.tries(log.instance);
  if (!tries) return tries.error();
  for (const auto& row : *tries) {
    if (row.id == log.try_id) return log_of(row);
  }
  return Error{ErrorCode::NotFound, "The try was removed"};
}

}  // namespace etesian::api
