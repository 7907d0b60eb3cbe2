#pragma once
#include <cstdint>
#include <map>
#include <optional>

#include "airflow/tree.h"

namespace etesian::airflow {

/// Why a file is to be parsed, least urgent first.
enum class Urgency {
  Check,       ///< Whether it gives the same again; one at a time.
  Suspicious,  ///< The host died while it was parsed; now it is parsed alone.
  Affected,    ///< Something that it imports or reads has changed.
  Changed      ///< It has changed itself.
};

/// Which file is parsed next: by urgency, then the most recently changed. One parse of a file at a
/// time. Not thread-safe.
class ParseQueue {
 public:
  explicit ParseQueue(std::size_t at_once) : at_once_(at_once) {}
  /// A file that waits already becomes as urgent as it is now.
  void add(const BundleFile& file, Urgency urgency, std::int64_t modified_ns);
  void remove(const BundleFile& file);  ///< It waits no more; a parse that is under way goes on.
  struct Start {
    BundleFile file;
    Urgency urgency{};
  };
  /// What may begin now, which is then under way until `end`.
  std::optional<Start> next();
  void end(const BundleFile& file);
  /// Nothing waits or is under way, checks aside.
  bool is_settled() const;

 private:
  struct Waiting {
    Urgency urgency{};
    std::int64_t modified_ns = 0;
    friend auto operator<=>(const Waiting&, const Waiting&) = default;
  };
  bool may_begin(const BundleFile& file, Urgency urgency) const;
  std::size_t at_once_;
  std::map<BundleFile, Waiting> waiting_;
  std::map<BundleFile, Urgency> running_;
};

}  // namespace etesian::airflow
