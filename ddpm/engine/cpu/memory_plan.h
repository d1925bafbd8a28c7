// Offsets in one arena for values that live for some steps of a tape only.
#pragma once

#include <cstddef>
#include <vector>

#include "ddpm/engine/cpu/tape.h"

namespace ddpm::cpu {

/// Steps first .. last, both included.
struct Steps {
  int first = 0, last = 0;
};

/// A value exists from the step that makes it to the last that reads it; one that is made again
/// later has two lives. The bytes hold nothing in between.
struct Lifetime {
  std::size_t floats = 0;
  std::vector<Steps> alive;
};

/// Where a value lies in another's pixels: a part of a concatenation that its maker writes in
/// place, or the slice of a gradient that its readers read in place.
struct Part {
  Value whole = kNoValue;  // kNoValue: the value has memory of its own
  int channel = 0;         // its first channel in `whole`
};

/// The parts of the tape's concatenations and slices that begin at whole vectors, one a value; the
/// others are copied. `whole` is never itself a part.
std::vector<Part> find_parts(const Tape& tape);

/// `images` copies of each value. A part has 0 floats; the value that holds it lives as long as any
/// of its parts. Values of rows that make none or do not run have 0 floats. The graph's output
/// lives to the end of the forward pass.
std::vector<Lifetime> lifetimes(const Tape& tape, const std::vector<Part>& parts, int images);

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // in floats, multiples of 16 (64 bytes)
  std::size_t floats = 0;            // of the arena
};

/// Two values whose lifetimes meet never overlap. Largest first, each at the lowest place that is
/// free.
MemoryPlan plan_memory(const std::vector<Lifetime>& values);

}  // namespace ddpm::cpu
