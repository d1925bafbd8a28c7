// Forward pass and data gradient of a 3x3 convolution by Winograd's algorithm (winograd.h).
#include <algorithm>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/epilogue.h"
#include "ddpm/engine/cpu/tiles.h"

namespace ddpm::cpu {
namespace {

constexpr int kPackChannels = 16;  // whose weights are laid out, then transformed, at a time

// Keeps the components of a tile from falling into one set of the first-level cache.
constexpr std::size_t kSkew = kLanes;

class WinogradRow : public RowOp {
 public:
  WinogradRow(const RowContext& c, bool backward)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        backward_(backward),
        x_(c.in[0]),
        y_(c.out),
        epilogue_(epilogue_of(c)),
        panels_(y_.width()),
        tiles_(y_.shape),
        zeros_(x_.width(), 0.0f),
        bias_(y_.width(), 0.0f),
        workspace_(c.workspace) {
    panel_floats_ = std::size_t{kComponents} * x_.shape.c * panels_.width;
    weights_.assign(panel_floats_ * panels_.count, 0.0f);
    // 36 components of a block's tiles: about half a MiB, so that they stay in the second-level
    // cache while the panels of weights go by.
    block_ = std::clamp(4096 / x_.width() / kUnit * kUnit, kUnit, kMostTiles);
    workspace_.require(kComponents * (v_component(block_) + m_component(block_)));
    workspace_.require(std::size_t{9} * kPackChannels * panels_.width);
    workspace_.require_shared(kComponents * v_component(kSharedBlocks * block_));
  }

  double work_ratio() const override {
    return double{kComponents} * tiles_.count / (9.0 * y_.pixels());
  }

  void pack(const Params& params, ThreadPool& pool) override {
    const std::span<const float> w = params.tensor(weight_name_);
    const int chunks = (x_.shape.c + kPackChannels - 1) / kPackChannels;
    pool.run(panels_.count * chunks, [&](int task, int worker) {
      pack_chunk(w.data(), task / chunks, task % chunks * kPackChannels, workspace_.of(worker));
    });
    if (backward_) return;
    const std::span<const float> b = params.tensor(bias_name_);
    std::copy(b.begin(), b.end(), bias_.begin());
  }

  void run(const Run& run, ThreadPool& pool) override {
    const int total = run.images * tiles_.count;
    const int blocks = (total + block_ - 1) / block_;
    if (blocks >= 2 * pool.threads() || blocks > kSharedBlocks) {
      run_blocks(total, blocks, pool);
    } else {
      run_panels(total, pool);
    }
  }

 private:
  static constexpr int kUnit = 24, kMostTiles = 48, kSharedBlocks = 8;
  static_assert(kUnit % kTileRows == 0);

  std::size_t v_component(int tiles) const {
    return static_cast<std::size_t>(tiles) * x_.width() + kSkew;
  }
  std::size_t m_component(int tiles) const {
    return static_cast<std::size_t>((tiles + kTileRows - 1) / kTileRows * kTileRows) *
               panels_.width +
           kSkew;
  }

  // Many tiles: a task takes a block of them through all steps.
  void run_blocks(int total, int blocks, ThreadPool& pool) {
    pool.run(blocks, [&](int task, int worker) {
      const int begin = task * block_, end = std::min(total, begin + block_);
      float* v = workspace_.of(worker);
      float* m = v + kComponents * v_component(block_);
      transform(begin, end, v, v_component(block_));
      for (int panel = 0; panel < panels_.count; ++panel) {
        finish(panel, begin, end, v, v_component(block_), m);
      }
    });
  }

  // Few tiles: their transforms are shared, and a task takes one panel of outputs.
  void run_panels(int total, ThreadPool& pool) {
    float* v = workspace_.shared();
    const std::size_t component = v_component(total);
    constexpr int kShare = 2;
    pool.run((total + kShare - 1) / kShare, [&](int task, int) {
      const int begin = task * kShare;
      transform(begin, std::min(total, begin + kShare), v + std::size_t{1} * begin * x_.width(),
                component);
    });
    const int blocks = (total + block_ - 1) / block_;
    pool.run(panels_.count * blocks, [&](int task, int worker) {
      const int begin = task % blocks * block_, end = std::min(total, begin + block_);
      finish(task / blocks, begin, end, v + std::size_t{1} * begin * x_.width(), component,
             workspace_.of(worker));
    });
  }

