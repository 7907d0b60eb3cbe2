#pragma once
#include <cstdint>

/// The numbers of model's Cause that an agent gives. The wire knows no domain type; executor
/// asserts that both lists are the same. Values are stored: never renumber.
namespace etesian::wire::cause {

inline constexpr std::uint8_t kExit = 0;
inline constexpr std::uint8_t kSignal = 1;
inline constexpr std::uint8_t kTimeout = 2;
inline constexpr std::uint8_t kKilled = 3;
inline constexpr std::uint8_t kOutOfMemory = 4;
inline constexpr std::uint8_t kStartFailed = 5;
inline constexpr std::uint8_t kOutputInvalid = 7;
inline constexpr std::uint8_t kLostSupervisor = 8;
inline constexpr std::uint8_t kLost = 9;

}  // namespace etesian::wire::cause
