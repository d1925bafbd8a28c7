// The arguments of `ddpm sample`, and what follows from them alone.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ddpm::cli {

struct SampleArgs {
  static constexpr int kDefaultCalls = 50;  // of the network; a model of fewer times gets them all

  std::string model, out = "samples.png", plan = "ddim:50", shard, trace;
  std::string label, guide_with, classifier;
  std::vector<std::uint64_t> trace_images;
  std::int64_t count = 16;
  std::uint64_t seed = 0, first = 0;
  double guidance = 1, classifier_scale = 1;
  int threads = 0, preview = 0;
  bool plan_given = false, guidance_given = false, json = false;
};

/// Declares the options of `command` that fill `args`, which must live as long.
void declare_sample_options(CLI::App& command, SampleArgs& args);

/// The images that this process draws.
struct ImageRange {
  std::uint64_t first;
  std::int64_t count;
};
/// Throws Error where numbers reach 2^44 (Philox counts images in 44 bits), for a --shard that is
/// none, and for more shards than images.
ImageRange image_range(const SampleArgs& args);

/// Remakes the same bytes: threads are not part of it.
std::string command_of(const SampleArgs& args);

/// Remakes the one PNG of a folder, whatever the others are: `-n 1 --label 2 --first 7 -o ./`.
std::string command_of_image(const SampleArgs& args, std::uint64_t image, std::optional<int> label);

}  // namespace ddpm::cli
