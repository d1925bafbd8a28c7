#include "ddpm/engine/cpu/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "ddpm/engine/cpu/view.h"

namespace ddpm::cpu {
namespace {

bool meet(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

struct Range {
  std::size_t begin, end;
};

// The lowest start of a gap of `floats` between the taken ranges.
std::size_t lowest_gap(std::vector<Range>& taken, std::size_t floats) {
  std::sort(taken.begin(), taken.end(), [](Range a, Range b) { return a.begin < b.begin; });
  std::size_t start = 0;
  for (const Range& range : taken) {
    if (start + floats <= range.begin) break;
    start = std::max(start, range.end);
  }
  return start;
}

}  // namespace

std::vector<Lifetime> lifetimes(const Graph& graph, int images) {
  const auto& nodes = graph.nodes();
  std::vector<Lifetime> values(nodes.size());
  for (std::size_t v = 0; v < nodes.size(); ++v) {
    const int row = static_cast<int>(v);
    const View view{nullptr, nodes[v].shape};
    values[v] = {view.image_size() * images, row, row};
    for (const Value input : nodes[v].inputs) values[input].last = row;
  }
  if (graph.output != kNoValue) values[graph.output].last = static_cast<int>(nodes.size());
  return values;
}

MemoryPlan plan_memory(const std::vector<Lifetime>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return values[a].floats > values[b].floats;
  });
  MemoryPlan plan{std::vector<std::size_t>(values.size()), 0};
  std::vector<std::size_t> placed;
  std::vector<Range> taken;
  for (const std::size_t v : order) {
    taken.clear();
    for (const std::size_t u : placed) {
      if (meet(values[u], values[v])) {
        taken.push_back({plan.offsets[u], plan.offsets[u] + values[u].floats});
      }
    }
    plan.offsets[v] = lowest_gap(taken, values[v].floats);
    plan.floats = std::max(plan.floats, plan.offsets[v] + values[v].floats);
    placed.push_back(v);
  }
  return plan;
}

}  // namespace ddpm::cpu
