#include "loader/canonical.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <tuple>

#include "base/file.h"
#include "base/random.h"
#include "loader/dag_file.h"

namespace etesian {
namespace {

bool is_same(const DagDefinition& a, const DagDefinition& b) {
  const auto rest = [](const DagDefinition& d) {
    return std::tie(d.id, d.description, d.owner, d.tags, d.schedule_text, d.overlap,
                    d.params_schema, d.max_active_runs, d.max_active_tasks, d.run_timeout,
                    d.fail_fast, d.paused_on_creation, d.folder, d.relative_file, d.source,
                    d.version);
  };
  return rest(a) == rest(b) && a.tasks == b.tasks && a.needs == b.needs && a.schedule == b.schedule;
}

/// A definition whose members are drawn at random, defaults among them.
class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {}

  DagDefinition definition() {
    DagDefinition d;
    d.id = text();
    d.description = maybe() ? text() : "";
    d.schedule = schedule();
    d.schedule_text = text();
    d.overlap = static_cast<Overlap>(random_.below(3));
    d.max_active_runs = number();
    if (maybe()) d.run_timeout = length();
    d.fail_fast = maybe();
    if (maybe()) d.needs.push_back(need());
    for (std::uint64_t i = random_.below(4); i > 0; --i) d.tasks.push_back(task());
    d.folder = "/x";
    d.source = "tasks:\n\t\"ü\"\n";
    d.version = text();
    return d;
  }

 private:
  bool maybe() { return random_.below(2) == 0; }
  int number() { return static_cast<int>(random_.below(1000)) - 500; }
  Duration length() { return Duration(static_cast<std::int64_t>(random_.below(1ULL << 40))); }
  Instant instant() { return Instant(length()); }
  std::string text() {
    return "t" + std::to_string(random_.below(1000)) + (maybe() ? "매출\"\\\n" : "");
  }
  TemplateText template_text() { return {text(), number(), number()}; }
  Need need() {
    return {text(),
            maybe() ? text() : "",
            static_cast<Need::Covers>(random_.below(3)),
            length(),
            maybe() ? std::optional(length()) : std::nullopt,
            number(),
            number()};
  }
  Schedule schedule() {
    Schedule s;
    switch (random_.below(6)) {
      case 0: break;
      case 1: {
        CronSchedule cron{{text(), text()},      text(),   {},
                          IntervalRule::Trigger, length(), std::nullopt};
        if (maybe()) cron.dst = {DstGap::Skip, DstFold::Both, DstHourly::Never, true};
        if (maybe()) cron.run_immediately = length();
        s.kind = cron;
        break;
      }
      case 2: s.kind = IntervalSchedule{length(), IntervalRule::Trigger, length()}; break;
      case 3: s.kind = DatesSchedule{{instant(), instant()}, maybe()}; break;
      case 4: s.kind = OnceSchedule{}; break;
      default: s.kind = ContinuousSchedule{};
    }
    if (maybe()) s.start = instant();
    if (maybe()) s.holidays = HolidayRule{HolidayRule::Action::ShiftBackward, {text()}, maybe()};
    s.catchup = maybe();
    return s;
  }
  LengthOf length_of(int depth) {
    LengthOf length;
    length.kind = static_cast<LengthOf::Kind>(random_.below(5));
    length.literal = number();
    length.task = maybe() ? text() : "";
    if (depth > 0) length.parts = {length_of(depth - 1), length_of(depth - 1)};
    return length;
  }
  Task task() {
    Task t;
    t.id = text();
    t.run = {static_cast<Command::Kind>(random_.below(4)), {template_text(), template_text()}};
    if (maybe()) t.environment = {{text(), template_text()}};
    if (maybe()) t.working_folder = template_text();
    t.after = {text()};
    t.trigger_rule = static_cast<TriggerRule>(random_.below(13));
    t.decides = static_cast<Decides>(random_.below(3));
    t.skip_on_exit = maybe() ? std::vector<int>{} : std::vector<int>{1, 2};
    if (maybe())
      t.map = MapRule{MapRule::Combine::Zip,
                      {{"a", "[1,2]"}, {"b", template_text()}, {"c", length_of(2)}},
                      number(),
                      maybe() ? text() : ""};
    if (maybe()) {
      AirflowTask& airflow = t.airflow.emplace();
      airflow.operator_type = text();
      airflow.queue = text();
      airflow.owner = text();
      airflow.can_skip_downstream = maybe();
      if (maybe()) airflow.native = Command{Command::Kind::Shell, {template_text()}};
      airflow.native_has_environment = maybe();
      airflow.native_inherits_environment = maybe();
      airflow.has_retry_callback = maybe();
    }
    if (maybe()) t.needs = {need()};
    t.retry.times = maybe() ? RetryRule::kForever : number();
    t.retry.backoff = 1.25;
    t.retry.on_cause = {Cause::Lost, Cause::Timeout};
    if (maybe()) t.timeout = length();
    t.cpu = 0.1;
    t.memory_bytes = ~0ULL;
    if (maybe()) t.max_active = 0;
    return t;
  }
  SeededRandom random_;
};

TEST(Canonical, GivesEveryDefinitionBack) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const DagDefinition drawn = Drawing(seed).definition();
    const std::string text = to_canonical(drawn, CanonicalUse::Storage);
    const auto back = definition_from_canonical(text);
    ASSERT_TRUE(back) << seed << back.error().message;
    ASSERT_TRUE(is_same(*back, drawn)) << "seed " << seed << "\n" << text;
    EXPECT_EQ(to_canonical(*back, CanonicalUse::Storage), text);
  }
}

TEST(Canonical, GivesEveryGoldenFileBackWithItsVersion) {
  int loaded = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ETESIAN_SOURCE_DIR "/tests/golden/loader")) {
    const auto text = read_file(entry.path() / "dag.yaml", 4 << 20);
    DagFileContext context;
    context.default_id = "x";
    const LoadedDag file = load_dag(*text, context);
    if (!file.dag) continue;
    ++loaded;
    const auto back =
        definition_from_canonical(to_canonical(file.dag->definition(), CanonicalUse::Storage));
    ASSERT_TRUE(back);
    EXPECT_TRUE(is_same(*back, file.dag->definition())) << entry.path();
    EXPECT_EQ(version_of(*back, ""), file.dag->version()) << entry.path();
  }
  EXPECT_GT(loaded, 5);
}

TEST(Canonical, IgnoresPlacesAndTheOrderOfTasks) {
  DagFileContext context;
  context.default_id = "x";
  const auto version = [&](const std::string& text) {
    return load_dag(text, context).dag->version();
  };
  const std::string first = version("tasks:\n  a: {run: echo}\n  b: {run: echo}\n");
  EXPECT_EQ(version("# comment\n\ntasks:\n  b:\n    run: echo\n  a:\n    run: echo\n"), first);
  EXPECT_NE(version("tasks:\n  a: {run: echo}\n  c: {run: echo}\n"), first);
}

TEST(Canonical, RefusesWhatItDidNotWrite) {
  for (const char* text : {"", "[]", "{\"tasks\":5}", "{\"unknown\":1}", "{\"overlap\":\"never\"}",
                           "{\"schedule\":{\"kind\":[9,{}]}}"})
    EXPECT_EQ(definition_from_canonical(text) ? ErrorCode::InvalidInput
                                              : definition_from_canonical(text).error().code,
              ErrorCode::Corrupt)
        << text;
}

}  // namespace
}  // namespace etesian
