#pragma once
#include <cstdint>
#include <string_view>

#include "model/change.h"

namespace etesian {

/// What a row of the change table tells. Values are stored: append only, never renumber.
enum class ChangeKind : std::uint8_t {
  DagChanged,
  DagRemoved,
  DagPaused,
  DagUnpaused,
  CursorMoved,
  Run,
  RunRemoved,
  Expanded,
  Instance,
  TryOpened,
  TryStarted,
  TryEnded,
  OutputStored,
  OutputsRemoved,
  PoolChanged,
  PoolRemoved,
  VariableChanged,
  VariableRemoved,
  ConnectionChanged,
  ConnectionRemoved,
  BackfillChanged,
  Audited,
  HumanAsked,
  HumanAnswered,
  AssetChanged,
  AssetAliasChanged,
  AssetAliasBound,
  AssetEventAdded,
  AssetQueued,
  AssetUnqueued,
  AssetCursorMoved,
  AssetEventsConsumed,
  StateStored,
  StateRemoved
};
inline constexpr int kChangeKindCount = 34;

/// Value of a state column of the change table that names no state.
inline constexpr int kNoState = -1;

/// ChangeRecord::kind: "run", "task_instance", "dag", "try", …
std::string_view kind_text(ChangeKind kind);
/// ChangeRecord::from and ::to. For kinds that are not moves, `to` says what happened ("paused").
std::string_view state_text(ChangeKind kind, int state);
std::string_view outcome_text(ChangeKind kind, int to);

/// The kind of a try's change: started, ended, or offered (again).
ChangeKind kind_of(const TryChanged& change);
ChangeKind kind_of(const HumanInputChanged& change);

}  // namespace etesian
