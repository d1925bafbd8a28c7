// Where the time of a network goes, by kind of row: for benchmarks.
#pragma once

#include <map>
#include <string>

#include "ddpm/net/graph.h"

namespace ddpm::cpu {

struct OpTime {
  double seconds = 0;
  double direct_flops = 0;  // of a direct computation; a multiply-add counts two
  double real_flops = 0;    // that the chosen algorithm does
};

/// While it lives, the rows that Denoisers and Learners run from the thread that made it are timed.
/// One at a time a thread.
class OpClock {
 public:
  OpClock();
  ~OpClock();
  OpClock(const OpClock&) = delete;
  OpClock& operator=(const OpClock&) = delete;

  /// This thread's clock, or null.
  static OpClock* current();

  void add(const std::string& kind, const OpTime& time);

  /// Sums by op_kind().
  const std::map<std::string, OpTime>& times() const { return times_; }

 private:
  std::map<std::string, OpTime> times_;
};

/// The row's operation; convolutions with their size, as "conv 3x3", "conv_dw 3x3 /2".
std::string op_kind(const Node& node);

/// Floating-point operations of a row for one image, computed directly: convolutions and
/// attention's products, 2 a multiply-add (taps outside the image included); 0 for other rows.
double direct_flops(const Graph& graph, const Node& node);

/// Whether F(4x4, 3x3) can compute the row with a quarter of the multiply-adds.
bool is_winograd_shape(const Node& node);

}  // namespace ddpm::cpu
