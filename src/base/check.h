#pragma once
#include <cstdio>
#include <cstdlib>

/// Stops the process when our own code is wrong. Stays on in release builds; never put a side
/// effect inside, and never check input with it (input gets an Error).
#define ETESIAN_CHECK(condition)                                                             \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
