// Small nets and what a tape makes of them: passes may not change a bit.
#pragma once

#include <cmath>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/engine/engine.h"
#include "ddpm/net/unets_for_test.h"

namespace ddpm::cpu {

inline std::vector<float> normals(std::size_t n, std::uint64_t stream) {
  std::vector<float> values(n);
  fill_normal({.seed = 5, .purpose = Purpose::eval_noise, .image = stream}, values);
  return values;
}

/// No tensor is zero, so that no path is hidden.
inline Params random_params(const Graph& g) {
  Params params(g.params());
  for (std::size_t i = 0; i < params.specs().size(); ++i) {
    const ParamSpec& spec = params.specs()[i];
    const auto t = params.tensor(spec.name);
    const auto z = normals(t.size(), 100 + i);
    const double fan = spec.shape.size() > 1 ? static_cast<double>(spec.size()) / spec.shape[0] : 4;
    for (std::size_t k = 0; k < t.size(); ++k) t[k] = static_cast<float>(z[k] / std::sqrt(fan));
  }
  return params;
}

/// Channels in whole vectors and not, one head and several, sides that no tile divides.
inline std::vector<Graph> small_unets(double dropout = 0.3) {
  const auto net = [&](int first, int second, int groups, int head) {
    return unet({.in_channels = 3,
                 .out_channels = 3,
                 .height = 10,
                 .width = 6,
                 .block_out_channels = {first, second},
                 .attention = {false, true},
                 .layers_per_block = 1,
                 .norm_num_groups = groups,
                 .dropout = dropout,
                 .attention_head_dim = head});
  };
  return {net(8, 24, 4, 8), net(16, 32, 8, 0), net(32, 48, 16, 0)};
}

/// Heads of 5 channels: of 8 and of 24 channels, one and four.
inline std::vector<UNetConfig> varied_configs(double dropout = 0) {
  return unet_kinds({.in_channels = 3,
                     .out_channels = 3,
                     .height = 8,
                     .width = 12,
                     .block_out_channels = {8, 24},
                     .attention = {false, true},
                     .layers_per_block = 1,
                     .norm_num_groups = 4,
                     .dropout = dropout},
                    /*head=*/5);
}

/// Labels that a network of the config takes.
inline std::vector<int> labels_for(const UNetConfig& config, std::size_t images) {
  std::vector<int> labels(images, kNoLabel);
  if (!config.conditional()) return labels;
  for (std::size_t i = 0; i < images; ++i) {
    labels[i] = config.null_class && i % 3 == 1 ? kNoLabel : static_cast<int>(i * 3 % 4);
  }
  return labels;
}

inline constexpr int kTestImages = 3;
inline const std::vector<double> kTestTimes = {7, 812.5, 7};

/// What one run of a tape leaves: the output, and, with a backward pass, all gradients of two
/// slices.
inline std::vector<float> results_of(const Tape& tape, const Params& params, int threads = 2,
                                     Profile profile = Profile::f32) {
  ThreadPool pool(threads);
  Program program(tape, kTestImages, pool, profile);
  program.pack(params);
  const std::vector<std::uint64_t> sample = {11, 5, 8};
  const std::vector<int> slices = {2, 1};
  std::vector<Params> gradients(slices.size(), Params(params.specs()));
  const std::vector<Params*> pointers = {&gradients[0], &gradients[1]};
  const Run run{.images = kTestImages,
                .time = kTestTimes,
                .sample = sample,
                .seed = 3,
                .step = 4,
                .train = tape.d_out != kNoValue,
                .slices = slices,
                .gradients = pointers};
  const auto write = [&](Value v, std::uint64_t stream) {
    write_planar(program.view(v), normals(kTestImages * tape.graph.shape(v).size(), stream));
  };
  write(input_rows(tape.graph).at(0), 1);
  program.run(0, tape.forward, run);
  std::vector<float> out(kTestImages * tape.graph.shape(tape.graph.output).size());
  read_planar(program.view(tape.graph.output), out);
  if (tape.d_out == kNoValue) return out;
  write(tape.d_out, 2);
  program.run(tape.forward, tape.steps(), run);
  for (const Params& g : gradients) out.insert(out.end(), g.all().begin(), g.all().end());
  return out;
}

inline int count(const Tape& tape, Op op) {
  int n = 0;
  for (const Value row : tape.order) n += tape.graph.node(row).op == op;
  return n;
}

}  // namespace ddpm::cpu
