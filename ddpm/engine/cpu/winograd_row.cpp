// Forward pass and data gradient of a 3x3 convolution by Winograd's algorithm (winograd.h).
#include <algorithm>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/epilogue.h"
#include "ddpm/engine/cpu/tiles.h"
#include "ddpm/engine/cpu/winograd_weights.h"

namespace ddpm::cpu {
namespace {

class WinogradRow : public RowOp {
 public:
  WinogradRow(const RowContext& c, bool backward)
      : bias_name_(backward ? "" : c.node.param + ".bias"),
        x_(c.in[0]),
        y_(c.out),
        epilogue_(epilogue_of(c)),
        tiles_(y_.shape, x_.shape, backward ? 2 - c.node.a.pad_before : c.node.a.pad_before),
        weights_(c, backward, !c.training && c.max_images * tiles_.count > kFewTiles),
        zeros_(x_.width(), 0.0f),
        bias_(y_.width(), 0.0f),
        workspace_(c.workspace) {
    // 36 components of a block's tiles: about half a MiB, so that they stay in the second-level
    // cache while the panels of weights go by.
    block_ = std::clamp(4096 / x_.width() / kUnit * kUnit, kUnit, kMostTiles);
    const int most = c.max_images * tiles_.count;
    const std::size_t few = kComponents * m_component(kFewTiles) + weights_.chunk_floats();
    workspace_.require(weights_.scratch_floats() +
                       std::max(few, kComponents * (v_component(block_) + m_component(block_))));
    workspace_.require_shared((most > kFewTiles ? shared_weights() : 0) +
                              kComponents * v_component(std::min(kSharedBlocks * block_, most)) +
                              std::size_t{kTileRows} * x_.width());
  }

  double work_ratio() const override {
    return double{kComponents} * tiles_.count / (9.0 * y_.pixels());
  }

  void pack(const Params& params, ThreadPool& pool) override {
    weights_.pack(params, pool);
    if (bias_name_.empty()) return;
    const std::span<const float> b = params.tensor(bias_name_);
    std::copy(b.begin(), b.end(), bias_.begin());
  }

  void run(const Run& run, ThreadPool& pool) override {
    const int total = run.images * tiles_.count;
    if (!weights_.kept() && total <= kFewTiles) return run_few(total, pool);
    u_ = weights_.all(pool);
    const int blocks = (total + block_ - 1) / block_;
    if (blocks >= 2 * pool.threads() || blocks > kSharedBlocks) {
      run_blocks(total, blocks, pool);
    } else {
      run_panels(total, pool);
    }
  }

 private:
  static constexpr int kUnit = 24, kMostTiles = 48, kSharedBlocks = 8, kFewTiles = 24;
  static_assert(kUnit % kTileRows == 0 && kFewTiles % kTileRows == 0);

  const Panels& panels() const { return weights_.panels(); }
  int width() const { return panels().width; }
  std::size_t shared_weights() const { return weights_.kept() ? 0 : weights_.all_floats(); }
  float* own(int worker) const { return workspace_.of(worker) + weights_.scratch_floats(); }
  std::size_t v_component(int tiles) const {
    return static_cast<std::size_t>(tiles) * x_.width() + kSkew;
  }
  std::size_t m_component(int tiles) const {
    return static_cast<std::size_t>((tiles + kTileRows - 1) / kTileRows * kTileRows) * width() +
           kSkew;
  }

  // Many tiles: a task takes a block of them through all steps.
  void run_blocks(int total, int blocks, ThreadPool& pool) {
    pool.run(blocks, [&](int task, int worker) {
      const int begin = task * block_, end = std::min(total, begin + block_);
      float* v = own(worker);
      float* m = v + kComponents * v_component(block_);
      transform(begin, end, v, v_component(block_));
      for (int panel = 0; panel < panels().count; ++panel) {
        finish(panel, begin, end, v, v_component(block_), m);
      }
    });
  }

  // Fewer: their transforms are shared, and a task takes one panel of outputs for a block of them.
  void run_panels(int total, ThreadPool& pool) {
    float* v = workspace_.shared() + shared_weights();
    const std::size_t component = v_component(total);
    share_transform(total, v, pool);
    const int blocks = (total + block_ - 1) / block_;
    pool.run(panels().count * blocks, [&](int task, int worker) {
      const int begin = task % blocks * block_, end = std::min(total, begin + block_);
      finish(task / blocks, begin, end, v + std::size_t{1} * begin * x_.width(), component,
             own(worker));
    });
  }

  // Very few: a task takes one panel of outputs for all of them and makes its weights on the way.
  void run_few(int total, ThreadPool& pool) {
    const float* v = workspace_.shared();
    share_transform(total, workspace_.shared(), pool);
    pool.run(panels().count, [&](int panel, int worker) {
      float* m = own(worker);
      float* u = m + kComponents * m_component(kFewTiles);
      for (int chunk = 0, c = 0; chunk < weights_.chunks(); ++chunk) {
        const int channels = weights_.transform_chunk(panel, chunk, worker, u);
        multiply(panel, total,
                 {.v = v + c,
                  .v_component = v_component(total),
                  .u = u,
                  .channels = channels,
                  .m = m,
                  .add = c > 0,
                  .next = weights_.taps(panel, chunk + 1)});
        c += channels;
      }
      transform_back(panel, 0, total, m);
    });
  }

  void share_transform(int total, float* v, ThreadPool& pool) const {
    constexpr int kShare = 2;
    pool.run((total + kShare - 1) / kShare, [&](int task, int) {
      const int begin = task * kShare;
      transform(begin, std::min(total, begin + kShare), v + std::size_t{1} * begin * x_.width(),
                v_component(total));
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
    multiply(panel, end - begin,
             {.v = v,
              .v_component = component,
              .u = u_ + panel * weights_.panel_floats(),
              .channels = weights_.channels(),
              .m = m,
              .add = false});
    transform_back(panel, begin, end, m);
  }

  struct Product {
    const float* v;
    std::size_t v_component;
    const float* u;
    int channels;
    float* m;
    bool add;
    std::span<const float> next;
  };

  void multiply(int panel, int tiles, const Product& p) const {
    kernels().tile_product({.v = p.v,
                            .v_component = p.v_component,
                            .v_tile = static_cast<std::size_t>(x_.width()),
                            .u = p.u,
                            .u_component = weights_.component(p.channels),
                            .channels = p.channels,
                            .tiles = tiles,
                            .vectors = panels().vectors(panel),
                            .m = p.m,
                            .m_component = m_component(tiles),
                            .add = p.add,
                            .next = p.next.data(),
                            .next_floats = p.next.size()});
  }

  void transform_back(int panel, int begin, int end, const float* m) const {
    const int first = panels().begin(panel), columns = panels().floats(panel);
    const View& r = epilogue_.residual;
    kernels().transform_output({.m = m,
                                .m_component = m_component(end - begin),
                                .m_tile = static_cast<std::size_t>(columns),
                                .pixels = tiles_.output.data(),
                                .tiles = tiles_.count,
                                .begin = begin,
                                .end = end,
                                .columns = columns,
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

  std::string bias_name_;  // "": has none
  View x_, y_;
  Epilogue epilogue_;
  Tiles tiles_;
  WinogradWeights weights_;
  const float* u_ = nullptr;  // of this run
  Floats zeros_, bias_;
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
