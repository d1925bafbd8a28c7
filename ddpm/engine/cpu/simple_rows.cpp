// Rows whose outputs each depend on a few inputs: element-wise functions, copies, the time
// embedding, dropout.
#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

constexpr std::size_t kElementsPerTask = 16'384;  // 64 KiB: a task's inputs and outputs fit in L2

// Calls body(first, count) over all elements of `images` images.
template <class Body>
void for_elements(ThreadPool& pool, const View& v, int images, const Body& body) {
  const std::size_t total = v.image_size() * images;
  const int tasks = static_cast<int>((total + kElementsPerTask - 1) / kElementsPerTask);
  pool.run(tasks, [&](int task, int) {
    const std::size_t first = task * kElementsPerTask;
    body(first, std::min(kElementsPerTask, total - first));
  });
}

class ElementwiseRow : public RowOp {
 public:
  explicit ElementwiseRow(const RowContext& c)
      : op_(c.node.op), in_(c.in), y_(c.out), alpha_(static_cast<float>(c.node.a.alpha)) {}

  void run(const Run& run, ThreadPool& pool) override {
    for_elements(pool, y_, run.images, [&](std::size_t i, std::size_t n) { apply(i, n); });
  }

 private:
  void apply(std::size_t i, std::size_t n) const {
    const float* a = in_[0].data + i;
    float* y = y_.data + i;
    switch (op_) {
      case Op::silu:
        return kernels().silu(a, y, n);
      case Op::silu_dx:
        return kernels().silu_dx(a, in_[1].data + i, y, n);
      case Op::scale:
        return kernels().scale(a, alpha_, y, n);
      default:
        return kernels().add(a, in_[1].data + i, y, n);
    }
  }

  Op op_;
  std::vector<View> in_;
  View y_;
  float alpha_;
};

// A vector added to every pixel of its image.
class AddRowRow : public RowOp {
 public:
  explicit AddRowRow(const RowContext& c) : x_(c.in[0]), v_(c.in[1]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int n, int) {
      kernels().add_row(x_.image(n), v_.image(n), y_.image(n), y_.pixels(), y_.stride());
    });
  }

 private:
  View x_, v_, y_;
};

