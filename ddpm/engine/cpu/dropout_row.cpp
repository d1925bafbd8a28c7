// Dropout. Element i of image n, counted over pixels then real channels, is kept when word i of the
// stream is at least p 2^32.
#include <algorithm>

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

constexpr int kWordsPerTask = 8192;  // they stay in the first-level cache

class DropoutRow : public RowOp {
 public:
  explicit DropoutRow(const RowContext& c)
      : x_(c.in[0]),
        y_(c.out),
        layer_(c.node.a.layer),
        threshold_(static_cast<std::uint32_t>(c.node.a.p * 0x1p32)),
        gain_(static_cast<float>(1 / (1 - c.node.a.p))),
        share_(std::max(1, kWordsPerTask / y_.shape.c)),
        tasks_((y_.pixels() + share_ - 1) / share_),
        workspace_(c.workspace) {
    workspace_.require(std::size_t{1} * share_ * y_.shape.c + 4 * (kPhiloxSlack + 2));
  }

  void run(const Run& run, ThreadPool& pool) override {
    pool.run(run.images * tasks_, [&](int task, int worker) {
      const int image = task / tasks_, first = task % tasks_ * share_;
      const int last = std::min(y_.pixels(), first + share_);
      if (run.train) {
        drop(run, image, first, last, reinterpret_cast<std::uint32_t*>(workspace_.of(worker)));
      } else {
        for (int p = first; p < last; ++p) {
          std::copy_n(x_.pixel(image, p), y_.width(), y_.pixel(image, p));
        }
      }
    });
  }

 private:
  void drop(const Run& run, int image, int first, int last, std::uint32_t* words) const {
    const NoiseKey key{.seed = run.seed,
                       .purpose = Purpose::dropout,
                       .image = run.sample[image],
                       .step = run.step,
                       .lane = static_cast<std::uint32_t>(layer_)};
    const int channels = y_.shape.c;
    const std::uint32_t begin = static_cast<std::uint32_t>(first) * channels;
    const std::uint32_t end = static_cast<std::uint32_t>(last) * channels;
    kernels().philox(philox_input(key, begin / 4), (end + 3) / 4 - begin / 4, words);
    words += begin % 4;
    for (int p = first; p < last; ++p, words += channels) {
      float* y = y_.pixel(image, p);
      kernels().dropout(words, threshold_, gain_, x_.pixel(image, p), y, channels);
      std::fill(y + channels, y + y_.width(), 0.0f);
    }
  }

  View x_, y_;
  int layer_;
  std::uint32_t threshold_;
  float gain_;
  int share_, tasks_;  // pixels a task, tasks an image
  Workspace& workspace_;
};

}  // namespace

std::unique_ptr<RowOp> make_dropout(const RowContext& c) { return std::make_unique<DropoutRow>(c); }

}  // namespace ddpm::cpu
