// How images come to be: the state and the guess of x0 after every row of the plan.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "ddpm/cli/npy_writer.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/image/apng.h"

namespace ddpm::cli {

struct SampleTraceSpec {
  std::filesystem::path folder;
  std::vector<std::uint64_t> images;  // numbers, all of the first batch
  std::uint64_t first = 0;            // number of the batch's first image
  Shape shape;
  PngText text;
};

/// Writes x.npy, float32 [rows + 1, images, C, H, W], that begins with x_T; x0.npy, [rows, images,
/// C, H, W]; trace.json, the time of every row; trace.png, an animated PNG of at most 100 frames
/// with x_t above and x0 below. Memory stays bounded however many rows there are.
class SampleTrace {
 public:
  /// Throws Error (resources) when the folder can't be written to.
  SampleTrace(SampleTraceSpec spec, const Plan& plan);

  /// The batch before the first row, standard normal. [n, C, H, W]
  void start(std::span<const float> noise);
  /// The batch after row `row`.
  void add(int row, std::span<const float> x, std::span<const float> x0);
  void finish();

 private:
  using Part = std::span<const float>;

  void add_frame(int row, Part x, Part x0);
  Part part(std::span<const float> batch, std::uint64_t image) const;

  SampleTraceSpec spec_;
  const Plan& plan_;
  NpyWriter x_, x0_;
  std::vector<int> frame_rows_;  // after which rows there is a frame; -1: before the first
  std::vector<ApngFrame> frames_;
};

}  // namespace ddpm::cli
