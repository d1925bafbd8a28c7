#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"
#include "ddpm/engine/cpu/time_table.h"

namespace ddpm::cpu {
namespace {

TEST(HoistTimeRows, FindsTheEmbeddingAndEveryProjection) {
  for (const Graph& g : small_unets()) {
    Tape tape = inference_tape(tape_of(g));
    const Params params = random_params(g);
    const auto want = results_of(tape, params);
    const TimeRows rows = hoist_time_rows(tape);
    // The input, sinusoids, linear and SiLU twice.
    EXPECT_EQ(rows.steps, 6 + static_cast<int>(rows.values.size()));
    for (const Value v : rows.values) {
      EXPECT_NE(tape.graph.node(v).param.find(".time_emb_proj"), std::string::npos);
    }
    EXPECT_EQ(rows.values.size(), 8U);  // residual blocks
    EXPECT_EQ(results_of(tape, params), want);
  }
}

TEST(HoistTimeRows, FindsNothingInANetWithoutTime) {
  Graph g;
  g.output = g.silu(g.input({3, 4, 4}));
  Tape tape = tape_of(g);
  const TimeRows rows = hoist_time_rows(tape);
  EXPECT_EQ(rows.steps, 1);
  EXPECT_TRUE(rows.values.empty());
}

// A denoiser by hand, with a small table.
class Folded {
 public:
  Folded(const Graph& g, int capacity)
      : tape_(inference_tape(tape_of(g))),
        rows_(hoist_time_rows(tape_)),
        program_(tape_, kTestImages, pool_),
        table_(program_, rows_, capacity) {
    program_.pack(random_params(g));
    x_ = normals(kTestImages * g.shape(0).size(), 1);
  }

  std::vector<float> predict(std::span<const double> time) {
    const int images = static_cast<int>(time.size());
    write_planar(program_.view(input_rows(tape_.graph).at(0)), x_);
    table_.write(time);
    program_.run(rows_.steps, program_.steps(), {.images = images, .time = time});
    std::vector<float> out(x_.size());
    read_planar(program_.view(tape_.graph.output), out);
    return out;
  }

  int rows_run(std::span<const double> time) {
    OpClock clock;
    table_.write(time);
    return static_cast<int>(clock.times().count("time_embedding"));
  }

 private:
  ThreadPool pool_{2};
  Tape tape_;
  TimeRows rows_;
  Program program_;
  TimeTable table_;
  std::vector<float> x_;
};

const double kNan = std::nan("");
const std::vector<std::vector<double>> kBatches = {
    {7, 7, 7}, {7, 8, 9}, {9, 8, 7}, {1, 2, 3}, {8, 1, 8}, {0.5, 7, 3}, {3, 3, 0.5}, {-0.0, 0, 1}};

TEST(TimeTable, GivesTheBitsOfRunningTheRowsWhateverItHolds) {
  const Graph g = small_unets()[1];
  for (const int capacity : {1, 4, 1000}) {
    Folded folded(g, capacity);
    for (const auto& batch : kBatches) {
      EXPECT_EQ(folded.predict(batch), Folded(g, 1000).predict(batch)) << batch[0];
    }
  }
  // The rows themselves, image by image.
  Tape tape = inference_tape(tape_of(g));
  Folded folded(g, 4);
  EXPECT_EQ(folded.predict(kTestTimes), results_of(tape, random_params(g)));
}

TEST(TimeTable, RunsTheRowsOnceATimeItHolds) {
  Folded folded(small_unets()[1], 4);
  const auto runs = [&](std::vector<double> batch) { return folded.rows_run(batch); };
  EXPECT_EQ(runs({7, 7, 7}), 1);
  EXPECT_EQ(runs({7, 7, 7}), 0);
  EXPECT_EQ(runs({7, 8, 9}), 1);
  EXPECT_EQ(runs({9, 8, 8}), 0);
  EXPECT_EQ(runs({1, 2, 9}), 1);  // gives up the oldest: 7, then 8
  EXPECT_EQ(runs({9, 1, 2}), 0);
  EXPECT_EQ(runs({7, 7, 7}), 1);
  EXPECT_EQ(runs({kNan, kNan, kNan}), 1);
  EXPECT_EQ(runs({kNan, kNan, kNan}), 0);  // equal bits, though no equal numbers
}

}  // namespace
}  // namespace ddpm::cpu
