// The weights of a 3x3 convolution as Winograd's products read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/row.h"
#include "ddpm/engine/cpu/winograd.h"

namespace ddpm::cpu {

/// Products read 36 components where a model stores nine taps. Whoever uses the same weights for
/// many tiles, many times, keeps the components. In training, where they change with every step,
/// they are made in every run, in memory that all rows share. For few tiles they are made by the
/// task that needs them: reading four times as much from memory would take longer.
class WinogradWeights {
 public:
  static constexpr int kChunk = 32;  // channels whose components stay in the second-level cache

  /// backward: the data gradient's, turned by 180 degrees, in and out exchanged. keep: all
  /// components; not in training.
  WinogradWeights(const RowContext& c, bool backward, bool keep);

  bool kept() const { return keep_; }
  int channels() const { return channels_; }
  const Panels& panels() const { return panels_; }
  int chunks() const { return (channels_ + kChunk - 1) / kChunk; }
  /// From one component to the next, for `channels` of them: not a power of two, or all components
  /// of an entry would fall into one set of the first-level cache.
  std::size_t component(int channels) const {
    return std::size_t{1} * channels * panels_.width + kLanes;
  }
  std::size_t panel_floats() const { return kComponents * component(channels_); }
  std::size_t all_floats() const { return panel_floats() * panels_.count; }
  /// At the beginning of each worker's memory, which the row requires: in use during transforms.
  std::size_t scratch_floats() const {
    return keep_ || looks_ ? std::size_t{9} * kChunk * panels_.width : 0;
  }
  std::size_t chunk_floats() const { return kComponents * component(kChunk); }

  /// In training only looks at the parameters: they must outlive the runs.
  void pack(const Params& params, ThreadPool& pool);

  /// Everything: [panel][component][channel][column of the panel], as far apart as component()
  /// says. Those that are not kept are made in the first all_floats() of the shared workspace.
  const float* all(ThreadPool& pool) const;

  // Not kept:
  /// The taps of a chunk, contiguous; empty past the last chunk and in training.
  std::span<const float> taps(int panel, int chunk) const;

  /// One chunk of a panel's channels: [component][channel][column]. Returns how many channels.
  int transform_chunk(int panel, int chunk, int worker, float* u) const;

 private:
  int channels_of(int chunk) const { return std::min(kChunk, channels_ - chunk * kChunk); }
  void transform(float* u, ThreadPool& pool) const;
  void transform_chunk(int panel, int chunk, int worker, float* u, std::size_t u_component) const;
  std::size_t packed_at(int panel, int chunk) const;  // not kept: where its taps lie
  void lay_out(int panel, int chunk, float* taps) const;
  std::size_t entry(int y_channel, int x_channel) const;

  std::string name_;
  bool backward_, keep_, looks_;
  int channels_, outputs_;  // of the product: dy's and dx's in the data gradient
  Panels panels_;
  std::span<const float> stored_;  // [out, in, tap]; only while packing, but in training
  Floats packed_;                  // kept: all(); or [panel][channel][vector][tap][lane]
  Workspace& workspace_;
};

}  // namespace ddpm::cpu
