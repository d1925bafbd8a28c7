// The weight gradient of a direct convolution: dW[o][i][tap] = sum over images and pixels of x[p +
// tap][i] dy[p][o], one fma chain an entry, in increasing (image, pixel), for each slice of the
// batch by itself.
#include <algorithm>

#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/dw_tasks.h"

namespace ddpm::cpu {
namespace {

constexpr int kRowsPerTask =
    16;  // input channels: with all taps and 32 outputs 18 KiB of accumulators at 3x3
constexpr int kPixelsPerPass = 196;  // what a pass reads stays in L1, for all its taps

class ConvDwRow : public RowOp {
 public:
  explicit ConvDwRow(const RowContext& c)
      : weight_name_(c.node.param + ".weight"),
        bias_name_(c.node.param + ".bias"),
        n_taps_(c.node.a.taps()),
        x_(c.in[0]),
        dy_(c.in[1]),
        panels_(dy_.width()),
        taps_(transposed(forward_taps(c.node.a, x_.shape, dy_.shape, x_.stride()), n_taps_)),
        workspace_(c.workspace) {
    workspace_.require(tile_floats());
    workspace_.require(bias_gradient_floats(dy_));
  }

  void run(const Run& run, ThreadPool& pool) override {
    const int row_blocks = (x_.shape.c + kRowsPerTask - 1) / kRowsPerTask;
    const int tiles = row_blocks * panels_.count;
    run_dw_tasks(run, pool, workspace_, dy_, bias_name_, tiles,
                 [&](const Slice& slice, int task, float* scratch) {
                   tile(slice, task % row_blocks * kRowsPerTask, task / row_blocks, scratch);
                 });
  }

 private:
  std::size_t tile_floats() const {
    return static_cast<std::size_t>(n_taps_) * kRowsPerTask * panels_.width;
  }

  // Accumulators [tap][row][column] over passes in the order of the pixels, then scattered into the
  // stored layout.
  void tile(const Slice& slice, int first_row, int panel, float* acc) const {
    std::fill_n(acc, tile_floats(), 0.0f);
    const int pixels = dy_.pixels();
    const int images_per_pass = std::max(1, kPixelsPerPass / pixels);
    for (int done = 0; done < slice.images; done += images_per_pass) {
      const int n = std::min(images_per_pass, slice.images - done);
      for (int p = 0; p < pixels; p += kPixelsPerPass) {
        const int end = std::min(pixels, p + kPixelsPerPass);
        pass({slice.first_image + done, n, p, end}, first_row, panel, acc);
      }
    }
    const int column = panels_.begin(panel);
    scatter({.taps = n_taps_,
             .first_row = first_row,
             .rows = std::min(kRowsPerTask, x_.shape.c - first_row),
             .row_step = kRowsPerTask,
             .first_column = column,
             .columns = std::min(panels_.floats(panel), dy_.shape.c - column),
             .width = panels_.width},
            acc, x_.shape.c, slice.gradient.tensor(weight_name_));
  }

  // Some images' pixels [begin, end): several whole images, or a part of one.
  struct Pass {
    int first_image, images, begin, end;
  };

  void pass(const Pass& s, int first_row, int panel, float* acc) const {
    const int rows = std::min(kRowsPerTask, x_.shape.c - first_row);
    for (int tap = 0; tap < n_taps_; ++tap) {
      for (int r = 0; r < rows; r += kOuterRows) {
        const std::size_t row = static_cast<std::size_t>(tap) * kRowsPerTask + r;
        kernels().outer_product(
            {.a = x_.image(s.first_image) + first_row + r,
             .a_image = x_.image_size(),
             .taps = taps_.data() + static_cast<std::size_t>(tap) * dy_.pixels() + s.begin,
             .b = dy_.image(s.first_image) + static_cast<std::size_t>(s.begin) * dy_.stride() +
                  panels_.begin(panel),
             .b_image = dy_.image_size(),
             .b_stride = static_cast<std::size_t>(dy_.stride()),
             .pixels = s.end - s.begin,
             .images = s.images,
             .dw = acc + row * panels_.width,
             .dw_stride = static_cast<std::size_t>(panels_.width),
             .rows = std::min(kOuterRows, rows - r),
             .vectors = panels_.vectors(panel)});
      }
    }
  }

  std::string weight_name_, bias_name_;
  int n_taps_;
  View x_, dy_;
  Panels panels_;
  Taps taps_;
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_direct_conv_dw(const RowContext& c) {
  return std::make_unique<ConvDwRow>(c);
}

}  // namespace ddpm::cpu
