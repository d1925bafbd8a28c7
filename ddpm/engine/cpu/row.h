// A compiled row of a graph, and what rows share.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ddpm/base/cache_lines.h"
#include "ddpm/base/thread_pool.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/view.h"
#include "ddpm/net/params.h"

namespace ddpm::cpu {

/// What one run of a program is about. Spans have one entry an image, but for slices.
struct Run {
  int images = 0;
  std::span<const double> time;
  std::span<const int> label;             // empty in a network without classes
  std::span<const std::uint64_t> sample;  // keys dropout
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  bool train = false;
  std::span<const int> slices;  // sizes, sum = images
  std::span<Params* const>
      gradients;  // one a slice; rows set (do not add to) their parameters' tensors
};

class RowOp {
 public:
  virtual ~RowOp() = default;
  virtual void run(const Run& run, ThreadPool& pool) = 0;
  /// Takes over new parameter values.
  virtual void pack(const Params& /*params*/, ThreadPool& /*pool*/) {}
  /// Multiply-adds done over those of a direct computation: below 1 for Winograd's algorithms.
  virtual double work_ratio() const { return 1; }
};

/// Memory of each worker for the time of one task, and memory of all of them for the time of one
/// row. Rows ask for room when they are made.
class Workspace {
 public:
  explicit Workspace(int workers) : memory_(workers) {}
  void require(std::size_t floats) { floats_ = std::max(floats_, floats); }
  void require_shared(std::size_t floats) { shared_floats_ = std::max(shared_floats_, floats); }
  void allocate() {
    for (auto& m : memory_) m.assign(floats_ + kLanes, 0.0f);
    shared_.assign(shared_floats_ + kLanes, 0.0f);
  }
  float* of(int worker) { return memory_[worker].data(); }
  float* shared() { return shared_.data(); }

 private:
  std::size_t floats_ = 0, shared_floats_ = 0;
  std::vector<Floats> memory_;
  Floats shared_;
};

/// What a row is made from.
struct RowContext {
  const Graph& graph;
  const Node& node;
  View out;
  std::vector<View> in;
  Workspace& workspace;
  int threads;
  int max_images;
  bool training = false;  // the parameters change between runs
  Profile profile = Profile::f32;
};

std::unique_ptr<RowOp> make_conv(const RowContext& c);  // the algorithm that conv_choice.h names
std::unique_ptr<RowOp> make_conv_dx(const RowContext& c);
std::unique_ptr<RowOp> make_conv_dw(const RowContext& c);
std::unique_ptr<RowOp> make_direct_conv(const RowContext& c);
std::unique_ptr<RowOp> make_direct_conv_dx(const RowContext& c);
std::unique_ptr<RowOp> make_direct_conv_dw(const RowContext& c);
std::unique_ptr<RowOp> make_matrix_conv_dw(const RowContext& c);  // 1x1
std::unique_ptr<RowOp> make_winograd_conv(const RowContext& c);
std::unique_ptr<RowOp> make_winograd_conv_dx(const RowContext& c);
std::unique_ptr<RowOp> make_winograd_conv_dw(const RowContext& c);
std::unique_ptr<RowOp> make_norm_row(const RowContext& c);  // norm_stats, normalize*, sum_pixels
std::unique_ptr<RowOp> make_attention_row(
    const RowContext& c);                                   // dot_tokens, softmax*, mix_tokens*
std::unique_ptr<RowOp> make_pool_row(const RowContext& c);  // max_pool, avg_pool, flatten
std::unique_ptr<RowOp> make_dropout(const RowContext& c);
std::unique_ptr<RowOp> make_condition_row(const RowContext& c);  // what reads time or label
std::unique_ptr<RowOp> make_simple_row(const RowContext& c);     // the element-wise rows and copies

}  // namespace ddpm::cpu
