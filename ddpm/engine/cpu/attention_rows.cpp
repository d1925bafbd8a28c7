// Attention as matrix products over tokens (pixels). In a matrix of scores, row i is a pixel and
// head h's columns are the channels [h T, (h + 1) T), T the number of tokens.
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

// Token i's offset in an image, as a table of one tap.
Taps token_taps(const View& v) {
  Taps taps(v.pixels());
  for (int i = 0; i < v.pixels(); ++i) taps[i] = i * v.stride();
  return taps;
}

// y[i, columns of head h] = alpha * sum_k x[i, ks of head h] * m[k][column]: what dot_tokens and
// mix_tokens share. `m` is packed from the second input when the row runs.
class TokenProductRow : public RowOp {
 public:
  TokenProductRow(const RowContext& c, int inner, int columns, bool transpose)
      : x_(c.in[0]),
        m_(c.in[1]),
        y_(c.out),
        heads_(c.node.a.heads),
        inner_(inner),
        columns_(columns),
        transpose_(transpose),
        alpha_(static_cast<float>(c.node.a.alpha)),
        panels_(columns),
        taps_(token_taps(x_)),
        zeros_(inner, 0.0f),
        workspace_(c.workspace) {
    workspace_.require(static_cast<std::size_t>(inner_) * panels_.width);
  }

  void run(const Run& run, ThreadPool& pool) override {
    clear_padding(run.images);
    pool.run(run.images * heads_ * panels_.count, [&](int task, int worker) {
      const int panel = task % panels_.count, head = task / panels_.count % heads_;
      product(task / panels_.count / heads_, head, panel, workspace_.of(worker));
    });
  }

 private:
  void product(int image, int head, int panel, float* packed) const {
    pack_panel(image, head, panel, packed);
    kernels().panel_product({.x = x_.image(image) + head * inner_,
                             .x_image = x_.image_size(),
                             .taps = taps_.data(),
                             .pixels = x_.pixels(),
                             .n_taps = 1,
                             .channels = inner_,
                             .zeros = zeros_.data(),
                             .w = packed,
                             .bias = nullptr,
                             .alpha = alpha_,
                             .y = y_.image(image) + head * columns_ + panels_.begin(panel),
                             .y_stride = static_cast<std::size_t>(y_.stride()),
                             .vectors = panels_.vectors(panel),
                             .columns = used(panel),
                             .begin = 0,
                             .end = x_.pixels()});
  }

  int used(int panel) const {
    return std::min(panels_.floats(panel), columns_ - panels_.begin(panel));
  }

  // [k][column]; transposed: column j is token j of the second input, k its channel; else k is the
  // token, j its channel.
  void pack_panel(int image, int head, int panel, float* to) const {
    const int width = panels_.floats(panel), first = panels_.begin(panel), n = used(panel);
    const std::size_t stride = m_.stride();
    std::fill_n(to, static_cast<std::size_t>(inner_) * width, 0.0f);
    if (transpose_) {
      const float* from = m_.image(image) + head * inner_ + first * stride;
      for (int j = 0; j < n; ++j) {
        for (int k = 0; k < inner_; ++k)
          to[static_cast<std::size_t>(k) * width + j] = from[j * stride + k];
      }
    } else {
      const float* from = m_.image(image) + head * columns_ + first;
      for (int k = 0; k < inner_; ++k) {
        std::copy_n(from + k * stride, n, to + static_cast<std::size_t>(k) * width);
      }
    }
  }

  void clear_padding(int images) const {
    for (int n = 0; n < images; ++n) {
      for (int p = 0; p < y_.pixels(); ++p) {
        float* pixel = y_.image(n) + static_cast<std::size_t>(p) * y_.stride();
        std::fill(pixel + y_.shape.c, pixel + y_.width(), 0.0f);
      }
    }
  }

  View x_, m_, y_;
  int heads_, inner_, columns_;
  bool transpose_;
  float alpha_;
  Panels panels_;
  Taps taps_;
  std::vector<float> zeros_;
  Workspace& workspace_;
};

