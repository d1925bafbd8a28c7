// Pooling, and the flattening that follows it in classifiers.
#include <array>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

constexpr int kMostTaps = 81;

class PoolRow : public RowOp {
 public:
  explicit PoolRow(const RowContext& c) : a_(c.node.a), x_(c.in[0]), y_(c.out) {
    DDPM_CHECK(a_.taps() <= kMostTaps, "{} x {}", a_.kernel, a_.kernel);
    is_max_ = c.node.op == Op::max_pool;
  }

  void run(const Run& run, ThreadPool& pool) override {
    const int rows = y_.shape.h;
    pool.run(run.images * rows, [&](int task, int) {
      for (int x = 0; x < y_.shape.w; ++x) window(task / rows, task % rows, x);
    });
  }

 private:
  void window(int image, int y, int x) const {
    std::array<const float*, kMostTaps> inside;
    int n = 0;
    const int top = y * a_.stride - a_.pad_before, left = x * a_.stride - a_.pad_before;
    for (int r = std::max(top, 0); r < std::min(top + a_.kernel, x_.shape.h); ++r) {
      for (int s = std::max(left, 0); s < std::min(left + a_.kernel, x_.shape.w); ++s) {
        inside[n++] = x_.pixel(image, r * x_.shape.w + s);
      }
    }
    const Window w{.pixels = inside.data(),
                   .n = n,
                   .divisor = static_cast<float>(a_.count_padding ? a_.taps() : n),
                   .y = y_.pixel(image, y * y_.shape.w + x),
                   .width = y_.width()};
    is_max_ ? kernels().max_window(w) : kernels().mean_window(w);
  }

  Attributes a_;
  View x_, y_;
  bool is_max_;
};

class FlattenRow : public RowOp {
 public:
  explicit FlattenRow(const RowContext& c) : x_(c.in[0]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int image, int) {
      float* y = y_.image(image);
      for (int c = 0; c < x_.shape.c; ++c) {
        for (int p = 0; p < x_.pixels(); ++p) *y++ = x_.pixel(image, p)[c];
      }
      std::fill_n(y, y_.width() - y_.shape.c, 0.0f);
    });
  }

 private:
  View x_, y_;
};

}  // namespace

std::unique_ptr<RowOp> make_pool_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::max_pool:
    case Op::avg_pool:
      return std::make_unique<PoolRow>(c);
    case Op::flatten:
      return std::make_unique<FlattenRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