class UpsampleRow : public RowOp {
 public:
  explicit UpsampleRow(const RowContext& c) : x_(c.in[0]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    const int rows = y_.shape.h, stride = y_.stride();
    pool.run(run.images * rows, [&](int task, int) {
      const int image = task / rows, row = task % rows;
      const float* from = x_.image(image) + std::size_t{1} * (row / 2) * x_.shape.w * stride;
      float* to = y_.image(image) + std::size_t{1} * row * y_.shape.w * stride;
      for (int x = 0; x < x_.shape.w; ++x, from += stride, to += 2 * stride) {
        std::copy_n(from, stride, to);
        std::copy_n(from, stride, to + stride);
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
    const int rows = dx_.shape.h, stride = dx_.stride();
    const std::size_t row_floats = std::size_t{2} * dx_.shape.w * stride;  // of dy
    pool.run(run.images * rows, [&](int task, int) {
      const int image = task / rows, row = task % rows;
      const float* from = dy_.image(image) + 2 * row * row_floats;
      float* to = dx_.image(image) + std::size_t{1} * row * dx_.shape.w * stride;
      for (int x = 0; x < dx_.shape.w; ++x, from += 2 * stride, to += stride) {
        for (int c = 0; c < stride; ++c) {
          to[c] =
              (from[c] + from[stride + c]) + (from[row_floats + c] + from[row_floats + stride + c]);
        }
      }
    });
  }

 private:
  View dy_, dx_;
};

// concat and slice: ranges of channels, pixel by pixel.
class CopyChannelsRow : public RowOp {
 public:
  explicit CopyChannelsRow(const RowContext& c) : in_(c.in), y_(c.out), begin_(c.node.a.begin) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images * y_.shape.h, [&](int row, int) {
      for (int p = row * y_.shape.w; p < (row + 1) * y_.shape.w; ++p) pixel(p);
    });
  }

 private:
  void pixel(std::size_t p) const {
    float* to = y_.data + p * y_.stride();
    float* const end = to + y_.stride();
    for (const View& x : in_) {
      const float* from = x.data + p * x.stride() + begin_;
      to = std::copy_n(from, std::min(x.shape.c, y_.shape.c), to);
    }
    std::fill(to, end, 0.0f);
  }

  std::vector<View> in_;
  View y_;
  int begin_;
};

// Element i of image n, counted over pixels then real channels, is kept when word i of the stream
// is at least p 2^32.
class DropoutRow : public RowOp {
 public:
  explicit DropoutRow(const RowContext& c)
      : x_(c.in[0]),
        y_(c.out),
        layer_(c.node.a.layer),
        threshold_(static_cast<std::uint32_t>(c.node.a.p * 0x1p32)),
        gain_(static_cast<float>(1 / (1 - c.node.a.p))) {}

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images, [&](int n, int) {
      if (run.train) {
        image(n, {.seed = run.seed,
                  .purpose = Purpose::dropout,
                  .image = run.sample[n],
                  .step = run.step,
                  .lane = static_cast<std::uint32_t>(layer_)});
      } else {
        std::copy_n(x_.image(n), x_.image_size(), y_.image(n));
      }
    });
  }

 private:
  void image(int n, const NoiseKey& key) const {
    const float* x = x_.image(n);
    float* y = y_.image(n);
    std::uint32_t i = 0;
    std::array<std::uint32_t, 4> words{};
    for (int p = 0; p < y_.pixels(); ++p, x += x_.stride(), y += y_.stride()) {
      for (int c = 0; c < y_.shape.c; ++c, ++i) {
        if (i % 4 == 0) words = random_block(key, i / 4);
        y[c] = words[i % 4] >= threshold_ ? x[c] * gain_ : 0.0f;
      }
      std::fill(y + y_.shape.c, y + y_.stride(), 0.0f);
    }
  }

  View x_, y_;
  int layer_;
  std::uint32_t threshold_;
  float gain_;
};

// Sinusoids in float32 as diffusers computes them: frequencies, angles and results each rounded to
// float.
class TimeEmbeddingRow : public RowOp {
 public:
  explicit TimeEmbeddingRow(const RowContext& c) : y_(c.out), flip_(c.node.a.flip_sin_to_cos) {
    const int half = y_.shape.c / 2;
    const auto scale = static_cast<float>(half - c.node.a.freq_shift);
    constexpr auto kLogPeriod = static_cast<float>(-9.210340371976184);  // -log(10000)
    for (int i = 0; i < half; ++i) {
      const float exponent = kLogPeriod * static_cast<float>(i) / scale;
      frequencies_.push_back(static_cast<float>(exact::exp(exponent)));
    }
  }

  void run(const Run& run, ThreadPool&) override {
    const auto half = static_cast<int>(frequencies_.size());
    for (int n = 0; n < run.images; ++n) {
      float* sines = y_.image(n) + (flip_ ? half : 0);
      float* cosines = y_.image(n) + (flip_ ? 0 : half);
      for (int i = 0; i < half; ++i) {
        const float angle = static_cast<float>(run.time[n]) * frequencies_[i];
        sines[i] = static_cast<float>(exact::sin(angle));
        cosines[i] = static_cast<float>(exact::cos(angle));
      }
      std::fill(y_.image(n) + y_.shape.c, y_.image(n) + y_.stride(), 0.0f);
    }
  }

 private:
  View y_;
  bool flip_;
  std::vector<float> frequencies_;
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
    case Op::time_embedding:
      return std::make_unique<TimeEmbeddingRow>(c);
    case Op::silu:
    case Op::silu_dx:
    case Op::scale:
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
      return std::make_unique<DropoutRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