// y[j, channels of head h] = alpha * sum_i p[i, h T + j] d[i, channels of head h].
class TransposedProductRow : public RowOp {
 public:
  explicit TransposedProductRow(const RowContext& c)
      : p_(c.in[0]),
        d_(c.in[1]),
        y_(c.out),
        heads_(c.node.a.heads),
        tokens_(p_.pixels()),
        width_(y_.shape.c / heads_),
        alpha_(static_cast<float>(c.node.a.alpha)),
        panels_(width_),
        taps_(token_taps(p_)) {}

  void run(const Run& run, ThreadPool& pool) override {
    const int blocks = (tokens_ + kOuterRows - 1) / kOuterRows;
    pool.run(run.images * blocks, [&](int task, int) {
      const int image = task / blocks, first = task % blocks * kOuterRows;
      const int rows = std::min(kOuterRows, tokens_ - first);
      for (int r = 0; r < rows; ++r) {
        float* pixel = y_.image(image) + std::size_t{1} * (first + r) * y_.stride();
        std::fill(pixel + y_.shape.c, pixel + y_.width(), 0.0f);
      }
      for (int head = 0; head < heads_; ++head) {
        for (int panel = 0; panel < panels_.count; ++panel) block(image, head, panel, first, rows);
      }
    });
  }

 private:
  void block(int image, int head, int panel, int first, int rows) const {
    constexpr int kMostColumns = 2 * kLanes;
    float acc[kOuterRows * kMostColumns] = {};
    const int column = head * width_ + panels_.begin(panel);
    kernels().outer_product({.a = p_.image(image) + head * tokens_ + first,
                             .a_image = p_.image_size(),
                             .taps = taps_.data(),
                             .b = d_.image(image) + column,
                             .b_image = d_.image_size(),
                             .b_stride = static_cast<std::size_t>(d_.stride()),
                             .pixels = tokens_,
                             .images = 1,
                             .dw = acc,
                             .dw_stride = kMostColumns,
                             .rows = rows,
                             .vectors = panels_.vectors(panel)});
    const int used = std::min(panels_.floats(panel), width_ - panels_.begin(panel));
    for (int r = 0; r < rows; ++r) {
      float* y = y_.image(image) + std::size_t{1} * (first + r) * y_.stride() + column;
      for (int j = 0; j < used; ++j) y[j] = alpha_ * acc[r * kMostColumns + j];
    }
  }

  View p_, d_, y_;
  int heads_, tokens_, width_;
  float alpha_;
  Panels panels_;
  Taps taps_;
};

class SoftmaxRow : public RowOp {
 public:
  explicit SoftmaxRow(const RowContext& c)
      : in_(c.in),
        y_(c.out),
        heads_(c.node.a.heads),
        tokens_(y_.pixels()),
        workspace_(c.workspace) {
    workspace_.require(padded(tokens_));
  }

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images * tokens_, [&](int row, int worker) {
      const auto pixel = [&](const View& v) { return v.data + std::size_t{1} * row * v.stride(); };
      float* y = pixel(y_);
      for (int h = 0; h < heads_; ++h) {
        const int at = h * tokens_;
        if (in_.size() == 1) {
          kernels().softmax(pixel(in_[0]) + at, y + at, tokens_, workspace_.of(worker));
        } else {
          kernels().softmax_dx(pixel(in_[0]) + at, pixel(in_[1]) + at, y + at, tokens_);
        }
      }
      std::fill(y + y_.shape.c, y + y_.width(), 0.0f);
    });
  }

 private:
  std::vector<View> in_;
  View y_;
  int heads_, tokens_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_attention_row(const RowContext& c) {
  const int heads = c.node.a.heads;
  switch (c.node.op) {
    case Op::dot_tokens:
      return std::make_unique<TokenProductRow>(c, c.in[0].shape.c / heads, c.in[1].pixels(), true);
    case Op::mix_tokens:
      return std::make_unique<TokenProductRow>(c, c.in[1].pixels(), c.in[1].shape.c / heads, false);
    case Op::mix_tokens_transposed:
      return std::make_unique<TransposedProductRow>(c);
    case Op::softmax:
    case Op::softmax_dx:
      return std::make_unique<SoftmaxRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
