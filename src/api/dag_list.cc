// Lists of DAGs, and what is done to all DAGs of one.
#include <algorithm>
#include <set>

#include "api/dag_facts.h"
#include "api/handlers.h"
#include "api/json_common.h"
#include "api/rows.h"

namespace etesian::api {
namespace {

/// What a list of DAGs is asked for besides paging.
struct Asked {
  explicit Asked(const http::Request& request)
      : id(request, "dag_id"),
        display_name(request, "dag_display_name"),
        owners(request.query_values("owners")),
        tags(request.query_values("tags")),
        needs_all_tags(request.query_value("tags_match_mode").value_or("any") == "all"),
        bundles(request.query_values("bundle_name")),
        is_paused(query_flag(request, "paused")),
        has_import_errors(query_flag(request, "has_import_errors")),
        is_favorite(query_flag(request, "is_favorite")),
        hides_stale(query_flag(request, "exclude_stale").value_or(true)),
        order_by(request.query_values("order_by")) {
    for (const auto& text : request.query_values("last_dag_run_state")) {
      if (const auto state = run_state_from_text(text)) last_states.insert(*state);
    }
    if (order_by.empty()) order_by = {"dag_id"};
  }

  bool is_about(std::string_view name) const {
    return std::any_of(order_by.begin(), order_by.end(), [&](std::string_view by) {
      return by == name || (by.starts_with('-') && by.substr(1) == name);
    });
  }
  bool needs_last_run() const {
    return !last_states.empty() || is_about("last_run_state") || is_about("state") ||
           is_about("last_run_start_date") || is_about("start_date");
  }
  /// The store can do all of it.
  bool is_plain() const {
    return !id.is_given() && !display_name.is_given() && owners.empty() && tags.empty() &&
           bundles.empty() && last_states.empty() && !has_import_errors && !is_favorite &&
           order_by.size() == 1 && is_about("dag_id");
  }

