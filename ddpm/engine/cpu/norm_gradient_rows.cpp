// The gradient of group norm, of its SiLU too where a pass put it here.
#include <algorithm>

#include "ddpm/engine/cpu/norm_groups.h"

namespace ddpm::cpu {
namespace {

// What the two rows that read x, statistics and dy share. In the graph: sums over the pixels of d
// and of d (x - mean) rstd, {2 c, 1, 1}; d is dy, or its product with SiLU's slope.
class NormGradientBase : public RowOp {
 public:
  void pack(const Params& params, ThreadPool&) override {
    if (needs_params_) params_.pack(params);
  }

 protected:
  NormGradientBase(const RowContext& c, const View& sums, bool needs_params)
      : x_(c.in[0]),
        stats_(c.in[1]),
        dy_(c.in[2]),
        sums_(sums),
        g_(x_, c.node.a.groups, c.threads),
        params_(c.node.param, g_),
        a_(c.node.a),
        needs_params_(needs_params),
        workspace_(c.workspace) {
    workspace_.require(8 * static_cast<std::size_t>(g_.chunk));
  }

  // memory: shift, gain, then two doubles a channel. `affine`, `d`: for SiLU's gradient, and where
  // it goes.
  void sum_chunk(int image, int first, float* memory, const ChannelAffine& affine,
                 const View& d) const {
    float* shift = memory;
    float* gain = memory + g_.chunk;
    double* sums = reinterpret_cast<double*>(memory + 2 * g_.chunk);
    const float* stats = stats_.image(image);
    norm_coefficients(g_, stats, affine.weight, first, shift, gain);
    kernels().affine_sums({.x = x_.image(image) + first,
                           .x_stride = static_cast<std::size_t>(x_.stride()),
                           .dy = dy_.image(image) + first,
                           .dy_stride = static_cast<std::size_t>(dy_.stride()),
                           .shift = shift,
                           .gain = gain,
                           .bias = affine.bias,
                           .d = a_.silu ? d.image(image) + first : nullptr,
                           .d_stride = static_cast<std::size_t>(d.stride()),
                           .sums = sums,
                           .products = sums + g_.chunk,
                           .pixels = g_.pixels,
                           .width = g_.width_of(first),
                           .silu = a_.silu});
    float* out = sums_.image(image);
    const float* rstd = stats + g_.count;
    for (int c = first; c < std::min(first + g_.chunk, g_.channels); ++c) {
      out[c] = static_cast<float>(sums[c - first]);
      out[g_.channels + c] = static_cast<float>(sums[g_.chunk + c - first] * rstd[c / g_.size]);
    }
  }

  View x_, stats_, dy_, sums_;
  NormGroups g_;
  NormParams params_;
  Attributes a_;
  bool needs_params_;
  Workspace& workspace_;
};

class NormalizeSumsRow : public NormGradientBase {
 public:
  explicit NormalizeSumsRow(const RowContext& c) : NormGradientBase(c, c.out, false) {}

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      sum_chunk(image, first, memory, channel_affine(g_, params_, nullptr, first, nullptr), View{});
    });
  }
};

// dx = rstd (w d - m1 - xhat m2), m1 and m2 the means over the group of w d and of w d xhat.
// with_sums: the sums are computed while the chunk is in the cache, d lies in dx in between.
class NormalizeDxRow : public NormGradientBase {
 public:
  explicit NormalizeDxRow(const RowContext& c) : NormGradientBase(c, c.in[3], true), dx_(c.out) {
    if (a_.modulated) modulation_ = c.in[4];
    if (a_.add_residual) residual_ = c.in.back();
  }

  void run(const Run& run, ThreadPool& pool) override {
    for_chunks(pool, run.images, g_, workspace_, [&](int image, int first, float* memory) {
      const float* modulation = a_.modulated ? modulation_.image(image) : nullptr;
      const ChannelAffine affine =
          channel_affine(g_, params_, modulation, first, memory + 6 * g_.chunk);
      if (a_.with_sums) sum_chunk(image, first, memory, affine, dx_);
      finish(image, first, memory, affine.weight);
    });
  }

 private:
  void finish(int image, int first, float* memory, const float* weight) const {
    float* shift = memory;
    float* p = shift + g_.chunk;
    float* q = p + g_.chunk;
    float* r = q + g_.chunk;
    std::fill_n(memory, 4 * g_.chunk, 0.0f);
    for (int g = g_.first_group(first); g < g_.last_group(first); ++g) {
      coefficients(image, g, first, weight, shift, p, q, r);
    }
    const View& d = a_.silu ? dx_ : dy_;
    kernels().affine_dx(
        {.x = x_.image(image) + first,
         .x_stride = static_cast<std::size_t>(x_.stride()),
         .d = d.image(image) + first,
         .d_stride = static_cast<std::size_t>(d.stride()),
         .shift = shift,
         .p = p,
         .q = q,
         .r = r,
         .residual = residual_.data ? residual_.image(image) + first : nullptr,
         .residual_stride = static_cast<std::size_t>(residual_.data ? residual_.stride() : 0),
         .dx = dx_.image(image) + first,
         .dx_stride = static_cast<std::size_t>(dx_.stride()),
         .pixels = g_.pixels,
         .width = g_.width_of(first)});
  }

