// What the weight gradients of direct convolutions share: tasks of slices, and the way from sums to
// the stored weight.
#pragma once

#include <string>

#include "ddpm/engine/cpu/bias_gradient.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {

/// A slice of the batch and where its gradient goes.
struct Slice {
  int first_image, images;
  Params& gradient;
};

/// Runs body(slice, task, scratch) for `tasks` tasks of each slice, and the bias's gradient, which
/// takes longest and begins first. scratch: the worker's memory.
template <class Body>
void run_dw_tasks(const Run& run, ThreadPool& pool, Workspace& workspace, const View& dy,
                  const std::string& bias, int tasks, const Body& body) {
  const int slices = static_cast<int>(run.slices.size());
  pool.run(slices * (tasks + 1), [&](int number, int worker) {
    const int index = number % slices, task = number / slices - 1;
    int first = 0;
    for (int s = 0; s < index; ++s) first += run.slices[s];
    const Slice slice{first, run.slices[index], *run.gradients[index]};
    float* scratch = workspace.of(worker);
    if (task < 0) {
      bias_gradient(dy, slice.first_image, slice.images, scratch, slice.gradient.tensor(bias));
    } else {
      body(slice, task, scratch);
    }
  });
}

/// Sums [tap][row][column], `row_step` rows a tap and `width` columns a row, of input channels
/// [first_row, first_row + rows) and outputs [first_column, first_column + columns).
struct DwBlock {
  int taps, first_row, rows, row_step, first_column, columns, width;
};

/// Into the stored [out, in, tap].
inline void scatter(const DwBlock& b, const float* sums, int in_channels, std::span<float> weight) {
  for (int o = 0; o < b.columns; ++o) {
    for (int r = 0; r < b.rows; ++r) {
      float* to = weight.data() +
                  (std::size_t{1} * (b.first_column + o) * in_channels + b.first_row + r) * b.taps;
      for (int tap = 0; tap < b.taps; ++tap) {
        to[tap] = sums[(std::size_t{1} * tap * b.row_step + r) * b.width + o];
      }
    }
  }
}

}  // namespace ddpm::cpu
