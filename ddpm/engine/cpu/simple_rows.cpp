// Rows whose outputs each depend on a few inputs: element-wise functions and copies.
#include <algorithm>

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

constexpr std::size_t kElementsPerTask = 16'384;  // 64 KiB: a task's inputs and outputs fit in L2

class ElementwiseRow : public RowOp {
 public:
  explicit ElementwiseRow(const RowContext& c)
      : op_(c.node.op), in_(c.in), y_(c.out), alpha_(static_cast<float>(c.node.a.alpha)) {
    dense_ = y_.dense() && std::all_of(in_.begin(), in_.end(), [](auto& v) { return v.dense(); });
  }

  void run(const Run& run, ThreadPool& pool) override {
    const std::size_t width = y_.width(), pixels = std::size_t{1} * run.images * y_.pixels();
    const std::size_t share = (kElementsPerTask + width - 1) / width;  // pixels a task
    pool.run(static_cast<int>((pixels + share - 1) / share), [&](int task, int) {
      const std::size_t first = task * share, n = std::min(share, pixels - first);
      if (dense_) return apply(first, n * width);
      for (std::size_t p = first; p < first + n; ++p) apply(p, width);
    });
  }

 private:
  // n floats from a pixel on, counted through all images.
  void apply(std::size_t pixel, std::size_t n) const {
    const float* a = in_[0].data + pixel * in_[0].stride();
    const float* b = in_.size() > 1 ? in_[1].data + pixel * in_[1].stride() : nullptr;
    float* y = y_.data + pixel * y_.stride();
    switch (op_) {
      case Op::silu:
        return kernels().silu(a, y, n);
      case Op::silu_dx:
        return kernels().silu_dx(a, b, y, n);
      case Op::scale:
        return kernels().scale(a, alpha_, y, n);
      case Op::relu:
        return kernels().relu(a, y, n);
      default:
        return kernels().add(a, b, y, n);
    }
  }

  Op op_;
  std::vector<View> in_;
  View y_;
  float alpha_;
  bool dense_;
};

// A vector added to every pixel of its image.
class AddRowRow : public RowOp {
 public:
  explicit AddRowRow(const RowContext& c) : x_(c.in[0]), v_(c.in[1]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int n, int) {
      kernels().add_row(x_.image(n), x_.stride(), v_.image(n), y_.image(n), y_.stride(),
                        y_.pixels(), y_.width());
    });
  }

 private:
  View x_, v_, y_;
};

class UpsampleRow : public RowOp {
 public:
  explicit UpsampleRow(const RowContext& c) : x_(c.in[0]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    const int rows = y_.shape.h, width = y_.width();
    pool.run(run.images * rows, [&](int task, int) {
      const int image = task / rows, row = task % rows;
      for (int x = 0; x < x_.shape.w; ++x) {
        const float* from = x_.pixel(image, row / 2 * x_.shape.w + x);
        float* to = y_.pixel(image, row * y_.shape.w + 2 * x);
        std::copy_n(from, width, to);
        std::copy_n(from, width, to + y_.stride());
      }
    });
  }

 private:
  View x_, y_;
};

class UpsampleDxRow : public RowOp {
 public:
  explicit UpsampleDxRow(const RowContext& c) : dy_(c.in[0]), dx_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    const int rows = dx_.shape.h, width = dx_.width(), stride = dy_.stride();
    const std::size_t below = std::size_t{1} * dy_.shape.w * stride;
    pool.run(run.images * rows, [&](int task, int) {
      const int image = task / rows, row = task % rows;
      for (int x = 0; x < dx_.shape.w; ++x) {
        const float* a = dy_.pixel(image, 2 * row * dy_.shape.w + 2 * x);
        const float* b = a + below;
        float* to = dx_.pixel(image, row * dx_.shape.w + x);
        for (int c = 0; c < width; ++c) to[c] = (a[c] + a[stride + c]) + (b[c] + b[stride + c]);
      }
    });
  }

 private:
  View dy_, dx_;
};

// concat and slice: ranges of channels, pixel by pixel, but for parts that lie in place already.
class CopyChannelsRow : public RowOp {
 public:
  explicit CopyChannelsRow(const RowContext& c) : y_(c.out) {
    int channel = 0;
    for (const View& x : c.in) {
      const float* from = x.data + c.node.a.begin;
      const int n = std::min(x.shape.c, y_.shape.c);
      if (from != y_.data + channel) ranges_.push_back({from, x.stride(), n, channel});
      channel += n;
    }
    clear_ = !ranges_.empty() && ranges_.back().to + ranges_.back().n == y_.shape.c;
  }

  void run(const Run& run, ThreadPool& pool) override {
    if (ranges_.empty()) return;
    pool.run(run.images * y_.shape.h, [&](int row, int) {
      for (int p = row * y_.shape.w; p < (row + 1) * y_.shape.w; ++p) pixel(p);
    });
  }

 private:
  struct Range {
    const float* from;
    int stride, n, to;
  };

  void pixel(std::size_t p) const {
    float* y = y_.data + p * y_.stride();
    for (const Range& r : ranges_) std::copy_n(r.from + p * r.stride, r.n, y + r.to);
    if (clear_) std::fill(y + y_.shape.c, y + y_.width(), 0.0f);
  }

  View y_;
  std::vector<Range> ranges_;
  bool clear_;  // a last part that lies in place has zeros in its padding
};

// alpha x + beta of the real channels: padding stays zero.
class ScaleAndShiftRow : public RowOp {
 public:
  explicit ScaleAndShiftRow(const RowContext& c)
      : x_(c.in[0]),
        y_(c.out),
        alpha_(static_cast<float>(c.node.a.alpha)),
        beta_(static_cast<float>(c.node.a.beta)) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int n, int) {
      for (int p = 0; p < y_.pixels(); ++p) {
        const float* x = x_.pixel(n, p);
        float* y = y_.pixel(n, p);
        for (int c = 0; c < y_.shape.c; ++c) y[c] = x[c] * alpha_ + beta_;
        std::fill(y + y_.shape.c, y + y_.width(), 0.0f);
      }
    });
  }

 private:
  View x_, y_;
  float alpha_, beta_;
};

// The caller writes inputs before the run.
class InputRow : public RowOp {
 public:
  void run(const Run&, ThreadPool&) override {}
};

}  // namespace

std::unique_ptr<RowOp> make_simple_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::input:
      return std::make_unique<InputRow>();
    case Op::scale:
      if (c.node.a.beta != 0) return std::make_unique<ScaleAndShiftRow>(c);
      return std::make_unique<ElementwiseRow>(c);
    case Op::silu:
    case Op::silu_dx:
    case Op::relu:
      return std::make_unique<ElementwiseRow>(c);
    case Op::add:
      if (c.in[1].shape == c.out.shape) return std::make_unique<ElementwiseRow>(c);
      return std::make_unique<AddRowRow>(c);
    case Op::upsample:
      return std::make_unique<UpsampleRow>(c);
    case Op::upsample_dx:
      return std::make_unique<UpsampleDxRow>(c);
    case Op::concat:
    case Op::slice:
      return std::make_unique<CopyChannelsRow>(c);
    case Op::dropout:
      return make_dropout(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
