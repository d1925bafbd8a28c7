#include "ddpm/likelihood/flow_measure.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/likelihood/flow_batch.h"

namespace ddpm {
namespace {

// The network at real times, for a batch of questions.
class FlowNetwork {
 public:
  FlowNetwork(VectorJacobian& network, const TimeLine& line, Prediction prediction,
              const TestImages& images)
      : network_(network), line_(line), prediction_(prediction), images_(images) {}

  void answer(std::span<const FlowQuestion> questions) {
    const std::size_t n = network_.shape().size(), n_out = network_.out_shape().size();
    x_.clear();
    time_.clear();
    label_.clear();
    for (const FlowQuestion& q : questions) {
      for (const double value : q.x) x_.push_back(static_cast<float>(value));
      time_.push_back(
          std::max(network_time(q.t), 0.0));  // below the first step there was no training
      if (images_.labels) label_.push_back(images_.data.label(q.image).value_or(kNoLabel));
    }
    const std::span<const float> out = network_.forward(x_, time_, label_);
    v_.assign(questions.size() * n_out, 0);  // 0 for channels of a variance
    for (std::size_t k = 0; k < questions.size(); ++k) {
      const FlowQuestion& q = questions[k];
      const Linear read = eps_on_line(line_, q.t, prediction_);
      for (std::size_t i = 0; i < n; ++i) {
        q.eps[i] = read.x * q.x[i] + read.out * out[k * n_out + i];
        v_[k * n_out + i] = static_cast<float>(q.v[i]);
      }
    }
    d_x_.resize(questions.size() * n);
    network_.backward(v_, d_x_);
    for (std::size_t k = 0; k < questions.size(); ++k) {
      const FlowQuestion& q = questions[k];
      const Linear read = eps_on_line(line_, q.t, prediction_);
      for (std::size_t i = 0; i < n; ++i) {
        q.vjp[i] = read.x * q.v[i] + read.out * d_x_[k * n + i];
      }
    }
  }

 private:
  VectorJacobian& network_;
  const TimeLine& line_;
  Prediction prediction_;
  const TestImages& images_;
  std::vector<float> x_, v_, d_x_;
  std::vector<double> time_;
  std::vector<int> label_;
};

// A density on the levels' line: uniform noise of a level's width around each.
std::vector<double> dequantised(const TestImages& images, std::size_t image, std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(images.data.shape().size());
  images.data.load(image, bytes);
  std::vector<double> x;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const double u = uniform({.seed = seed, .purpose = Purpose::flow_dequantise, .image = image},
                             static_cast<std::uint32_t>(i));
    x.push_back((bytes[i] + u) / 128 - 1);
  }
  return x;
}

// Eq. (7) of the step down to t - 1, or to clean data where that is nearer.
Posterior posterior_on_line(const TimeLine& line, double t) {
  const double s = std::max(t - 1, 0.0), variance = line.one_minus_alpha_bar(t);
  const double left = s > 0 ? line.one_minus_alpha_bar(s) : 0;
  const double root_s = std::sqrt(line.alpha_bar(s));
  const double root_alpha = std::sqrt(line.alpha_bar(t)) / root_s;
  return {.c_x0 = root_s * (1 - root_alpha * root_alpha) / variance,
          .c_xt = root_alpha * left / variance,
          .variance = 0};
}

}  // namespace

Linear eps_on_line(const TimeLine& line, double t, Prediction prediction) {
  const double variance = line.one_minus_alpha_bar(t);
  Mix mix{t, std::sqrt(line.alpha_bar(t)), std::sqrt(variance), variance};
  if (prediction == Prediction::mu) mix.down = posterior_on_line(line, t);
  return eps_from(mix, prediction);
}

FlowReport measure_flow(VectorJacobian& network, const Schedule& schedule, Prediction prediction,
                        const TestImages& images, const FlowOptions& options,
                        const FlowObserver& observer) {
  DDPM_CHECK(images.data.shape() == network.shape() && images.count > 0);
  const TimeLine line(schedule);
  const std::size_t n = network.shape().size();
  FlowReport report{.images = std::vector<FlowImage>(images.count),
                    .exact_trace = n <= kExactTrace};
  FlowNetwork flow(network, line, prediction, images);
  const auto integrate = [&](std::size_t image, const FlowBatch::Ask& ask) {
    const auto eps_and_vjp = [&](double t, std::span<const double> x, std::span<const double> v,
                                 std::span<double> eps,
                                 std::span<double> vjp) { ask({image, t, x, v, eps, vjp}); };
    const Probes probes =
        report.exact_trace
            ? exact_probes(n)
            : random_probes({.seed = options.seed, .purpose = Purpose::flow_probe, .image = image},
                            n);
    const FlowLikelihood likelihood =
        flow_likelihood(line, eps_and_vjp, dequantised(images, image, options.seed), probes,
                        kFlowStart * line.end(), options.tolerance);
    report.images[image] = {
        flow_bits_per_dim(likelihood.log_density, n),
        likelihood.stats.evaluations * static_cast<int>(probes.directions.size())};
  };
  std::int64_t evaluations = 0;
  FlowBatch().run(
      images.count, static_cast<std::size_t>(network.max_batch()), integrate,
      [&](std::span<const FlowQuestion> questions) {
        flow.answer(questions);
        evaluations += std::ssize(questions);
      },
      [&](std::size_t finished) {
        if (observer) observer(finished, evaluations);
      });
  report.evaluations = evaluations;
  std::vector<double> bits;
  for (const FlowImage& image : report.images) bits.push_back(image.bits_per_dim);
  report.bits_per_dim = mean_and_error(bits);
  return report;
}

}  // namespace ddpm
