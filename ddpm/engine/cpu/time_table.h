// What a network computes from time and label alone, kept by both: sampling asks for the same few
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
  /// table. Keeps the results of at most `capacity` of them (of a whole batch at least), the least
  /// recently used ones going first.
  TimeTable(Program& program, TimeRows rows, int capacity = 1024);

  /// Makes the time rows' values of a batch: what the program's other steps read. Runs the rows for
  /// times and labels it does not hold, all at once. Bits are those of running them for every
  /// image. label: one an image, or none in a network without classes.
  void write(std::span<const double> time, std::span<const int> label = {});

 private:
  struct Key {
    std::uint64_t time_bits;
    int label;
    bool operator==(const Key&) const = default;
  };

  void compute_missing();
  void add_missing(const Key& key, double time, bool labelled);
  int find(const Key& key) const;  // -1 when unknown
  int free_entry();
  float* entry(int i) const { return entries_.get() + i * entry_floats_; }

  Program& program_;
  TimeRows rows_;
  std::vector<View> views_;
  std::size_t entry_floats_ = 0;
  int capacity_, used_ = 0;
  std::uint64_t batch_ = 0;
  std::vector<Key> keys_;  // of the entries
  std::vector<std::uint64_t> last_batch_;
  std::unique_ptr<float[]> entries_;  // touched when first used
  std::vector<Key> missing_;
  std::vector<double> missing_time_;
  std::vector<int> missing_label_;
};

}  // namespace ddpm::cpu
