#include "api/log_place.h"

#include <fmt/format.h>

#include <charconv>

namespace etesian::api {
namespace {

LogOfLaunch log_of(const TryRow& row, bool is_worker) {
  LogOfLaunch log;
  log.try_id = row.id;
  log.place = row.log;
  log.is_structured = row.worker != kNativeLane && (is_worker || !row.worker.empty());
  if (row.outcome) {
    if (row.outcome->log.segment != 0) log.place = row.outcome->log;
    log.seal = logs::Seal{row.outcome->log_lines, row.outcome->log_bytes, row.outcome->log_hash,
                          row.outcome->log_cut};
    log.ended_at = row.outcome->ended_at;
    log.message = row.outcome->message;
  }
  return log;
}

/// Whether what rested may still go on in another launch of the same try.
bool may_go_on(const TryRow& last, const InstanceRow& instance) {
  if (!last.outcome) return true;
  return is_resting(last.final_state) && instance.try_number == last.number &&
         !is_final(instance.state) && instance.state != TaskState::None &&
         instance.state != TaskState::UpForRetry;
}

void add_launches(LogOfTry& log, const std::vector<TryRow>& rows, const InstanceRow& instance,
                  bool is_worker) {
  log.launches.clear();
  log.is_over = instance.try_number > log.number || is_final(instance.state);
  for (const auto& row : rows) {
    if (row.number != log.number) continue;
    log.launches.push_back(log_of(row, is_worker));
    log.is_over = !may_go_on(row, instance);
  }
}

/// Whether an SDK worker runs the task, so that its output is what the worker writes.
bool is_run_by_worker(const DagVersion* version, const std::string& task_id) {
  const Dag* dag = version != nullptr ? version->dag.get() : nullptr;
  const auto index = dag != nullptr ? dag->find(task_id) : std::nullopt;
  return index && dag->task(*index).airflow.has_value();
}

ShownLine own_words(const LogOfLaunch& launch, std::size_t index, std::string words) {
  ShownLine shown;
  shown.line.stream = logs::Line::Stream::System;
  shown.line.at = launch.ended_at;
  shown.line.bytes = std::move(words);
  shown.at = {index, 0};
  return shown;
}

/// Reads on in one launch. True: it is over and read to its end.
Result<bool> read_launch(const logs::Reader& reader, const LogOfTry& log, PartSize& left,
                         LogPart& part) {
  const std::size_t index = part.next.launch;
  const LogOfLaunch& launch = log.launches[index];
  if (launch.place.segment == 0) {
    if (launch.seal && !launch.message.empty()) {
      part.lines.push_back(own_words(launch, index, launch.message));
    }
    return launch.seal.has_value();
  }
  auto page = reader.read(launch.try_id, launch.place.segment, launch.place.offset, part.next.seq,
                          left.lines, left.bytes);
  if (!page) {
    if (page.error().code != ErrorCode::NotFound || log.launches.size() == 1) return page.error();
    part.lines.push_back(own_words(
        launch, index, fmt::format("the log of launch {} is not kept any more", index + 1)));
    return true;
  }
  for (auto& line : page->lines) {
    left.bytes -= std::min(left.bytes, line.bytes.size());
    const LogPosition at{index, line.seq};
    part.lines.push_back({std::move(line), at, launch.is_structured});
  }
  left.lines -= std::min(left.lines, page->lines.size());
  part.next.seq = page->next_seq;
  return page->complete;
}

}  // namespace

std::string to_text(const LogPosition& position) {
  return fmt::format("{}:{}", position.launch + 1, position.seq);
}

std::optional<LogPosition> log_position_from_text(std::string_view text) {
  const auto number = [](std::string_view part) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    return value;
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto launch = number(text.substr(0, colon)), seq = number(text.substr(colon + 1));
  if (!launch || *launch == 0 || !seq) return std::nullopt;
  return LogPosition{static_cast<std::size_t>(*launch - 1), *seq};
}

Result<LogOfTry> find_log(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  const auto instance = find_instance(reading, *index);
  if (!instance) return instance.error();
  const auto tries = reading.store.tries(instance->row.key);
  if (!tries) return tries.error();
  const std::string& number = reading.call.param("try_number");
  LogOfTry log;
  log.instance = instance->row.key;
  log.dag_id = instance->dag_id;
  log.run_id = instance->run_id;
  log.task_id = instance->task_id;
  std::from_chars(number.data(), number.data() + number.size(), log.number);
  const auto version = version_of(reading, instance->dag_id, instance->dag_version);
  add_launches(log, *tries, instance->row, is_run_by_worker(version.get(), log.task_id));
  const bool is_known = !log.launches.empty() || log.number == instance->row.try_number;
  if (is_known && std::to_string(log.number) == number) return log;
  return Error{ErrorCode::NotFound, "The Task Instance has no try_number: `" + number + "`"};
}

Result<LogOfTry> refreshed(Store& store, const LogOfTry& log) {
  InstanceFilter filter;
  filter.dag_id = log.dag_id;
  filter.run_id = log.run_id;
  filter.task_id = log.task_id;
  filter.map_index = log.instance.map_index;
  const auto found = store.instances(filter, {.limit = 1, .offset = 0, .order_by = {}});
  if (!found) return found.error();
  if (found->rows.empty()) return Error{ErrorCode::NotFound, "The task instance was removed"};
  const auto tries = store.tries(log.instance);
  if (!tries) return tries.error();
  LogOfTry now = log;
  const bool is_worker = !log.launches.empty() && log.launches.front().is_structured;
  add_launches(now, *tries, found->rows.front().row, is_worker);
  return now;
}

Result<LogPart> read_part(const logs::Reader& reader, const LogOfTry& log, LogPosition from,
                          PartSize size) {
  LogPart part;
  part.next = from;
  while (part.next.launch < log.launches.size() && size.lines > 0 && size.bytes > 0) {
    const auto is_read = read_launch(reader, log, size, part);
    if (!is_read) return is_read.error();
    if (!*is_read) return part;
    part.next = {part.next.launch + 1, 1};
  }
  part.is_complete = log.is_over && part.next.launch >= log.launches.size();
  return part;
}

}  // namespace etesian::api
