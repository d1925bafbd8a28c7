#include "ddpm/engine/cpu/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "ddpm/engine/cpu/view.h"

namespace ddpm::cpu {
namespace {

bool meet(const Lifetime& a, const Lifetime& b) {
  for (const Steps& s : a.alive) {
    for (const Steps& t : b.alive) {
      if (s.first <= t.last && t.first <= s.last) return true;
    }
  }
  return false;
}

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

// A part may not share a vector with its neighbour: it begins at a whole one, and ends at one or
// where the whole ends, whose padding is then its own.
bool fits(const Shape& whole, const Shape& part, int channel) {
  return channel % kLanes == 0 && (part.c % kLanes == 0 || channel + part.c == whole.c);
}

class PartFinder {
 public:
  explicit PartFinder(const Tape& tape) : tape_(tape), parts_(tape.graph.nodes().size()) {}

  std::vector<Part> run() {
    for (const Value row : tape_.order) {
      const Node& node = tape_.graph.node(row);
      if (node.op == Op::slice) place(row, node.inputs[0], node.a.begin);
      if (node.op != Op::concat) continue;
      int channel = 0;
      for (const Value input : node.inputs) {
        place(input, row, channel);
        channel += shape(input).c;
      }
    }
    for (Part& part : parts_) part = resolve(part);
    return std::move(parts_);
  }

 private:
  void place(Value part, Value whole, int channel) {
    if (parts_[part].whole != kNoValue || !fits(shape(whole), shape(part), channel)) return;
    parts_[part] = {whole, channel};
  }

  // A whole may be a part of another; its channels begin at a whole vector there too.
  Part resolve(Part part) const {
    while (part.whole != kNoValue && parts_[part.whole].whole != kNoValue) {
      const Part outer = parts_[part.whole];
      part = {outer.whole, part.channel + outer.channel};
    }
    return part;
  }

  Shape shape(Value v) const { return tape_.graph.shape(v); }

  const Tape& tape_;
  std::vector<Part> parts_;
};

// Lives of values step by step.
class Lives {
 public:
  explicit Lives(const Tape& tape) : tape_(tape), alive_(tape.graph.nodes().size()) {
    for (int step = 0; step < tape.steps(); ++step) {
      const Value row = tape.order[step];
      alive_[row].push_back({step, step});
      for (const Value input : tape.graph.node(row).inputs) touch(input, step);
    }
    if (tape.graph.output != kNoValue) touch(tape.graph.output, tape.forward);
  }

  // A part in several lives would need the whole's steps in between known; one life is enough.
  void join(Value part, Value whole) {
    for (const Steps& s : alive_[part]) {
      touch(whole, s.first);
      alive_[whole].back().first = std::min(alive_[whole].back().first, s.first);
      touch(whole, s.last);
    }
    if (alive_[whole].empty()) return;
    alive_[whole] = {{alive_[whole].front().first, alive_[whole].back().last}};
  }

  const std::vector<Steps>& of(Value v) const { return alive_[v]; }

 private:
  // A value that no row of its own makes is made by the first row that names it (with_stats).
  void touch(Value v, int step) {
    if (alive_[v].empty()) alive_[v].push_back({step, step});
    alive_[v].back().last = std::max(alive_[v].back().last, step);
  }

  const Tape& tape_;
  std::vector<std::vector<Steps>> alive_;
};

}  // namespace

std::vector<Part> find_parts(const Tape& tape) { return PartFinder(tape).run(); }

std::vector<Lifetime> lifetimes(const Tape& tape, const std::vector<Part>& parts, int images) {
  Lives lives(tape);
  const auto n = static_cast<Value>(parts.size());
  for (Value v = 0; v < n; ++v) {
    if (parts[v].whole != kNoValue) lives.join(v, parts[v].whole);
  }
  std::vector<Lifetime> values(n);
  for (Value v = 0; v < n; ++v) {
    if (parts[v].whole != kNoValue || lives.of(v).empty()) continue;
    values[v] = {View{nullptr, tape.graph.shape(v)}.image_size() * images, lives.of(v)};
  }
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
