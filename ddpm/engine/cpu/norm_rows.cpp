// Group norm, forward and backward, and sums over pixels. A group's sums run over its channels in
// order, a channel's over the pixels in fixed blocks, so no value depends on the batch or on
// threads.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

// One group norm's geometry: work is cut into chunks of channels that hold whole groups and whole
// vectors.
struct Groups {
  explicit Groups(const View& x, int groups)
      : count(groups), size(x.shape.c / groups), stride(x.stride()), pixels(x.pixels()) {
    chunk = std::min(stride, std::lcm(size, kLanes));
    chunks = (stride + chunk - 1) / chunk;
  }

  int width(int first) const { return std::min(chunk, stride - first); }
  int first_group(int first) const { return first / size; }
  int last_group(int first) const {
    return std::min(count, (first + chunk) / size);
  }  // one past it

  int count, size, stride, pixels, chunk, chunks;
};

// Shares the chunks of all images out: body(image, first channel, the worker's memory).
template <class Body>
void for_chunks(ThreadPool& pool, int images, const Groups& g, Workspace& workspace,
                const Body& body) {
  pool.run(images * g.chunks, [&](int task, int worker) {
    body(task / g.chunks, task % g.chunks * g.chunk, workspace.of(worker));
  });
}

class NormStatsRow : public RowOp {
 public:
  explicit NormStatsRow(const RowContext& c)
      : x_(c.in[0]),
        stats_(c.out),
        g_(x_, c.node.a.groups),
        epsilon_(c.node.a.epsilon),
        workspace_(c.workspace) {
    workspace_.require(3 * static_cast<std::size_t>(g_.chunk));
  }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      double* sums = reinterpret_cast<double*>(memory);
      chunk(image, first, sums, reinterpret_cast<float*>(sums + g_.chunk));
    });
  }

 private:
  // Two passes: the mean, then the mean square distance from it.
  void chunk(int image, int first, double* sums, float* shift) const {
    const int width = g_.width(first);
    const float* x = x_.image(image) + first;
    float* mean = stats_.image(image);
    float* rstd = mean + g_.count;
    const double n = static_cast<double>(g_.size) * g_.pixels;
    kernels().sum(x, sums, g_.pixels, width, g_.stride);
    std::fill_n(shift, width, 0.0f);
    for (int g = g_.first_group(first); g < g_.last_group(first); ++g) {
      const int begin = g * g_.size - first;
      mean[g] = static_cast<float>(std::accumulate(sums + begin, sums + begin + g_.size, 0.0) / n);
      std::fill_n(shift + begin, g_.size, mean[g]);
    }
    kernels().sum_squares(x, shift, sums, g_.pixels, width, g_.stride);
    for (int g = g_.first_group(first); g < g_.last_group(first); ++g) {
      const int begin = g * g_.size - first;
      const double variance = std::accumulate(sums + begin, sums + begin + g_.size, 0.0) / n;
      rstd[g] = static_cast<float>(1 / std::sqrt(variance + epsilon_));
    }
  }

  View x_, stats_;
  Groups g_;
  double epsilon_;
  Workspace& workspace_;
};

// What the rows that read statistics share: per-channel mean and rstd of one image, and padded
// parameters.
class NormalizeBase : public RowOp {
 protected:
  NormalizeBase(const RowContext& c, int arrays)
      : x_(c.in[0]), stats_(c.in[1]), g_(x_, c.node.a.groups), workspace_(c.workspace) {
    workspace_.require(static_cast<std::size_t>(arrays) * g_.stride);
  }

  const float* mean(int image) const { return stats_.image(image); }
  const float* rstd(int image) const { return stats_.image(image) + g_.count; }

  // Calls fill(channel, group) for the real channels of a chunk.
  template <class Fill>
  void for_channels(int first, const Fill& fill) const {
    const int end = std::min(first + g_.chunk, x_.shape.c);
    for (int c = first; c < end; ++c) fill(c, c / g_.size);
  }

  View x_, stats_;
  Groups g_;
  Workspace& workspace_;
};

std::vector<float> padded_copy(std::span<const float> values, int stride) {
  std::vector<float> result(stride, 0.0f);
  std::copy(values.begin(), values.end(), result.begin());
  return result;
}

class NormalizeRow : public NormalizeBase {
 public:
  explicit NormalizeRow(const RowContext& c)
      : NormalizeBase(c, 2), name_(c.node.param), y_(c.out) {}

  void pack(const Params& params, ThreadPool&) override {
    weight_ = padded_copy(params.tensor(name_ + ".weight"), g_.stride);
    bias_ = padded_copy(params.tensor(name_ + ".bias"), g_.stride);
  }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* shift) {
      float* gain = shift + g_.chunk;
      std::fill_n(shift, 2 * g_.chunk, 0.0f);
      for_channels(first, [&](int c, int g) {
        shift[c - first] = mean(image)[g];
        gain[c - first] = rstd(image)[g] * weight_[c];
      });
      kernels().affine(x_.image(image) + first, shift, gain, bias_.data() + first,
                       y_.image(image) + first, g_.pixels, g_.width(first), g_.stride);
    });
  }

 private:
  std::string name_;
  View y_;
  std::vector<float> weight_, bias_;
};

