#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "agent/keeper.h"
#include "base/file.h"
#include "base/result.h"

namespace etesian::agent {

/// The FIFOs of the slots: `fifos/<slot>.out` and `.err`. They are made once and used again by
/// later tasks, which saves their cost per try; a pair that somebody still holds is replaced.
class Pipes {
 public:
  Pipes(std::string folder, std::uint32_t slots, int epoll);

  /// Read ends that a former worker left, from the keeper; else the names are opened.
  void adopt(Kept& kept, const std::vector<std::uint32_t>& slots_in_use);
  /// A free slot with its pipes ready. nullopt-like: false when all are in use or no FIFO can be
  /// made.
  bool take(const Kept& kept, std::uint32_t& slot);
  /// Both pipes were read to their end: the pair is clean.
  enum class Condition { Clean, Held };
  void give_back(std::uint32_t slot, Condition condition);

  int read_end(std::uint32_t slot, int stream) const;
  std::string path(std::uint32_t slot, int stream) const;

  /// The number that epoll gives for a stream of a slot.
  static std::uint64_t token(std::uint32_t slot, int stream) {
    return static_cast<std::uint64_t>(slot) << 2 | static_cast<std::uint64_t>(stream);
  }

 private:
  bool make(const Kept& kept, std::uint32_t slot);
  bool watch(std::uint32_t slot);
  void drop(std::uint32_t slot);

  std::string folder_;
  int epoll_;
  struct Pair {
    Fd ends[2];
    bool is_used = false;
  };
  std::vector<Pair> pairs_;
  std::vector<std::uint32_t> free_;  ///< Last in, first out: few pipes stay warm.
};

}  // namespace etesian::agent
