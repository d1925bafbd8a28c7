#include "ddpm/cli/bench_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/net/gradient.h"
#include "ddpm/net/unet.h"

namespace ddpm::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Repeats {
  double median;  // seconds
  int count;
};

// Enough runs for a median, and a second of them, so that one hiccup does not decide.
template <class Body>
Repeats repeat(const Body& body) {
  constexpr int kWarmUp = 2, kLeast = 5, kMost = 200;
  constexpr double kSeconds = 1;
  for (int i = 0; i < kWarmUp; ++i) body();
  std::vector<double> times;
  for (double total = 0;
       std::ssize(times) < kLeast || (total < kSeconds && std::ssize(times) < kMost);) {
    const auto start = Clock::now();
    body();
    times.push_back(seconds_since(start));
    total += times.back();
  }
  std::ranges::nth_element(times, times.begin() + std::ssize(times) / 2);
  return {times[times.size() / 2], static_cast<int>(times.size())};
}

// Where the time goes, from runs of their own: reading the clock a row costs a little.
template <class Body>
std::map<std::string, cpu::OpTime> time_ops(const Body& body, int images) {
  constexpr int kRuns = 3;
  const cpu::OpClock clock;
  for (int i = 0; i < kRuns; ++i) body();
  std::map<std::string, cpu::OpTime> ops = clock.times();
  const double parts = kRuns * images;
  for (auto& [kind, time] : ops) {
    time = {time.seconds / parts, time.direct_flops / parts, time.real_flops / parts};
  }
  return ops;
}

bool is_conv(Op op) { return op == Op::conv || op == Op::conv_dx || op == Op::conv_dw; }

template <class Body>
JobTime time_job(const BenchJob& job, const Graph& graph, const Body& body) {
  const Repeats repeats = repeat(body);
  JobTime result{.ms = repeats.median * 1e3 / job.batch,
                 .repeats = repeats.count,
                 .ops = time_ops(body, job.batch)};
  for (const auto& [kind, time] : result.ops) result.real_flops += time.real_flops;
  double limit = 0;
  for (const Node& node : graph.nodes()) {
    const double flops = cpu::direct_flops(graph, node);
    const bool fast = job.profile == cpu::Profile::f32 && cpu::is_winograd_shape(node);
    if (is_conv(node.op)) result.direct_flops += flops;
    limit += fast ? flops / 4 : flops;
  }
  result.limit_ms = limit / (job.fma_peak * 1e9) * 1e3;
  return result;
}

// Times and labels that the network has: tables have rows for so many.
std::vector<double> some_times(const Graph& graph, int count) {
  int below = 1000;
  for (const Node& node : graph.nodes()) {
    if (node.op == Op::embedding && !node.a.of_label) below = std::min(below, node.a.rows);
  }
  std::vector<double> times(count);
  for (int i = 0; i < count; ++i) times[i] = i * 617 % below;  // 617 and 1000 share no factor
  return times;
}

std::vector<int> some_labels(const Graph& graph, int count) {
  const auto reads_labels = [](const Node& node) { return node.a.of_label; };
  const auto& nodes = graph.nodes();
  return std::vector<int>(std::ranges::any_of(nodes, reads_labels) ? count : 0, 0);
}

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  std::vector<float> values(count);
  fill_normal({.seed = seed}, values);
  return values;
}

Shape input_shape(const Graph& graph) {
  const auto& nodes = graph.nodes();
  const auto is_input = [](const Node& node) { return node.op == Op::input && node.a.slot == 0; };
  return std::ranges::find_if(nodes, is_input)->shape;
}

// A training batch with everything that a step needs, and the step.
class TrainingStep {
 public:
  explicit TrainingStep(const BenchJob& job)
      : slices_(slice_sizes(job.batch)),
        x_(normals(job.batch * input_shape(job.graph).size(), 1)),
        target_(normals(job.batch * job.graph.shape(job.graph.output).size(), 2)),
        d_out_(target_.size()),
        time_(some_times(job.graph, job.batch)),
        label_(some_labels(job.graph, job.batch)),
        sample_(job.batch),
        learner_(cpu::make_learner(job.graph, job.params, *std::ranges::max_element(slices_), 1,
                                   job.pool, job.profile)) {
    std::iota(sample_.begin(), sample_.end(), 0);
  }

  void operator()() {
    ++step_;
    std::size_t first = 0;
    for (const int& slice : slices_) {  // one at a time, as `ddpm train` does
      learn(first, slice);
      first += slice;
    }
    learner_->update({.step = step_});
  }

 private:
  void learn(std::size_t first, const int& slice) {
    const std::size_t size = x_.size() / time_.size(), out = target_.size() / time_.size();
    const std::span<const float> y =
        learner_->forward({.x = std::span(x_).subspan(first * size, slice * size),
                           .time = std::span(time_).subspan(first, slice),
                           .label = std::span(label_).first(label_.empty() ? 0 : slice),
                           .sample = std::span(sample_).subspan(first, slice),
                           .slices = {&slice, 1},
                           .step = static_cast<std::uint32_t>(step_)});
    const std::span<float> d = std::span(d_out_).subspan(first * out, slice * out);
    const float scale = 2.0f / static_cast<float>(target_.size());
    for (std::size_t i = 0; i < d.size(); ++i) d[i] = scale * (y[i] - target_[first * out + i]);
    learner_->backward(d);
  }

  std::vector<int> slices_;
  std::vector<float> x_, target_, d_out_;
  std::vector<double> time_;
  std::vector<int> label_;  // all the same, or none
  std::vector<std::uint64_t> sample_;
  std::unique_ptr<Learner> learner_;
  std::int64_t step_ = 0;
};

}  // namespace

JobTime time_forward(const BenchJob& job) {
  const auto denoiser = cpu::make_denoiser(job.graph, job.params, job.batch, job.pool, job.profile);
  const std::vector<float> x = normals(job.batch * input_shape(job.graph).size(), 1);
  const std::vector<double> time = some_times(job.graph, job.batch);
  const std::vector<int> label = some_labels(job.graph, job.batch);
  std::vector<float> out(job.batch * denoiser->out_shape().size());
  return time_job(job, job.graph, [&] { denoiser->predict(x, time, label, out); });
}

JobTime time_training_step(const BenchJob& job) {
  TrainingStep step(job);
  return time_job(job, gradient(job.graph, {}).graph, [&] { step(); });
}

Params bench_weights(const Graph& graph) {
  Params params = init_unet(graph, 0);
  std::uint64_t seed = 0;
  for (const ParamSpec& spec : graph.params()) {
    if (spec.shape.size() < 2) continue;
    const std::span<float> weight = params.tensor(spec.name);
    fill_normal({.seed = ++seed}, weight);
    const float fan_in = static_cast<float>(spec.size()) / static_cast<float>(spec.shape[0]);
    for (float& w : weight) w /= std::sqrt(fan_in);
  }
  return params;
}

double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib / 1024;
  }
  return 0;
}

}  // namespace ddpm::cli