  Pattern id, display_name;
  std::vector<std::string> owners, tags;
  bool needs_all_tags;
  std::vector<std::string> bundles;
  std::optional<bool> is_paused, has_import_errors, is_favorite;
  bool hides_stale;
  std::vector<std::string> order_by;
  std::set<RunState> last_states;
};

Result<std::vector<DagSummary>> all_dags(Reading& reading, const Asked& asked) {
  DagFilter filter;
  filter.is_paused = asked.is_paused;
  filter.include_removed = !asked.hides_stale;
  std::vector<DagSummary> all;
  for (Paging paging{.limit = 1000, .offset = 0, .order_by = {}};; paging.offset += paging.limit) {
    auto page = reading.store.dags(filter, paging);
    if (!page) return page.error();
    for (auto& row : page->rows) all.push_back(std::move(row));
    if (paging.offset + paging.limit >= page->total) return all;
  }
}

bool fits_text(const Asked& asked, const DagSummary& row) {
  if (!asked.id.fits(row.dag_id)) return false;
  const auto has_tag = [&](const std::string& tag) {
    return std::find(row.tags.begin(), row.tags.end(), tag) != row.tags.end();
  };
  const auto& tags = asked.tags;
  if (!tags.empty() && !(asked.needs_all_tags ? std::all_of(tags.begin(), tags.end(), has_tag)
                                              : std::any_of(tags.begin(), tags.end(), has_tag))) {
    return false;
  }
  // As Airflow: a part of the owners' text is enough.
  return asked.owners.empty() ||
         std::any_of(asked.owners.begin(), asked.owners.end(), [&](const std::string& owner) {
           return is_like(row.owner, "%" + owner + "%");
         });
}

Result<std::optional<RunRow>> last_run(Reading& reading, const std::string& dag_id) {
  RunFilter filter;
  filter.dag_id = dag_id;
  auto page = reading.store.runs(filter, {.limit = 1, .offset = 0, .order_by = "-run_after"});
  if (!page) return page.error();
  if (page->rows.empty()) return std::optional<RunRow>();
  return std::optional(std::move(page->rows.front()));
}

/// A DAG of the list, with what its place in the order depends on.
struct Listed {
  DagSummary summary;
  std::optional<RunRow> last;
};

Result<std::vector<Listed>> chosen(Reading& reading, const Asked& asked, const BrokenDags& broken) {
  auto all = all_dags(reading, asked);
  if (!all) return all.error();
  std::vector<Listed> out;
  for (auto& row : *all) {
    if (!fits_text(asked, row) || asked.is_favorite.value_or(false)) continue;
    if (asked.display_name.is_given() || !asked.bundles.empty()) {
      const auto version = reading.service().dags.of(row);
      const auto& bundles = asked.bundles;
      const bool is_there = bundles.empty() || std::find(bundles.begin(), bundles.end(),
                                                         version->bundle()) != bundles.end();
      if (!is_there || !asked.display_name.fits(version->display_name())) continue;
    }
    if (asked.has_import_errors && broken.holds(row) != *asked.has_import_errors) continue;
    Listed listed{std::move(row), {}};
    if (asked.needs_last_run()) {
      auto last = last_run(reading, listed.summary.dag_id);
      if (!last) return last.error();
      listed.last = std::move(*last);
      const bool is_wanted = asked.last_states.empty() ||
                             (listed.last && asked.last_states.count(listed.last->state) != 0);
      if (!is_wanted) continue;
    }
    out.push_back(std::move(listed));
  }
  return out;
}

/// What the order looks at, in the form of a row.
json::object sort_key(Reading& reading, const Asked& asked, const Listed& listed) {
  json::object key{{"dag_id", listed.summary.dag_id}};
  if (asked.is_about("dag_display_name")) {
    key["dag_display_name"] = reading.service().dags.of(listed.summary)->display_name();
  }
  if (listed.last) {
    key["last_run_state"] = to_text(listed.last->state);
    key["last_run_start_date"] = instant_json(listed.last->started_at);
  }
  return key;
}

using Facts = std::shared_ptr<std::vector<DagFacts>>;

Next answer(Facts all, std::int64_t total) {
  return WorldPart([all, total](const World& world, const Moment&) {
    json::array rows;
    for (auto& facts : *all) {
      add_world(facts, world);
      rows.push_back(dag_json(facts));
    }
    return listing("dags", std::move(rows), total);
  });
}

/// The order by the next run is known to the world alone.
Next answer_by_next_run(Facts all, bool is_descending, const Paging& paging) {
  return WorldPart([all, is_descending, paging](const World& world, const Moment&) {
    for (auto& facts : *all) add_world(facts, world);
    const auto at = [](const DagFacts& facts) {
      return facts.next_run ? std::optional(facts.next_run->logical_date) : std::nullopt;
    };
    std::stable_sort(all->begin(), all->end(), [&](const DagFacts& a, const DagFacts& b) {
      return is_descending ? at(b) < at(a) : at(a) < at(b);
    });
    std::vector<json::object> rows;
    for (const auto& facts : *all) rows.push_back(dag_json(facts));
    return page_of("dags", std::move(rows), paging);
  });
}

Next plain_list(Reading& reading, const Asked& asked, const BrokenDags& broken) {
  DagFilter filter;
  filter.is_paused = asked.is_paused;
  filter.include_removed = !asked.hides_stale;
  auto page = reading.store.dags(filter, query_paging(reading.call.request));
  if (!page) return refusal(page.error());
  auto all = std::make_shared<std::vector<DagFacts>>();
  for (auto& row : page->rows) all->push_back(facts_of(reading, std::move(row), broken));
  return answer(std::move(all), page->total);
}

Next searched_list(Reading& reading, const Asked& asked, const BrokenDags& broken) {
  auto found = chosen(reading, asked, broken);
  if (!found) return refusal(found.error());
  const Paging paging = query_paging(reading.call.request);
  auto all = std::make_shared<std::vector<DagFacts>>();
  if (asked.is_about("next_dagrun")) {
    for (auto& one : *found) all->push_back(facts_of(reading, std::move(one.summary), broken));
    return answer_by_next_run(std::move(all), asked.order_by.front().starts_with('-'), paging);
  }
  std::vector<json::object> keys;
  for (std::size_t i = 0; i < found->size(); ++i) {
    keys.push_back(sort_key(reading, asked, (*found)[i]));
    keys.back()["place"] = i;
  }
  static const OrderNames names{{"dag_id", "dag_id"},
                                {"dag_display_name", "dag_display_name"},
                                {"state", "last_run_state"},
                                {"last_run_state", "last_run_state"},
                                {"start_date", "last_run_start_date"},
                                {"last_run_start_date", "last_run_start_date"}};
  if (auto done = order_rows(keys, asked.order_by, names, {"dag_id"}); !done) {
    return refusal(done.error());
  }
  for (std::size_t i = static_cast<std::size_t>(paging.offset);
       i < keys.size() && all->size() < static_cast<std::size_t>(paging.limit); ++i) {
    auto& one = (*found)[keys[i].at("place").to_number<std::size_t>()];
    all->push_back(facts_of(reading, std::move(one.summary), broken));
  }
  return answer(std::move(all), static_cast<std::int64_t>(found->size()));
}

}  // namespace

Next list_dags(Reading& reading) {
  const Asked asked(reading.call.request);
  const BrokenDags broken(reading.service());
  return asked.is_plain() ? plain_list(reading, asked, broken)
                          : searched_list(reading, asked, broken);
}

Next patch_dags(Reading& reading) {
  const Asked asked(reading.call.request);
  // Without a pattern nothing is meant; "~" means all.
  if (!asked.id.is_given()) return listing("dags", {}, 0);
  const BrokenDags broken(reading.service());
  auto found = chosen(reading, asked, broken);
  if (!found) return refusal(found.error());
  Command command;
  std::vector<std::string> ids;
  for (const auto& one : *found) {
    SetPaused event;
    event.dag_id = one.summary.dag_id;
    event.actor = reading.call.request.user;
    event.is_paused = *body_flag(reading.call.body, "is_paused");
    command.events.push_back(std::move(event));
    ids.push_back(one.summary.dag_id);
  }
  command.answer = [ids](Reading& later, const CommandDone&) -> Next {
    const Paging paging = query_paging(later.call.request);
    const BrokenDags broken_now(later.service());
    auto all = std::make_shared<std::vector<DagFacts>>();
    for (std::size_t i = static_cast<std::size_t>(paging.offset);
         i < ids.size() && all->size() < static_cast<std::size_t>(paging.limit); ++i) {
      auto summary = later.store.dag(ids[i]);
      if (!summary) return refusal(summary.error());
      all->push_back(facts_of(later, std::move(*summary), broken_now));
    }
    return answer(std::move(all), static_cast<std::int64_t>(ids.size()));
  };
  return command;
}

Next list_dag_tags(Reading& reading) {
  const Asked asked(reading.call.request);
  const Pattern pattern(reading.call.request, "tag_name");
  const auto all = all_dags(reading, asked);
  if (!all) return refusal(all.error());
  std::set<std::string> names;
  for (const auto& row : *all) {
    for (const auto& tag : row.tags) {
      if (pattern.fits(tag)) names.insert(tag);
    }
  }
  std::vector<std::string> ordered(names.begin(), names.end());
  const auto order_by = reading.call.request.query_value("order_by").value_or("name");
  if (order_by.starts_with('-')) std::reverse(ordered.begin(), ordered.end());
  const Paging paging = query_paging(reading.call.request);
  json::array tags;
  for (std::size_t i = static_cast<std::size_t>(paging.offset);
       i < ordered.size() && tags.size() < static_cast<std::size_t>(paging.limit); ++i) {
    tags.push_back(json::string(ordered[i]));
  }
  return listing("tags", std::move(tags), static_cast<std::int64_t>(ordered.size()));
}

}  // namespace etesian::api
