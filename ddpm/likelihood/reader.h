// The network's outputs that a likelihood is made of: images of a data set at chosen times.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

/// Images 0..count-1 of a data set, as a likelihood takes them.
struct TestImages {
  const Dataset& data;
  std::size_t count;
  bool labels = false;  // whether the network is told each image's class
};

/// One output: image `image` with x_t = sqrt(alpha_bar_t) x0 + sqrt(1 - alpha_bar_t) eps. Valid
/// while the sink runs.
struct Reading {
  std::size_t image;
  int t;
  std::span<const float> x0, eps, out;
};

/// Asks a network in whole batches. eps is a function of (seed, image, t) alone, so that no reading
/// depends on the batch, and two processes that share a t share its reading.
class Reader {
 public:
  using Sink = std::function<void(const Reading&)>;

  /// All must outlive the reader.
  Reader(Denoiser& denoiser, const Schedule& schedule, const TestImages& images, std::uint64_t seed,
         Sink sink);

  /// Readings reach the sink in the order in which they were asked for, sooner or later.
  void ask(std::size_t image, int t);
  /// Now.
  void finish();

 private:
  void load(std::size_t image);

  Denoiser& denoiser_;
  const Schedule& schedule_;
  const TestImages& images_;
  std::uint64_t seed_;
  Sink sink_;
  std::size_t n_, n_out_;
  struct Asked {
    std::size_t image;
    int t;
  };
  std::vector<Asked> asked_;
  std::vector<float> x0_, eps_, x_t_, out_;  // [batch, ...]
  std::vector<double> time_;
  std::vector<int> label_;
  // The image loaded last: it is asked about at many times in a row.
  std::size_t loaded_ = SIZE_MAX;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> image_;
};

}  // namespace ddpm
