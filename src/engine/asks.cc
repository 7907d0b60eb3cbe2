#include "engine/asks.h"

namespace etesian {
namespace {

/// What a change is about: the run, and the DAG where a run comes or ends.
struct Subject {
  RunKey run = 0;
  std::string dag_id;
};

struct SubjectOf {
  Subject operator()(const RunCreated& c) const { return {c.row.key, c.row.dag_id}; }
  Subject operator()(const RunChanged& c) const {
    return {c.row.key, is_final(c.row.state) ? c.row.dag_id : std::string()};
  }
  Subject operator()(const RunRemoved& c) const { return {c.run, {}}; }
  Subject operator()(const TaskExpanded& c) const { return {c.key.run, {}}; }
  Subject operator()(const InstanceChanged& c) const { return {c.row.key.run, {}}; }
  Subject operator()(const TryOpened& c) const { return {c.row.instance.run, {}}; }
  Subject operator()(const TryChanged& c) const { return {c.row.instance.run, {}}; }
  Subject operator()(const OutputStored& c) const { return {c.key.run, {}}; }
  Subject operator()(const OutputsRemoved& c) const { return {c.key.run, {}}; }
  Subject operator()(const HumanInputChanged& c) const { return {c.row.instance.run, {}}; }
  template <class Other>
  Subject operator()(const Other&) const {
    return {};
  }
};

}  // namespace

std::shared_ptr<Ask> Asks::add(Ask about) {
  std::erase_if(all_, [](const std::weak_ptr<Ask>& ask) { return ask.expired(); });
  auto ask = std::make_shared<Ask>(std::move(about));
  all_.push_back(ask);
  return ask;
}

void Asks::note(const Change& change) {
  if (all_.empty()) return;
  const Subject subject = std::visit(SubjectOf{}, change);
  for (const std::weak_ptr<Ask>& weak : all_)
    if (const auto ask = weak.lock())
      ask->is_stale = ask->is_stale || ask->runs.contains(subject.run) ||
                      (!ask->dag_id.empty() && ask->dag_id == subject.dag_id);
}

}  // namespace etesian
