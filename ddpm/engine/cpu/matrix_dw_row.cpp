// The weight gradient of a 1x1 convolution or a linear layer: dW[o][i] = sum over images and pixels
// of x[p][i] dy[p][o], one fma chain an entry, in increasing (image, pixel), for each slice of the
// batch by itself. Pixels of all images lie equally far apart, so it is one product of matrices.
#include <algorithm>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/dw_tasks.h"

namespace ddpm::cpu {
namespace {

// A task takes kRows input channels. It copies them, kPixels at a time, into a dense block: pixels
// are often a power of two apart, and would meet in few sets of the first-level cache.
constexpr int kRows = 64, kPixels = 64;

class MatrixDwRow : public RowOp {
 public:
  explicit MatrixDwRow(const RowContext& c)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        x_(c.in[0]),
        dy_(c.in[1]),
        panels_(dy_.width()),
        blocks_((x_.shape.c + kRows - 1) / kRows),
        group_(std::clamp(blocks_ * panels_.count / (2 * c.threads), 1, panels_.count)),
        groups_((panels_.count + group_ - 1) / group_),
        workspace_(c.workspace) {
    for (int p = 0; p < kPixels; ++p) taps_.push_back(p * kRows);
    workspace_.require(panel_floats() * group_ +
                       kPixels * (kRows + std::size_t{1} * panels_.width));
    workspace_.require(bias_gradient_floats(dy_));
  }

  void run(const Run& run, ThreadPool& pool) override {
    run_dw_tasks(run, pool, workspace_, dy_, bias_name_, blocks_ * groups_,
                 [&](const Slice& slice, int task, float* scratch) {
                   product({task % blocks_ * kRows, task / blocks_ * group_}, slice, scratch);
                 });
  }

 private:
  struct Block {
    int first_row, first_panel;
  };

  std::size_t panel_floats() const { return std::size_t{kRows} * panels_.width; }

  void product(const Block& block, const Slice& slice, float* scratch) const {
    // Pixels are counted through all images.
    const int begin = slice.first_image * dy_.pixels();
    const int end = begin + slice.images * dy_.pixels();
    const int rows = std::min(kRows, x_.shape.c - block.first_row);
    const int panels = std::min(group_, panels_.count - block.first_panel);
    float* x = scratch + panel_floats() * group_;
    float* dy = x + kPixels * kRows;
    std::fill_n(scratch, panel_floats() * panels, 0.0f);
    for (int p = begin; p < end; p += kPixels) {
      const int pixels = std::min(kPixels, end - p);
      copy(x_, p, pixels, block.first_row, rows, x, kRows);
      for (int i = 0; i < panels; ++i) {
        const int panel = block.first_panel + i, width = panels_.floats(panel);
        copy(dy_, p, pixels, panels_.begin(panel), width, dy, width);
        multiply(x, rows, dy, pixels, panels_.vectors(panel), scratch + i * panel_floats());
      }
    }
    for (int i = 0; i < panels; ++i) {
      const int panel = block.first_panel + i, column = panels_.begin(panel);
      scatter({.taps = 1,
               .first_row = block.first_row,
               .rows = rows,
               .row_step = kRows,
               .first_column = column,
               .columns = std::min(panels_.floats(panel), dy_.shape.c - column),
               .width = panels_.width},
              scratch + i * panel_floats(), x_.shape.c, slice.gradient.tensor(weight_name_));
    }
  }

  static void copy(const View& from, int first, int pixels, int channel, int channels, float* to,
                   int stride) {
    const float* pixel = from.data + static_cast<std::size_t>(first) * from.stride() + channel;
    for (int p = 0; p < pixels; ++p, pixel += from.stride(), to += stride) {
      std::copy_n(pixel, channels, to);
    }
  }

  void multiply(const float* x, int rows, const float* dy, int pixels, int vectors,
                float* acc) const {
    kernels().outer_product({.a = x,
                             .a_image = 0,
                             .taps = taps_.data(),
                             .b = dy,
                             .b_image = 0,
                             .b_stride = static_cast<std::size_t>(vectors) * kernels().vector,
                             .pixels = pixels,
                             .images = 1,
                             .dw = acc,
                             .dw_stride = static_cast<std::size_t>(panels_.width),
                             .rows = rows,
                             .vectors = vectors});
  }

  std::string weight_name_, bias_name_;
  View x_, dy_;
  Panels panels_;
  int blocks_;          // of rows
  int group_, groups_;  // panels a task, tasks a block
  Taps taps_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_matrix_conv_dw(const RowContext& c) {
  return std::make_unique<MatrixDwRow>(c);
}

}  // namespace ddpm::cpu
