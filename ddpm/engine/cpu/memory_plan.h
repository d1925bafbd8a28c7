// Offsets in one arena for values that live for some rows only.
#pragma once

#include <cstddef>
#include <vector>

#include "ddpm/net/graph.h"

namespace ddpm::cpu {

/// A value exists from the row that makes it to the last row that reads it, both included.
struct Lifetime {
  std::size_t floats = 0;
  int first = 0, last = 0;
};

/// Values of rows that make none have 0 floats. `images` copies of each value; the graph's output
/// lives to the end.
std::vector<Lifetime> lifetimes(const Graph& graph, int images);

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // in floats, multiples of 16 (64 bytes)
  std::size_t floats = 0;            // of the arena
};

/// Two values whose lifetimes meet never overlap. Largest first, each at the lowest place that is
/// free.
MemoryPlan plan_memory(const std::vector<Lifetime>& values);

}  // namespace ddpm::cpu