class NormalizeSumsRow : public NormalizeBase {
 public:
  explicit NormalizeSumsRow(const RowContext& c)
      : NormalizeBase(c, 5), dy_(c.in[2]), sums_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      double* sums = reinterpret_cast<double*>(memory);
      chunk(image, first, sums, reinterpret_cast<float*>(sums + g_.chunk));
    });
  }

 private:
  void chunk(int image, int first, double* sums, float* shift) const {
    const int width = g_.width(first);
    const float* dy = dy_.image(image) + first;
    float* out = sums_.image(image);
    kernels().sum(dy, sums, g_.pixels, width, g_.stride);
    for_channels(first, [&](int c, int) { out[c] = static_cast<float>(sums[c - first]); });
    std::fill_n(shift, width, 0.0f);
    for_channels(first, [&](int c, int g) { shift[c - first] = mean(image)[g]; });
    kernels().sum_products(x_.image(image) + first, dy, shift, sums, g_.pixels, width, g_.stride);
    for_channels(first, [&](int c, int g) {
      out[x_.shape.c + c] = static_cast<float>(sums[c - first] * rstd(image)[g]);
    });
  }

  View dy_, sums_;
};

// dx = rstd (w dy - m1 - xhat m2), m1 and m2 the means over the group of w dy and of w dy xhat.
class NormalizeDxRow : public NormalizeBase {
 public:
  explicit NormalizeDxRow(const RowContext& c)
      : NormalizeBase(c, 4), name_(c.node.param), dy_(c.in[2]), sums_(c.in[3]), dx_(c.out) {}

  void pack(const Params& params, ThreadPool&) override {
    weight_ = padded_copy(params.tensor(name_ + ".weight"), g_.stride);
  }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* shift) {
      float* p = shift + g_.chunk;
      float* q = p + g_.chunk;
      float* r = q + g_.chunk;
      std::fill_n(shift, 4 * g_.chunk, 0.0f);
      for (int g = g_.first_group(first); g < g_.last_group(first); ++g) {
        coefficients(image, g, first, shift, p, q, r);
      }
      kernels().affine_dx(x_.image(image) + first, dy_.image(image) + first, shift, p, q, r,
                          dx_.image(image) + first, g_.pixels, g_.width(first), g_.stride);
    });
  }

 private:
  void coefficients(int image, int g, int first, float* shift, float* p, float* q, float* r) const {
    const float* sum_dy = sums_.image(image);
    const float* sum_dy_xhat = sum_dy + x_.shape.c;
    double m1 = 0, m2 = 0;
    for (int c = g * g_.size; c < (g + 1) * g_.size; ++c) {
      m1 += static_cast<double>(weight_[c]) * sum_dy[c];
      m2 += static_cast<double>(weight_[c]) * sum_dy_xhat[c];
    }
    const double n = static_cast<double>(g_.size) * g_.pixels;
    const double s = rstd(image)[g];
    for (int c = g * g_.size - first, i = 0; i < g_.size; ++c, ++i) {
      shift[c] = mean(image)[g];
      p[c] = static_cast<float>(s * weight_[first + c]);
      q[c] = static_cast<float>(-s * s * m2 / n);
      r[c] = static_cast<float>(-s * m1 / n);
    }
  }

  std::string name_;
  View dy_, sums_, dx_;
  std::vector<float> weight_;
};

// The sums of normalize_sums, added over the images of each slice.
class NormalizeDwRow : public RowOp {
 public:
  explicit NormalizeDwRow(const RowContext& c) : name_(c.node.param), sums_(c.in[0]) {}

  void run(const Run& run, ThreadPool&) override {
    int first = 0;
    for (std::size_t s = 0; s < run.slices.size(); first += run.slices[s++]) {
      const std::span<float> weight = run.gradients[s]->tensor(name_ + ".weight");
      const std::span<float> bias = run.gradients[s]->tensor(name_ + ".bias");
      std::fill(weight.begin(), weight.end(), 0.0f);
      std::fill(bias.begin(), bias.end(), 0.0f);
      for (int n = first; n < first + run.slices[s]; ++n) {
        const float* sums = sums_.image(n);
        for (std::size_t c = 0; c < bias.size(); ++c) bias[c] += sums[c];
        for (std::size_t c = 0; c < weight.size(); ++c) weight[c] += sums[bias.size() + c];
      }
    }
  }

 private:
  std::string name_;
  View sums_;
};

class SumPixelsRow : public RowOp {
 public:
  explicit SumPixelsRow(const RowContext& c) : x_(c.in[0]), y_(c.out), workspace_(c.workspace) {
    workspace_.require(2 * static_cast<std::size_t>(x_.stride()));
  }

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int image, int worker) {
      double* sums = reinterpret_cast<double*>(workspace_.of(worker));
      kernels().sum(x_.image(image), sums, x_.pixels(), x_.stride(), x_.stride());
      float* y = y_.image(image);
      for (int c = 0; c < x_.stride(); ++c) y[c] = static_cast<float>(sums[c]);
    });
  }

 private:
  View x_, y_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_norm_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::norm_stats:
      return std::make_unique<NormStatsRow>(c);
    case Op::normalize:
      return std::make_unique<NormalizeRow>(c);
    case Op::normalize_sums:
      return std::make_unique<NormalizeSumsRow>(c);
    case Op::normalize_dx:
      return std::make_unique<NormalizeDxRow>(c);
    case Op::normalize_dw:
      return std::make_unique<NormalizeDwRow>(c);
    case Op::sum_pixels:
      return std::make_unique<SumPixelsRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
