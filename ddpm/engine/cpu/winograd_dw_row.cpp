// The weight gradient of a 3x3 convolution by Winograd's algorithm: for each slice of the batch the
// tiles of x and dy are transformed, then 36 sums over tiles an entry of the weight, each one fma
// chain in the order of the tiles, are turned into the nine taps.
#include <algorithm>

#include "ddpm/engine/cpu/bias_gradient.h"
#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/row.h"
#include "ddpm/engine/cpu/tiles.h"

namespace ddpm::cpu {
namespace {

constexpr int kMostRows = 64;    // input channels a task: with 32 outputs 288 KiB of sums
constexpr int kMostTiles = 128;  // transformed at a time: they stay in the shared cache

// Fewer than kMostRows when there would be too few tasks to share out.
int rows_a_task(int width, int panels, int threads) {
  int rows = kMostRows;
  while (rows > kLanes && (width + rows - 1) / rows * panels < 2 * threads) rows /= 2;
  return rows;
}

class WinogradDwRow : public RowOp {
 public:
  explicit WinogradDwRow(const RowContext& c)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        x_(c.in[0]),
        dy_(c.in[1]),
        panels_(dy_.width()),
        rows_(rows_a_task(x_.width(), panels_.count, c.threads)),
        blocks_((x_.width() + rows_ - 1) / rows_),
        tiles_(dy_.shape),
        zeros_(std::max(x_.width(), dy_.width()), 0.0f),
        sums_(std::size_t{1} * blocks_ * panels_.count * task_floats()),
        workspace_(c.workspace) {
    workspace_.require(bias_gradient_floats(dy_));
    workspace_.require(std::size_t{9} * rows_ * panels_.width);
    workspace_.require_shared(blocks_ * strip(rows_) + panels_.count * strip(panels_.width));
  }

  double work_ratio() const override {
    return double{kComponents} * tiles_.count / (9.0 * dy_.pixels());
  }

  void run(const Run& run, ThreadPool& pool) override {
    int first = 0;
    for (std::size_t s = 0; s < run.slices.size(); first += run.slices[s], ++s) {
      slice(first, run.slices[s], *run.gradients[s], pool);
    }
  }

 private:
  // Tiles of one slice, counted through all images of the batch.
  struct Range {
    int begin, end;
    bool first, last;  // of the slice
    int first_image, images;
  };

  static std::size_t component(int width) { return std::size_t{1} * kMostTiles * width + kSkew; }
  static std::size_t strip(int width) { return kComponents * component(width); }
  std::size_t task_floats() const { return std::size_t{kComponents} * rows_ * panels_.width; }
  float* x_strips() const { return workspace_.shared(); }
  float* dy_strips() const { return x_strips() + blocks_ * strip(rows_); }

  void slice(int first_image, int images, Params& gradient, ThreadPool& pool) {
    const int begin = first_image * tiles_.count, end = begin + images * tiles_.count;
    for (int t = begin; t < end; t += kMostTiles) {
      const Range range{
          t, std::min(end, t + kMostTiles), t == begin, t + kMostTiles >= end, first_image, images};
      transform(range, pool);
      sum(range, gradient, pool);
    }
  }

  void transform(const Range& range, ThreadPool& pool) const {
    constexpr int kShare = 8;
    pool.run((range.end - range.begin + kShare - 1) / kShare, [&](int task, int) {
      const int begin = range.begin + task * kShare, end = std::min(range.end, begin + kShare);
      const int at = begin - range.begin;
      kernels().transform_input(tiles_of(x_, tiles_.input, begin, end, x_strips(), rows_, at));
      kernels().transform_gradient(
          tiles_of(dy_, tiles_.output, begin, end, dy_strips(), panels_.width, at));
    });
  }

  TileTransform tiles_of(const View& view, const std::vector<std::int32_t>& pixels, int begin,
                         int end, float* strips, int width, int at) const {
    return {.x = view.data,
            .x_image = view.image_size(),
            .x_pixel = static_cast<std::size_t>(view.stride()),
            .pixels = pixels.data(),
            .tiles = tiles_.count,
            .channels = view.width(),
            .zeros = zeros_.data(),
            .begin = begin,
            .end = end,
            .v = strips + std::size_t{1} * at * width,
            .layout = {.component_stride = component(width),
                       .tile_stride = static_cast<std::size_t>(width),
                       .block_stride = strip(width),
                       .block = width}};
  }

  void sum(const Range& range, Params& gradient, ThreadPool& pool) {
    const int tasks = blocks_ * panels_.count;
    const int biases = range.first ? 1 : 0;  // the longest task first
    pool.run(biases + tasks, [&](int number, int worker) {
      const int task = number - biases;
      if (task < 0) {
        bias_gradient(dy_, range.first_image, range.images, workspace_.of(worker),
                      gradient.tensor(bias_name_));
        return;
      }
      const int block = task / panels_.count, panel = task % panels_.count;
      float* acc = sums_.data() + task * task_floats();
      const int rows = std::min(rows_, x_.width() - block * rows_);
      kernels().tile_outer({.v = x_strips() + block * strip(rows_),
                            .v_component = component(rows_),
                            .v_tile = static_cast<std::size_t>(rows_),
                            .d = dy_strips() + panel * strip(panels_.width),
                            .d_component = component(panels_.width),
                            .d_tile = static_cast<std::size_t>(panels_.width),
                            .tiles = range.end - range.begin,
                            .rows = rows,
                            .vectors = panels_.vectors(panel),
                            .acc = acc,
                            .acc_component = static_cast<std::size_t>(rows_) * panels_.width,
                            .acc_row = static_cast<std::size_t>(panels_.width),
                            .add = !range.first});
      if (range.last) {
        store(block, panel, acc, workspace_.of(worker), gradient.tensor(weight_name_));
      }
    });
  }

  // The nine taps [row][tap][column], scattered into the stored [out, in, tap].
  void store(int block, int panel, const float* acc, float* taps, std::span<float> weight) const {
    const int first_row = block * rows_, first = panels_.begin(panel);
    const int rows = std::min(rows_, x_.shape.c - first_row);
    const int width = panels_.floats(panel), columns = std::min(width, dy_.shape.c - first);
    kernels().transform_weight_gradient(
        {.acc = acc,
         .acc_component = static_cast<std::size_t>(rows_) * panels_.width,
         .acc_row = static_cast<std::size_t>(panels_.width),
         .rows = rows,
         .vectors = panels_.vectors(panel),
         .dw = taps});
    constexpr int kBlock = 16;  // rows that stay in the first-level cache for all columns
    for (int begin = 0; begin < 9 * rows; begin += kBlock) {
      const int end = std::min(begin + kBlock, 9 * rows);
      for (int o = 0; o < columns; ++o) {
        float* to =
            weight.data() + 9 * (static_cast<std::size_t>(first + o) * x_.shape.c + first_row);
        for (int i = begin; i < end; ++i) to[i] = taps[static_cast<std::size_t>(i) * width + o];
      }
    }
  }

  std::string weight_name_, bias_name_;
  View x_, dy_;
  Panels panels_;
  int rows_, blocks_;
  Tiles tiles_;
  Floats zeros_, sums_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_winograd_conv_dw(const RowContext& c) {
  return std::make_unique<WinogradDwRow>(c);
}

}  // namespace ddpm::cpu
