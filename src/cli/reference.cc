#include "cli/reference.h"

#include <fmt/format.h>

#include <charconv>

#include "base/time_text.h"

namespace etesian::cli {

std::optional<std::pair<Instant, Instant>> window_of(const std::string& text,
                                                     const TimeZone& zone) {
  const bool is_date = text.size() == 10 && text[4] == '-' && text[7] == '-';
  auto read = instant_from_text(text);
  if (!read) return std::nullopt;
  if (!is_date) return std::pair(*read, *read + std::chrono::seconds(1));
  const auto start_of = [&](Instant midnight_as_utc) {
    const LocalTime wall(
        std::chrono::floor<std::chrono::seconds>(midnight_as_utc.time_since_epoch()));
    return midnight_as_utc - zone.meaning_of(wall).before;
  };
  return std::pair(start_of(*read), start_of(*read + std::chrono::hours(24)));
}

namespace {

Query newest_first(int limit) {
  return {{"order_by", "-run_after"}, {"limit", std::to_string(limit)}};
}

[[noreturn]] void no_such_run(Session& session, const Reference& reference) {
  std::string known;
  const json::value page = session.get(
      "/api/v2/dags/" + Session::escape(reference.dag_id) + "/dagRuns", newest_first(3));
  for (const json::value& run : page.at("dag_runs").as_array())
    known += (known.empty() ? "" : ", ") + text_of(run, "dag_run_id");
  throw Failure{
      kNotFound,
      fmt::format("find run '{}' of '{}': there is none; {}", reference.run, reference.dag_id,
                  known.empty() ? "the DAG has no runs yet" : "the newest are " + known)};
}

}  // namespace

Reference parse_reference(const std::string& text, int parts) {
  Reference reference;
  std::string rest = text;
  const auto fail_incomplete = [&] {
    constexpr const char* kForms[] = {"DAG", "DAG/RUN", "DAG/RUN/TASK"};
    throw Failure{kUsage,
                  fmt::format("read '{}': expected {}, for instance flights_daily/latest/report",
                              text, kForms[parts - 1])};
  };
  std::string* const targets[] = {&reference.dag_id, &reference.run, &reference.task_id};
  for (int i = 0; i < parts; ++i) {
    const std::size_t slash = i + 1 == parts ? std::string::npos : rest.find('/');
    *targets[i] = rest.substr(0, slash);
    rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (targets[i]->empty()) fail_incomplete();
  }
  const std::size_t bracket = reference.task_id.find('[');
  if (bracket != std::string::npos && reference.task_id.ends_with(']')) {
    const char* begin = reference.task_id.data() + bracket + 1;
    const char* end = reference.task_id.data() + reference.task_id.size() - 1;
    const auto read = std::from_chars(begin, end, reference.map_index);
    if (read.ptr != end || read.ec != std::errc() || reference.map_index < 0)
      throw Failure{kUsage,
                    fmt::format("read '{}': the map index in brackets is not a number", text)};
    reference.task_id.resize(bracket);
    if (bracket == 0) fail_incomplete();
  }
  return reference;
}

std::string run_path(const std::string& dag_id, const std::string& run_id) {
  return "/api/v2/dags/" + Session::escape(dag_id) + "/dagRuns/" + Session::escape(run_id);
}

std::string resolve_run(Session& session, const Reference& reference) {
  const std::string list = "/api/v2/dags/" + Session::escape(reference.dag_id) + "/dagRuns";
  Query query = newest_first(1);
  if (reference.run == "latest" || reference.run == "…" || reference.run == "...") {
    const json::value page = session.get(list, query);
    if (page.at("dag_runs").as_array().empty()) no_such_run(session, reference);
    return text_of(page.at("dag_runs").as_array()[0], "dag_run_id");
  }
  const json::value dag =
      session.get("/api/v2/dags/" + Session::escape(reference.dag_id) + "/details");
  auto zone = TimeZone::find(text_of(dag, "timezone"));
  const auto window = window_of(reference.run, zone ? *zone : TimeZone::utc());
  if (!window) {
    session.get(run_path(reference.dag_id, reference.run));
    return reference.run;
  }
  query.emplace_back("logical_date_gte", to_iso_z(window->first));
  query.emplace_back("logical_date_lt", to_iso_z(window->second));
  const json::value page = session.get(list, query);
  if (page.at("dag_runs").as_array().empty()) no_such_run(session, reference);
  return text_of(page.at("dag_runs").as_array()[0], "dag_run_id");
}

}  // namespace etesian::cli