  void transform(int begin, int end, float* v, std::size_t component) const {
    kernels().transform_input({.x = x_.data,
                               .x_image = x_.image_size(),
                               .x_pixel = static_cast<std::size_t>(x_.stride()),
                               .pixels = tiles_.input.data(),
                               .tiles = tiles_.count,
                               .channels = x_.width(),
                               .zeros = zeros_.data(),
                               .begin = begin,
                               .end = end,
                               .v = v,
                               .layout = {.component_stride = component,
                                          .tile_stride = static_cast<std::size_t>(x_.width()),
                                          .block_stride = 0,
                                          .block = x_.width()}});
  }

  void finish(int panel, int begin, int end, const float* v, std::size_t component,
              float* m) const {
    const int first = panels_.begin(panel), width = panels_.floats(panel);
    const std::size_t m_step = m_component(end - begin);
    kernels().tile_product({.v = v,
                            .v_component = component,
                            .v_tile = static_cast<std::size_t>(x_.width()),
                            .u = weights_.data() + panel * panel_floats_,
                            .channels = x_.shape.c,
                            .tiles = end - begin,
                            .vectors = panels_.vectors(panel),
                            .m = m,
                            .m_component = m_step});
    const View& r = epilogue_.residual;
    kernels().transform_output({.m = m,
                                .m_component = m_step,
                                .m_tile = static_cast<std::size_t>(width),
                                .pixels = tiles_.output.data(),
                                .tiles = tiles_.count,
                                .begin = begin,
                                .end = end,
                                .columns = width,
                                .bias = bias_.data() + first,
                                .vector = epilogue_.vector ? epilogue_.vector + first : nullptr,
                                .vector_image = epilogue_.vector_image,
                                .residual = r.data ? r.data + first : nullptr,
                                .residual_image = r.image_size(),
                                .residual_pixel = static_cast<std::size_t>(r.stride()),
                                .relu = epilogue_.relu,
                                .y = y_.data + first,
                                .y_image = y_.image_size(),
                                .y_pixel = static_cast<std::size_t>(y_.stride())});
  }

  // The stored [out, in, tap] of some channels of x as [channel][tap][column], then transformed.
  void pack_chunk(const float* w, int panel, int first_channel, float* scratch) {
    const int width = panels_.floats(panel), first = panels_.begin(panel);
    const int columns = std::min(width, y_.shape.c - first);
    const int channels = std::min(kPackChannels, x_.shape.c - first_channel);
    std::fill_n(scratch, std::size_t{9} * channels * width, 0.0f);
    for (int j = 0; j < columns; ++j) {
      for (int c = 0; c < channels; ++c) {
        const float* from = w + 9 * entry(first + j, first_channel + c);
        float* to = scratch + static_cast<std::size_t>(c) * 9 * width + j;
        for (int tap = 0; tap < 9; ++tap) to[tap * width] = from[backward_ ? 8 - tap : tap];
      }
    }
    kernels().transform_weight({.w = scratch,
                                .channels = channels,
                                .vectors = panels_.vectors(panel),
                                .u = weights_.data() + panel * panel_floats_ +
                                     static_cast<std::size_t>(first_channel) * width,
                                .u_component = static_cast<std::size_t>(x_.shape.c) * width});
  }

  // Of the stored weight, whose outputs are x's channels in the data gradient.
  std::size_t entry(int y_channel, int x_channel) const {
    return backward_ ? static_cast<std::size_t>(x_channel) * y_.shape.c + y_channel
                     : static_cast<std::size_t>(y_channel) * x_.shape.c + x_channel;
  }

  std::string weight_name_, bias_name_;
  bool backward_;
  View x_, y_;
  Epilogue epilogue_;
  Panels panels_;
  Tiles tiles_;
  Floats zeros_, bias_, weights_;
  std::size_t panel_floats_;
  int block_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_winograd_conv(const RowContext& c) {
  return std::make_unique<WinogradRow>(c, false);
}

std::unique_ptr<RowOp> make_winograd_conv_dx(const RowContext& c) {
  return std::make_unique<WinogradRow>(c, true);
}

}  // namespace ddpm::cpu
