#include "airflow/parse_queue.h"

#include <algorithm>

namespace etesian::airflow {

void ParseQueue::add(const BundleFile& file, Urgency urgency, std::int64_t modified_ns) {
  Waiting& waiting = waiting_[file];
  waiting = {std::max(waiting.urgency, urgency), modified_ns};
}

void ParseQueue::remove(const BundleFile& file) { waiting_.erase(file); }

bool ParseQueue::may_begin(const BundleFile& file, Urgency urgency) const {
  if (running_.size() >= at_once_ || running_.contains(file)) return false;
  if (urgency == Urgency::Suspicious) return running_.empty();
  return std::none_of(running_.begin(), running_.end(), [&](const auto& running) {
    return running.second == Urgency::Suspicious ||
           (urgency == Urgency::Check && running.second == Urgency::Check);
  });
}

std::optional<ParseQueue::Start> ParseQueue::next() {
  auto best = waiting_.end();
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at)
    if ((best == waiting_.end() || at->second > best->second) &&
        may_begin(at->first, at->second.urgency))
      best = at;
  if (best == waiting_.end()) return std::nullopt;
  Start start{best->first, best->second.urgency};
  running_[start.file] = start.urgency;
  waiting_.erase(best);
  return start;
}

void ParseQueue::end(const BundleFile& file) { running_.erase(file); }

bool ParseQueue::is_settled() const {
  const auto is_check = [](Urgency urgency) { return urgency == Urgency::Check; };
  return std::all_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& file) { return is_check(file.second.urgency); }) &&
         std::all_of(running_.begin(), running_.end(),
                     [&](const auto& file) { return is_check(file.second); });
}

}  // namespace etesian::airflow
