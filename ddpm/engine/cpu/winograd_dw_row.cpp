// The weight gradient of a 3x3 convolution by Winograd's algorithm: for each slice of the batch the
// tiles of x and dy are transformed, then 36 sums over tiles an entry of the weight, each one fma
// chain in the order of the tiles, are turned into the nine taps.
#include <algorithm>
#include <numeric>

#include "ddpm/engine/cpu/bias_gradient.h"
#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/row.h"
#include "ddpm/engine/cpu/tiles.h"

namespace ddpm::cpu {
namespace {

constexpr int kMostRows = 64;      // input channels of a block: with 32 outputs 8 KiB of sums each
constexpr int kMostTiles = 128;    // transformed at a time
constexpr int kFewChannels = 192;  // in and out: three columns of their tiles fit the second level

// A task owns some columns of the components and some blocks of input channels: it transforms what
// it needs in memory of its own and sums it, so that workers meet once a slice and no core reads
// what another has just written.
class WinogradDwRow : public RowOp {
 public:
  explicit WinogradDwRow(const RowContext& c)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        x_(c.in[0]),
        dy_(c.in[1]),
        panels_(dy_.width()),
        columns_(x_.width() + dy_.width() <= kFewChannels ? kWideColumns : 1),
        tiles_(dy_.shape),
        zeros_(std::max(x_.width(), dy_.width()), 0.0f),
        workspace_(c.workspace) {
    share_rows(c.threads);
    sums_.assign(std::size_t{kComponents} * blocks_ * panels_.count * block_floats(), 0.0f);
    workspace_.require(bias_gradient_floats(dy_));
    workspace_.require(std::size_t{9} * rows_ * panels_.width);
    workspace_.require((blocks_ + groups_ - 1) / groups_ * strip(rows_) +
                       panels_.count * strip(panels_.width));
  }

  double work_ratio() const override {
    return double{kComponents} * tiles_.count / (9.0 * dy_.pixels());
  }

  void run(const Run& run, ThreadPool& pool) override {
    int first = 0;
    for (std::size_t s = 0; s < run.slices.size(); first += run.slices[s], ++s) {
      sum_slice(first, run.slices[s], *run.gradients[s], pool);
      store_slice(*run.gradients[s], pool);
    }
  }

 private:
  int column_tasks() const { return kTileInput / columns_; }

  // As many groups of blocks as make tasks that threads share evenly, where there are channels.
  void share_rows(int threads) {
    const int wanted = threads / std::gcd(threads, column_tasks());
    rows_ = kMostRows;
    while (rows_ > kLanes && (x_.width() + rows_ - 1) / rows_ < wanted) rows_ /= 2;
    blocks_ = (x_.width() + rows_ - 1) / rows_;
    groups_ = std::min(wanted, blocks_);
  }

  static std::size_t component(int width) { return std::size_t{1} * kMostTiles * width + kSkew; }
  // Of the columns of a task.
  std::size_t strip(int width) const { return kTileInput * columns_ * component(width); }
  std::size_t block_floats() const { return std::size_t{1} * rows_ * panels_.width; }
  float* sums(int block, int panel) {
    return sums_.data() +
           std::size_t{kComponents} * (block * panels_.count + panel) * block_floats();
  }

  struct Task {
    int column, first_block, end_block;
  };

  void sum_slice(int first_image, int images, Params& gradient, ThreadPool& pool) {
    pool.run(1 + column_tasks() * groups_, [&](int number, int worker) {
      float* scratch = workspace_.of(worker);
      if (number == 0) {  // the longest where there are few channels
        return bias_gradient(dy_, first_image, images, scratch, gradient.tensor(bias_name_));
      }
      const int group = (number - 1) % groups_;
      const Task task{(number - 1) / groups_ * columns_, blocks_ * group / groups_,
                      blocks_ * (group + 1) / groups_};
      const int begin = first_image * tiles_.count, end = begin + images * tiles_.count;
      for (int t = begin; t < end; t += kMostTiles) {
        sum_tiles(task, t, std::min(end, t + kMostTiles), /*add=*/t > begin, scratch);
      }
    });
  }

  void sum_tiles(const Task& task, int begin, int end, bool add, float* scratch) {
    float* x_strips = scratch;
    float* dy_strips = x_strips + (task.end_block - task.first_block) * strip(rows_);
    const int first = task.first_block * rows_;
    const int channels = std::min(task.end_block * rows_, x_.width()) - first;
    kernels().transform_input_columns(
        {tiles_of(x_, first, channels, tiles_.input, begin, end, x_strips, rows_), task.column,
         columns_});
    kernels().transform_gradient_columns(
        {tiles_of(dy_, 0, dy_.width(), tiles_.output, begin, end, dy_strips, panels_.width),
         task.column, columns_});
    for (int block = task.first_block; block < task.end_block; ++block) {
      for (int panel = 0; panel < panels_.count; ++panel) {
        kernels().tile_outer({.components = kTileInput * columns_,
                              .v = x_strips + (block - task.first_block) * strip(rows_),
                              .v_component = component(rows_),
                              .v_tile = static_cast<std::size_t>(rows_),
                              .d = dy_strips + panel * strip(panels_.width),
                              .d_component = component(panels_.width),
                              .d_tile = static_cast<std::size_t>(panels_.width),
                              .tiles = end - begin,
                              .rows = std::min(rows_, x_.width() - block * rows_),
                              .vectors = panels_.vectors(panel),
                              .acc = sums(block, panel) + kTileInput * task.column * block_floats(),
                              .acc_component = block_floats(),
                              .acc_row = static_cast<std::size_t>(panels_.width),
                              .add = add});
      }
    }
  }

  TileTransform tiles_of(const View& view, int first, int channels,
                         const std::vector<std::int32_t>& pixels, int begin, int end, float* strips,
                         int width) const {
    return {.x = view.data + first,
            .x_image = view.image_size(),
            .x_pixel = static_cast<std::size_t>(view.stride()),
            .pixels = pixels.data(),
            .tiles = tiles_.count,
            .channels = channels,
            .zeros = zeros_.data(),
            .begin = begin,
            .end = end,
            .v = strips,
            .layout = {.component_stride = component(width),
                       .tile_stride = static_cast<std::size_t>(width),
                       .block_stride = strip(width),
                       .block = width}};
  }

  void store_slice(Params& gradient, ThreadPool& pool) {
    pool.run(blocks_ * panels_.count, [&](int task, int worker) {
      const int block = task / panels_.count, panel = task % panels_.count;
      store(block, panel, sums(block, panel), workspace_.of(worker), gradient.tensor(weight_name_));
    });
  }

  // The nine taps [row][tap][column], scattered into the stored [out, in, tap].
  void store(int block, int panel, const float* acc, float* taps, std::span<float> weight) const {
    const int first_row = block * rows_, first = panels_.begin(panel);
    const int rows = std::min(rows_, x_.shape.c - first_row);
    const int width = panels_.floats(panel), columns = std::min(width, dy_.shape.c - first);
    kernels().transform_weight_gradient({.acc = acc,
                                         .acc_component = block_floats(),
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
  int columns_;  // of the components of a tile, a task
  int rows_, blocks_, groups_;
  Tiles tiles_;
  Floats zeros_, sums_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_winograd_conv_dw(const RowContext& c) {
  return std::make_unique<WinogradDwRow>(c);
}

}  // namespace ddpm::cpu
