// What a network computes from the time alone, kept by time: sampling asks for the same few times
// again and again.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ddpm/engine/cpu/passes.h"
#include "ddpm/engine/cpu/program.h"

namespace ddpm::cpu {

class TimeTable {
 public:
  /// `program` was made from the tape that hoist_time_rows() gave `rows` for, and outlives the
  /// table. Keeps the results of at most `capacity` times (of a whole batch at least), the least
  /// recently used ones going first.
  TimeTable(Program& program, TimeRows rows, int capacity = 1024);

  /// Makes the time rows' values of a batch: what the program's other steps read. Runs the rows for
  /// times it does not hold, all at once. Bits are those of running them for every image.
  void write(std::span<const double> time);

 private:
  void compute_missing();
  int find(std::uint64_t key) const;  // -1 when unknown
  int free_entry();
  float* entry(int i) const { return entries_.get() + i * entry_floats_; }

  Program& program_;
  TimeRows rows_;
  std::vector<View> views_;
  std::size_t entry_floats_ = 0;
  int capacity_, used_ = 0;
  std::uint64_t batch_ = 0;
  std::vector<std::uint64_t> keys_, last_batch_;  // of the entries; a key is a time's bits
  std::unique_ptr<float[]> entries_;              // touched when first used
  std::vector<double> missing_;
};

}  // namespace ddpm::cpu