  // weight: of channel `first` on, as the results.
  void coefficients(int image, int g, int first, const float* weight, float* shift, float* p,
                    float* q, float* r) const {
    const float* sum_dy = sums_.image(image);
    const float* sum_dy_xhat = sum_dy + g_.channels;
    double m1 = 0, m2 = 0;
    for (int c = g * g_.size; c < (g + 1) * g_.size; ++c) {
      m1 += static_cast<double>(weight[c - first]) * sum_dy[c];
      m2 += static_cast<double>(weight[c - first]) * sum_dy_xhat[c];
    }
    const double n = static_cast<double>(g_.size) * g_.pixels;
    const double s = stats_.image(image)[g_.count + g];
    for (int c = g * g_.size - first, i = 0; i < g_.size; ++c, ++i) {
      shift[c] = stats_.image(image)[g];
      p[c] = static_cast<float>(s * weight[c]);
      q[c] = static_cast<float>(-s * s * m2 / n);
      r[c] = static_cast<float>(-s * m1 / n);
    }
  }

  View dx_, residual_, modulation_;
};

// The sums of normalize_sums, added over the images of each slice; times 1 + s where the image has
// a modulation.
class NormalizeDwRow : public RowOp {
 public:
  explicit NormalizeDwRow(const RowContext& c)
      : weight_name_(c.node.param + ".weight"), bias_name_(c.node.param + ".bias"), sums_(c.in[0]) {
    if (c.node.a.modulated) modulation_ = c.in[1];
  }

  void run(const Run& run, ThreadPool&) override {
    int first = 0;
    for (std::size_t s = 0; s < run.slices.size(); first += run.slices[s++]) {
      const std::span<float> weight = run.gradients[s]->tensor(weight_name_);
      const std::span<float> bias = run.gradients[s]->tensor(bias_name_);
      std::fill(weight.begin(), weight.end(), 0.0f);
      std::fill(bias.begin(), bias.end(), 0.0f);
      for (int n = first; n < first + run.slices[s]; ++n) {
        add(sums_.image(n), modulation_.data ? modulation_.image(n) : nullptr, weight, bias);
      }
    }
  }

 private:
  static void add(const float* sums, const float* modulation, std::span<float> weight,
                  std::span<float> bias) {
    const auto factor = [&](std::size_t c) { return modulation ? 1 + modulation[c] : 1.0f; };
    for (std::size_t c = 0; c < bias.size(); ++c) bias[c] += sums[c] * factor(c);
    for (std::size_t c = 0; c < weight.size(); ++c) {
      weight[c] += sums[bias.size() + c] * factor(c);
    }
  }

  std::string weight_name_, bias_name_;
  View sums_, modulation_;
};

// By s: sum of dy (xhat weight + bias); by t: sum of dy.
class NormalizeDmRow : public RowOp {
 public:
  explicit NormalizeDmRow(const RowContext& c) : sums_(c.in[0]), y_(c.out), param_(c.node.param) {}

  void pack(const Params& params, ThreadPool&) override {
    const auto w = params.tensor(param_ + ".weight"), b = params.tensor(param_ + ".bias");
    weight_.assign(w.begin(), w.end());
    bias_.assign(b.begin(), b.end());
  }

  void run(const Run& run, ThreadPool&) override {
    const std::size_t channels = weight_.size();
    for (int n = 0; n < run.images; ++n) {
      const float* sums = sums_.image(n);
      float* y = y_.image(n);
      for (std::size_t c = 0; c < channels; ++c) {
        y[c] = sums[channels + c] * weight_[c] + sums[c] * bias_[c];
        y[channels + c] = sums[c];
      }
      std::fill(y + 2 * channels, y + y_.width(), 0.0f);
    }
  }

 private:
  View sums_, y_;
  std::string param_;
  std::vector<float> weight_, bias_;
};

}  // namespace

std::unique_ptr<RowOp> make_norm_gradient_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::normalize_sums:
      return std::make_unique<NormalizeSumsRow>(c);
    case Op::normalize_dx:
      return std::make_unique<NormalizeDxRow>(c);
    case Op::normalize_dw:
      return std::make_unique<NormalizeDwRow>(c);
    case Op::normalize_dm:
      return std::make_unique<NormalizeDmRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
