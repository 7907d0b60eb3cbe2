#include <algorithm>

#include "api/bulk.h"
#include "api/handlers.h"
#include "api/json_common.h"
#include "api/pattern.h"
#include "api/query.h"

namespace etesian::api {
namespace {

constexpr std::string_view kDefaultPool = "default_pool";

json::object pool_json(const PoolRow& pool, const World::PoolUse& use) {
  const int occupied = use.running + use.queued + (pool.include_deferred ? use.deferred : 0);
  return {{"name", pool.name},
          {"slots", pool.slots},
          {"description", text_or_null(pool.description)},
          {"include_deferred", pool.include_deferred},
          {"occupied_slots", occupied},
          {"running_slots", use.running},
          {"queued_slots", use.queued},
          {"scheduled_slots", use.scheduled},
          {"open_slots", pool.slots < 0 ? -1 : std::max(0, pool.slots - occupied)},
          {"deferred_slots", use.deferred},
          {"team_name", nullptr}};
}

Result<std::optional<PoolRow>> find(Reading& reading, const std::string& name) {
  const auto pools = reading.store.pools();
  if (!pools) return pools.error();
  for (const auto& pool : *pools) {
    if (pool.name == name) return std::optional(pool);
  }
  return std::optional<PoolRow>();
}

Error not_found(const std::string& name) {
  return {ErrorCode::NotFound, "The Pool with name: `" + name + "` was not found"};
}

std::optional<Error> mistake_in(const PoolRow& pool) {
  if (pool.slots < -1)
    return Error{ErrorCode::InvalidInput, "slots: at least 0, or -1 for no limit"};
  if (pool.slots > 1'000'000'000) return Error{ErrorCode::InvalidInput, "slots: too many"};
  if (auto good = check_id("pool", pool.name); !good) return good.error();
  return std::nullopt;
}

/// Takes over what the body says.
void merge(PoolRow& pool, const json::object& body) {
  if (const auto slots = body_number(body, "slots")) {
    pool.slots = static_cast<int>(std::clamp<std::int64_t>(*slots, -2, 2'000'000'000));
  }
  if (const auto text = body_text(body, "description")) pool.description = *text;
  if (const auto flag = body_flag(body, "include_deferred")) pool.include_deferred = *flag;
}

Next saved(const Call& call, PoolRow pool, int status) {
  if (const auto mistake = mistake_in(pool)) return refusal(*mistake);
  SetPool event;
  event.row = pool;
  event.actor = call.request.user;
  return Command{{event}, [pool, status](Reading&, const CommandDone&) -> Next {
                   return WorldPart([pool, status](const World& world, const Moment&) {
                     auto response = ok(pool_json(pool, world.pool_use(pool.name)));
                     response.status = status;
                     return response;
                   });
                 }};
}

struct PoolBulk {
  using Row = PoolRow;
  static constexpr std::string_view plural = "pools", keys = "pool names", id = "name",
                                    body = "PoolBody";
  static Result<std::vector<Row>> rows(Reading& reading) { return reading.store.pools(); }
  static std::string key(const Row& row) { return row.name; }
  static Row make(const std::string& name) {
    Row row;
    row.name = name;
    return row;
  }
  static void merge(const Service&, Row& row, const json::object& values) {
    api::merge(row, values);
  }
  static std::optional<Error> mistake(const Row& row, const BulkAction& action,
                                      const json::object* values) {
    if (row.name != kDefaultPool) return values != nullptr ? mistake_in(row) : std::nullopt;
    if (action.kind == BulkAction::Kind::Delete) {
      return Error{ErrorCode::InvalidInput, "Default Pool can't be deleted"};
    }
    const auto is_allowed = [](const auto& member) {
      return member.key() == "slots" || member.key() == "include_deferred";
    };
    if (!std::all_of(values->begin(), values->end(), is_allowed)) {
      return Error{ErrorCode::InvalidInput,
                   "Only slots and included_deferred can be modified on Default Pool"};
    }
    return mistake_in(row);
  }
  static Event set(Row row, const std::string& actor) { return SetPool{std::move(row), actor}; }
  static Event remove(const std::string& name, const std::string& actor) {
    return RemovePool{name, actor};
  }
};

}  // namespace

Next bulk_pools(Reading& reading) { return SettingsBulk<PoolBulk>::run(reading); }

Next list_pools(Reading& reading) {
  auto pools = reading.store.pools();
  if (!pools) return refusal(pools.error());
  const Pattern pattern(reading.call.request, "pool_name");
  return WorldPart(
      [pools = std::move(*pools), pattern, paging = query_paging(reading.call.request)](
          const World& world, const Moment&) {
        json::array rows;
        std::int64_t total = 0;
        for (const auto& pool : pools) {
          if (!pattern.fits(pool.name)) continue;
          const std::int64_t position = total++;
          if (position < paging.offset || position >= paging.offset + paging.limit) continue;
          rows.push_back(pool_json(pool, world.pool_use(pool.name)));
        }
        return listing("pools", std::move(rows), total);
      });
}

Next get_pool(Reading& reading) {
  const auto found = find(reading, reading.call.param("pool_name"));
  if (!found) return refusal(found.error());
  if (!*found) return refusal(not_found(reading.call.param("pool_name")));
  return WorldPart([pool = **found](const World& world, const Moment&) {
    return ok(pool_json(pool, world.pool_use(pool.name)));
  });
}

Next create_pool(Reading& reading) {
  PoolRow pool;
  pool.name = *body_text(reading.call.body, "name");
  merge(pool, reading.call.body);
  const auto found = find(reading, pool.name);
  if (!found) return refusal(found.error());
  if (*found) {
    return http::error_response(409, "The Pool with name: `" + pool.name + "` already exists");
  }
  return saved(reading.call, std::move(pool), 201);
}

Next patch_pool(Reading& reading) {
  const std::string& name = reading.call.param("pool_name");
  auto found = find(reading, name);
  if (!found) return refusal(found.error());
  if (!*found) return refusal(not_found(name));
  for (const auto* member : {"pool", "name"}) {
    if (body_text(reading.call.body, member).value_or(name) != name) {
      return refusal({ErrorCode::InvalidInput,
                      "Invalid body, pool name from request body doesn't "
                      "match uri parameter"});
    }
  }
  merge(**found, masked(reading.call));
  return saved(reading.call, std::move(**found), 200);
}

Next delete_pool(Reading& reading) {
  const std::string& name = reading.call.param("pool_name");
  if (name == kDefaultPool) {
    return refusal({ErrorCode::InvalidInput, "Default Pool can't be deleted"});
  }
  const auto found = find(reading, name);
  if (!found) return refusal(found.error());
  if (!*found) return refusal(not_found(name));
  RemovePool event;
  event.name = name;
  event.actor = reading.call.request.user;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

}  // namespace etesian::api
