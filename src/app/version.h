#pragma once

namespace etesian {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace etesian
