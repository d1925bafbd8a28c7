// Direct convolutions, forward and data gradient: one fma chain an output, in increasing (tap,
// channel). Taps that reach no pixel of a group are left out: fma(0, w, sum) is the sum.
#include <algorithm>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/epilogue.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

struct WeightShape {
  int out, in, taps;
};

// A stored weight is [out, in, taps].
WeightShape weight_shape(const RowContext& c, int in, int out) {
  return {out, in, c.node.a.taps()};
}

// y = w * x over a table of taps. The data gradient is the same product with the roles of in and
// out exchanged.
class PanelRow : public RowOp {
 public:
  PanelRow(const RowContext& c, WeightShape shape, bool backward)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        shape_(shape),
        backward_(backward),
        x_(c.in[0]),
        y_(c.out),
        epilogue_(epilogue_of(c)),
        panels_(y_.width()),
        groups_(backward ? backward_groups(c.node.a, y_.shape, x_.shape, x_.stride())
                         : forward_groups(c.node.a, x_.shape, y_.shape, x_.stride())),
        zeros_(x_.width(), 0.0f),
        bias_(y_.width(), 0.0f) {
    panel_floats_ = static_cast<std::size_t>(shape_.taps) * x_.shape.c * panels_.width;
    weights_.assign(panel_floats_ * panels_.count, 0.0f);
  }

  void pack(const Params& params, ThreadPool& pool) override {
    const std::span<const float> w = params.tensor(weight_name_);
    pool.run(panels_.count, [&](int panel, int) { pack_panel(w.data(), panel); });
    if (backward_) return;
    const std::span<const float> b = params.tensor(bias_name_);
    std::copy(b.begin(), b.end(), bias_.begin());
  }

  void run(const Run& run, ThreadPool& pool) override {
    for (const PixelGroup& group : groups_) {
      const int total = run.images * group.pixels, most = pixels_in_cache();
      const int chunk = chunk_of(total, pool.threads(), most);
      const int chunks = (total + chunk - 1) / chunk;
      // All panels of a chunk while it is cached; where all of x is, each worker's own panels.
      const bool cached = total <= most;
      pool.run(panels_.count * chunks, [&](int task, int) {
        const int panel = cached ? task / chunks : task % panels_.count;
        const int begin = (cached ? task % chunks : task / panels_.count) * chunk;
        kernels().panel_product(product(group, panel, begin, std::min(total, begin + chunk)));
      });
    }
  }

 private:
  // Pixels a task: a multiple of every kernel's block, small enough to share the work out.
  int chunk_of(int total, int threads, int most) const {
    constexpr int kUnit = 24;
    const int share = total * panels_.count / (threads * 6);
    return std::clamp(share / kUnit * kUnit, kUnit, std::max(kUnit, most / kUnit * kUnit));
  }

  // Pixels of y whose x stays in a second-level cache.
  int pixels_in_cache() const {
    constexpr int kFloats = 98304;
    return kFloats / std::max(1, x_.shape.c * x_.pixels() / y_.pixels());
  }

  PanelProduct product(const PixelGroup& group, int panel, int begin, int end) const {
    const int first = panels_.begin(panel);
    const View& residual = epilogue_.residual;
    return {.x = x_.data,
            .x_image = x_.image_size(),
            .taps = group.offsets.data(),
            .pixels = group.pixels,
            .n_taps = static_cast<int>(group.taps.size()),
            .channels = x_.shape.c,
            .zeros = zeros_.data(),
            .w = weights_.data() + panel * panel_floats_ +
                 group.first_tap * tap_floats(panels_.floats(panel)),
            .bias = bias_.data() + first,
            .alpha = 1,
            .y = y_.data + first,
            .y_stride = static_cast<std::size_t>(y_.stride()),
            .vectors = panels_.vectors(panel),
            .columns = panels_.floats(panel),
            .vector = epilogue_.vector ? epilogue_.vector + first : nullptr,
            .vector_image = epilogue_.vector_image,
            .residual = residual.data ? residual.data + first : nullptr,
            .residual_stride = static_cast<std::size_t>(residual.stride()),
            .relu = epilogue_.relu,
            .places = group.places.empty() ? nullptr : group.places.data(),
            .image_pixels = y_.pixels(),
            .begin = begin,
            .end = end};
  }

  std::size_t tap_floats(int width) const { return static_cast<std::size_t>(x_.shape.c) * width; }

  // [tap, group by group][channel of x][column of the panel], columns past the end zero. Reads the
  // stored [out, in, taps] in order.
  void pack_panel(const float* w, int panel) {
    float* to = weights_.data() + panel * panel_floats_;
    const int width = panels_.floats(panel), first = panels_.begin(panel);
    const int columns = std::min(width, y_.shape.c - first);
    const std::size_t tap_step = tap_floats(width);
    const auto put = [&](int out, int in, int channel, int column) {
      const float* from = w + (static_cast<std::size_t>(out) * shape_.in + in) * shape_.taps;
      float* entry = to + static_cast<std::size_t>(channel) * width + column;
      for (const PixelGroup& group : groups_) {
        float* at = entry + group.first_tap * tap_step;
        for (const int tap : group.taps) {
          *at = from[tap];
          at += tap_step;
        }
      }
    };
    if (backward_) {
      for (int o = 0; o < x_.shape.c; ++o) {
        for (int j = 0; j < columns; ++j) put(o, first + j, o, j);
      }
    } else {
      for (int j = 0; j < columns; ++j) {
        for (int i = 0; i < x_.shape.c; ++i) put(first + j, i, i, j);
      }
    }
  }

  std::string weight_name_, bias_name_;
  WeightShape shape_;
  bool backward_;
  View x_, y_;
  Epilogue epilogue_;
  Panels panels_;
  std::vector<PixelGroup> groups_;
  Floats zeros_, bias_, weights_;
  std::size_t panel_floats_;
};

}  // namespace

std::unique_ptr<RowOp> make_direct_conv(const RowContext& c) {
  return std::make_unique<PanelRow>(c, weight_shape(c, c.in[0].shape.c, c.out.shape.c), false);
}

std::unique_ptr<RowOp> make_direct_conv_dx(const RowContext& c) {
  return std::make_unique<PanelRow>(c, weight_shape(c, c.out.shape.c, c.in[0].shape.c), true);
}

}  // namespace ddpm::cpu
