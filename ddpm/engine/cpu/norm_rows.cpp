// Group norm forward, with its SiLU where a pass put it here, and sums over pixels.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/engine/cpu/norm_groups.h"

namespace ddpm::cpu {
namespace {

constexpr int kChunkFloats = 64 * 1024;  // of one array: 256 KiB

class NormStatsRow : public RowOp {
 public:
  explicit NormStatsRow(const RowContext& c)
      : x_(c.in[0]),
        stats_(c.out),
        g_(x_, c.node.a.groups, c.threads),
        epsilon_(c.node.a.epsilon),
        workspace_(c.workspace) {
    workspace_.require(3 * static_cast<std::size_t>(g_.chunk));
  }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      norm_stats(x_, g_, epsilon_, image, first, stats_.image(image), memory);
    });
  }

 private:
  View x_, stats_;
  NormGroups g_;
  double epsilon_;
  Workspace& workspace_;
};

// with_stats: the statistics are computed while the chunk is in the cache.
class NormalizeRow : public RowOp {
 public:
  explicit NormalizeRow(const RowContext& c)
      : x_(c.in[0]),
        stats_(c.in[1]),
        y_(c.out),
        g_(x_, c.node.a.groups, c.threads),
        params_(c.node.param, g_),
        a_(c.node.a),
        workspace_(c.workspace) {
    if (a_.modulated) modulation_ = c.in[2];
    workspace_.require(4 * static_cast<std::size_t>(g_.chunk));
  }

  void pack(const Params& params, ThreadPool&) override { params_.pack(params); }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      float* stats = stats_.image(image);
      if (a_.with_stats) norm_stats(x_, g_, a_.epsilon, image, first, stats, memory);
      float* shift = memory;
      float* gain = memory + g_.chunk;
      const float* modulation = a_.modulated ? modulation_.image(image) : nullptr;
      const auto [weight, bias] =
          channel_affine(g_, params_, modulation, first, memory + 2 * g_.chunk);
      norm_coefficients(g_, stats, weight, first, shift, gain);
      kernels().affine({.x = x_.image(image) + first,
                        .x_stride = static_cast<std::size_t>(x_.stride()),
                        .shift = shift,
                        .gain = gain,
                        .bias = bias,
                        .y = y_.image(image) + first,
                        .y_stride = static_cast<std::size_t>(y_.stride()),
                        .pixels = g_.pixels,
                        .width = g_.width_of(first),
                        .silu = a_.silu});
    });
  }

 private:
  View x_, stats_, y_, modulation_;
  NormGroups g_;
  NormParams params_;
  Attributes a_;
  Workspace& workspace_;
};

class SumPixelsRow : public RowOp {
 public:
  explicit SumPixelsRow(const RowContext& c) : x_(c.in[0]), y_(c.out), workspace_(c.workspace) {
    workspace_.require(2 * static_cast<std::size_t>(x_.width()));
  }

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int image, int worker) {
      double* sums = reinterpret_cast<double*>(workspace_.of(worker));
      kernels().sum(x_.image(image), sums, x_.pixels(), x_.width(), x_.stride());
      float* y = y_.image(image);
      for (int c = 0; c < x_.width(); ++c) y[c] = static_cast<float>(sums[c]);
    });
  }

 private:
  View x_, y_;
  Workspace& workspace_;
};

}  // namespace

NormGroups::NormGroups(const View& x, int groups, int threads)
    : count(groups),
      size(x.shape.c / groups),
      channels(x.shape.c),
      width(x.width()),
      pixels(x.pixels()) {
  const int unit = std::lcm(size, kLanes);
  const int most = std::max(unit, kChunkFloats / pixels);  // what the cache holds
  const int share = (width + threads - 1) / threads;       // one image alone feeds all threads
  chunk = std::min(width, std::max(unit, std::min(most, share) / unit * unit));
  chunks = (width + chunk - 1) / chunk;
}

int NormGroups::width_of(int first) const { return std::min(chunk, width - first); }
int NormGroups::last_group(int first) const { return std::min(count, (first + chunk) / size); }

void norm_stats(const View& x, const NormGroups& g, double epsilon, int image, int first,
                float* stats, float* scratch) {
  double* sums = reinterpret_cast<double*>(scratch);
  float* shift = scratch + 2 * g.chunk;
  const int width = g.width_of(first);
  const float* from = x.image(image) + first;
  float* mean = stats;
  float* rstd = stats + g.count;
  const double n = static_cast<double>(g.size) * g.pixels;
  const auto group_mean = [&](int group) {
    const double* of_group = sums + (group * g.size - first);
    return std::accumulate(of_group, of_group + g.size, 0.0) / n;
  };
  kernels().sum(from, sums, g.pixels, width, x.stride());
  std::fill_n(shift, width, 0.0f);
  for (int group = g.first_group(first); group < g.last_group(first); ++group) {
    mean[group] = static_cast<float>(group_mean(group));
    std::fill_n(shift + (group * g.size - first), g.size, mean[group]);
  }
  kernels().sum_squares(from, shift, sums, g.pixels, width, x.stride());
  for (int group = g.first_group(first); group < g.last_group(first); ++group) {
    rstd[group] = static_cast<float>(1 / std::sqrt(group_mean(group) + epsilon));
  }
}

NormParams::NormParams(const std::string& param, const NormGroups& g)
    : weight_name(param + ".weight"),
      bias_name(param + ".bias"),
      weight(g.width, 0.0f),
      bias(g.width, 0.0f) {}

void NormParams::pack(const Params& params) {
  const auto w = params.tensor(weight_name), b = params.tensor(bias_name);
  std::copy(w.begin(), w.end(), weight.begin());
  std::copy(b.begin(), b.end(), bias.begin());
}

ChannelAffine channel_affine(const NormGroups& g, const NormParams& params, const float* modulation,
                             int first, float* memory) {
  const float* weight = params.weight.data() + first;
  const float* bias = params.bias.data() + first;
  if (modulation == nullptr) return {weight, bias};
  std::fill_n(memory, 2 * g.chunk, 0.0f);
  for (int c = first; c < std::min(first + g.chunk, g.channels); ++c) {
    const int i = c - first;
    const float factor = 1 + modulation[c];
    memory[i] = weight[i] * factor;
    memory[g.chunk + i] = bias[i] * factor + modulation[g.channels + c];
  }
  return {memory, memory + g.chunk};
}

void norm_coefficients(const NormGroups& g, const float* stats, const float* weight, int first,
                       float* shift, float* gain) {
  std::fill_n(shift, g.chunk, 0.0f);
  std::fill_n(gain, g.chunk, 0.0f);
  for (int c = first; c < std::min(first + g.chunk, g.channels); ++c) {
    shift[c - first] = stats[c / g.size];
    gain[c - first] = stats[g.count + c / g.size] * weight[c - first];
  }
}

std::unique_ptr<RowOp> make_norm_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::norm_stats:
      return std::make_unique<NormStatsRow>(c);
    case Op::normalize:
      return std::make_unique<NormalizeRow>(c);
    case Op::sum_pixels:
      return std::make_unique<SumPixelsRow>(c);
    default:
      return make_norm_gradient_row(c);
  }
}

}  // namespace ddpm::cpu
