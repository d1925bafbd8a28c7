#include "ddpm/engine/cpu/winograd_weights.h"

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm::cpu {
namespace {

constexpr int kTaps = 9;

}  // namespace

WinogradWeights::WinogradWeights(const RowContext& c, bool backward, bool keep)
    : name_(c.node.param + ".weight"),
      backward_(backward),
      keep_(keep),
      looks_(c.training),
      channels_(c.in[0].shape.c),
      outputs_(c.out.shape.c),
      panels_(c.out.width()),
      workspace_(c.workspace) {
  DDPM_CHECK(!(keep_ && looks_));
  const std::size_t taps = std::size_t{kTaps} * channels_ * panels_.width * panels_.count;
  if (!looks_) packed_.assign(keep_ ? all_floats() : taps, 0.0f);
}

void WinogradWeights::pack(const Params& params, ThreadPool& pool) {
  stored_ = params.tensor(name_);
  if (looks_) return;
  if (keep_) {
    transform(packed_.data(), pool);
  } else {
    pool.run(panels_.count * chunks(), [&](int task, int) {
      const int panel = task / chunks(), chunk = task % chunks();
      lay_out(panel, chunk, packed_.data() + packed_at(panel, chunk));
    });
  }
  stored_ = {};
}

const float* WinogradWeights::all(ThreadPool& pool) const {
  if (keep_) return packed_.data();
  transform(workspace_.shared(), pool);
  return workspace_.shared();
}

void WinogradWeights::transform(float* u, ThreadPool& pool) const {
  pool.run(panels_.count * chunks(), [&](int task, int worker) {
    const int panel = task / chunks(), chunk = task % chunks(), width = panels_.floats(panel);
    transform_chunk(panel, chunk, worker,
                    u + panel * panel_floats() + std::size_t{1} * chunk * kChunk * width,
                    component(channels_));
  });
}

int WinogradWeights::transform_chunk(int panel, int chunk, int worker, float* u) const {
  const int channels = channels_of(chunk);
  transform_chunk(panel, chunk, worker, u, component(channels));
  return channels;
}

void WinogradWeights::transform_chunk(int panel, int chunk, int worker, float* u,
                                      std::size_t u_component) const {
  const bool from_stored = keep_ || looks_;
  const float* taps =
      from_stored ? workspace_.of(worker) : packed_.data() + packed_at(panel, chunk);
  if (from_stored) lay_out(panel, chunk, workspace_.of(worker));
  kernels().transform_weight({.w = taps,
                              .channels = channels_of(chunk),
                              .vectors = panels_.vectors(panel),
                              .u = u,
                              .u_component = u_component});
}

std::span<const float> WinogradWeights::taps(int panel, int chunk) const {
  if (looks_ || chunk >= chunks()) return {};
  return {packed_.data() + packed_at(panel, chunk),
          std::size_t{kTaps} * channels_of(chunk) * panels_.floats(panel)};
}

std::size_t WinogradWeights::packed_at(int panel, int chunk) const {
  return std::size_t{kTaps} * (std::size_t{1} * panel * channels_ * panels_.width +
                               std::size_t{1} * chunk * kChunk * panels_.floats(panel));
}

// The stored [out, in, tap] of some channels as [channel][vector][tap][lane], columns past the end
// zero: the order in which transform_weight reads.
void WinogradWeights::lay_out(int panel, int chunk, float* taps) const {
  const int channels = channels_of(chunk), width = panels_.floats(panel);
  const int first = panels_.begin(panel), columns = std::min(width, outputs_ - first);
  const int lanes = kernels().vector;
  if (columns < width) std::fill_n(taps, std::size_t{kTaps} * channels * width, 0.0f);
  for (int j = 0; j < columns; ++j) {
    float* column = taps + std::size_t{kTaps} * (j / lanes * lanes) + j % lanes;
    for (int c = 0; c < channels; ++c) {
      const float* from = stored_.data() + kTaps * entry(first + j, chunk * kChunk + c);
      float* to = column + std::size_t{kTaps} * c * width;
      for (int tap = 0; tap < kTaps; ++tap) to[tap * lanes] = from[backward_ ? 8 - tap : tap];
    }
  }
}

std::size_t WinogradWeights::entry(int y_channel, int x_channel) const {
  return backward_ ? std::size_t{1} * x_channel * outputs_ + y_channel
                   : std::size_t{1} * y_channel * channels_ + x_channel;
}

}  // namespace ddpm::cpu
