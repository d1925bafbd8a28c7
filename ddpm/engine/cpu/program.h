// A tape compiled for a largest number of images: one arena, one object a row.
#pragma once

#include <memory>
#include <vector>

#include "ddpm/engine/cpu/memory_plan.h"
#include "ddpm/engine/cpu/op_clock.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {

class Program {
 public:
  /// Plans the memory and makes the rows. `pool` must outlive the program. Throws Error (resources)
  /// without memory.
  Program(Tape tape, int max_images, ThreadPool& pool, Profile profile = Profile::f32);
  /// The graph's rows as they are.
  Program(const Graph& graph, int max_images, ThreadPool& pool, Profile profile = Profile::f32)
      : Program(tape_of(graph), max_images, pool, profile) {}

  /// Takes over new parameter values. Where the tape makes parameter gradients, rows may look at
  /// `params` as long as it runs. A row whose weight `folded` has takes that one.
  void pack(const Params& params, const Params& folded = {});

  /// Runs the tape's steps [first, last). The caller has written the inputs; run.images <=
  /// max_images(). An OpClock of this thread is told how long each row takes.
  void run(int first, int last, const Run& run);

  const Graph& graph() const { return tape_.graph; }
  const Tape& tape() const { return tape_; }
  int steps() const { return tape_.steps(); }
  int max_images() const { return max_images_; }
  View view(Value v) const;
  std::size_t arena_floats() const { return plan_.floats; }

 private:
  void run_timed(int first, int last, const Run& run, OpClock& clock);

  struct Free {
    void operator()(float* p) const;
  };

  Tape tape_;
  int max_images_;
  ThreadPool& pool_;
  std::vector<Part> parts_;
  MemoryPlan plan_;
  std::unique_ptr<float, Free> arena_;
  Workspace workspace_;
  std::vector<std::unique_ptr<RowOp>> rows_;  // by row; null for those that do not run
};

/// The rows of a graph's inputs; slot s at index s.
std::vector<Value> input_rows(const Graph& graph);

}  // namespace ddpm::cpu
