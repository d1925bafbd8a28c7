#include "ddpm/likelihood/measure.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/likelihood/fit.h"
#include "ddpm/likelihood/gaussian_for_test.h"
#include "ddpm/likelihood/rate_distortion.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

constexpr Shape kShape = {1, 4, 4};

// The best model of the data: eps, and E |eps|^2 / D = (1 - alpha_bar) / variance of x_t (r = 0).
ModelView best_view(const GaussianData& data, const Schedule& schedule) {
  ModelView view{.variance = Variance::optimal, .limit = Limit::no_limit()};
  for (int t = 1; t <= schedule.T(); ++t) {
    const double noise = schedule.one_minus_alpha_bar(t);
    view.mean_eps_squared.push_back(noise / (schedule.alpha_bar(t) * data.s * data.s + noise));
    view.eps_error.push_back(1 - view.mean_eps_squared.back());
  }
  return view;
}

struct Case {
  Schedule schedule = Schedule::parse("linear:60,beta_1=1e-3,beta_T=0.25");
  GaussianData data;
  ModelView view = best_view(data, schedule);
  std::unique_ptr<Dataset> images = data.images(96, kShape);

  std::vector<BoundReport> measure(std::span<const BoundProcess> processes,
                                   const MeasureOptions& options = {}, int batch = 8,
                                   std::size_t count = 96, const Reader::Sink& also = {}) const {
    GaussianNet net(data, schedule, kShape, batch);
    return measure_bounds(processes, schedule, net, {*images, count}, options, {}, also);
  }
  BoundProcess process(const std::string& respacing = "") const {
    return {schedule, view, Decoder::exact,
            respacing.empty() ? std::vector<int>{} : parse_respacing(schedule.T(), respacing)};
  }
};

// With the best network and the true variances p is q, step by step, so that the bound is the
// entropy of the data, whatever the number of steps, but for L_T: KL(q(x_T) || N(0, 1)), a few 1e-4
// bits, and the rounding to levels, 1e-4.
TEST(MeasureBounds, IsTheEntropyOfGaussianDataWithinItsError) {
  const Case c;
  const std::vector<BoundProcess> processes = {c.process(), c.process("20"), c.process("4")};
  for (const BoundReport& report : c.measure(processes)) {
    EXPECT_GT(report.standard_error, 0.005) << report.steps;
    EXPECT_LT(report.standard_error, 0.08) << report.steps;
    EXPECT_NEAR(report.mean.total(), c.data.entropy(), 4 * report.standard_error + 1e-3)
        << report.steps;
  }
}

TEST(MeasureBounds, TermsAddUpToTheImagesAndTheMean) {
  const Case c;
  const std::vector<BoundProcess> processes = {c.process(), c.process("7")};
  for (const BoundReport& report : c.measure(processes)) {
    ASSERT_EQ(std::ssize(report.terms), report.steps);
    double between = 0, total = 0;
    for (std::size_t k = 1; k < report.terms.size(); ++k) between += report.terms[k].bits_per_dim;
    for (const ImageBound& image : report.images) total += image.total() / 96;
    // Sums of at most a hundred numbers near 1, in two orders.
    EXPECT_NEAR(between, report.mean.between, 1e-12);
    EXPECT_NEAR(report.terms[0].bits_per_dim, report.mean.decoder, 1e-13);
    EXPECT_NEAR(total, report.mean.total(), 1e-12);
    EXPECT_DOUBLE_EQ(report.mean.rate(), report.mean.prior + report.mean.between);
    EXPECT_EQ(report.terms.front().images, 96);
  }
}

// An image's noise is a function of (seed, image, t): not of the batch, of what else is measured,
// or of how many images there are.
TEST(MeasureBounds, AnImageCostsTheSameInAnyCompany) {
  const Case c;
  const std::vector<BoundProcess> both = {c.process(), c.process("7")};
  const BoundReport alone = c.measure({&both[1], 1}, {}, 1, 5).front();
  const BoundReport among = c.measure(both, {}, 32).back();
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(alone.images[i].total(), among.images[i].total()) << i;
  }
  const BoundReport other = c.measure({&both[1], 1}, {.seed = 1}, 1, 5).front();
  EXPECT_NE(alone.images[0].total(), other.images[0].total());
}

// Fixed variances: the terms are large and uneven, so an estimate is far off for one image; over
// all it agrees with the whole bound within its own error.
TEST(MeasureBounds, EstimateAgreesWithTheWholeBoundWithinItsError) {
  Case c;
  c.view.variance = Variance::fixed_large;
  const std::vector<BoundProcess> process = {c.process()};
  const BoundReport whole = c.measure(process).front();
  for (const int terms : {1, 6}) {
    const BoundReport estimate = c.measure(process, {.estimate = terms}).front();
    double difference = 0, square = 0;
    for (int i = 0; i < 96; ++i) {
      const double d = estimate.images[i].total() - whole.images[i].total();
      difference += d / 96;
      square += d * d / 96;
    }
    EXPECT_GT(square, 1e-6);
    EXPECT_NEAR(difference, 0, 4 * std::sqrt(square / 96)) << terms;
    EXPECT_EQ(estimate.mean.decoder, whole.mean.decoder);  // the same noise at t = 1
    EXPECT_EQ(estimate.images[3].prior, whole.images[3].prior);
    std::int64_t asked = 0;
    for (const TermMean& term : estimate.terms) asked += term.images;
    EXPECT_LE(asked, 96 * (terms + 1));
    EXPECT_GE(asked, 96 * 2);
  }
}

// improved-diffusion: a learned range lies between the re-spaced process's own beta-tilde and beta.
TEST(MeasureBounds, ALearnedRangeOfARespacedProcessHasItsEnds) {
  const Schedule schedule = Schedule::linear(100, 1e-3, 0.2);
  const ModelView view{.variance = Variance::learned_range};
  const BoundProcess process(schedule, view, Decoder::exact, {1, 50, 100});
  const std::vector<float> x0 = {0.5f, -0.25f}, eps = {1, -1};
  for (const float v : {-1.0f, 0.25f, 1.0f}) {
    const std::vector<float> out = {0.5f, -0.5f, v, v};
    const ReverseModel reverse{.variance = Variance::learned_range, .clip = 1};
    const Respaced own = respace(schedule, {1, 50, 100});
    const BoundTerm want = bound_term<float>(own.schedule, 2, reverse, x0, eps, out);
    EXPECT_EQ(process.term(2, x0, eps, out).bits_per_dim, want.bits_per_dim);
    EXPECT_NE(want.bits_per_dim,
              bound_term<float>(schedule, 50, reverse, x0, eps, out).bits_per_dim);
  }
  EXPECT_EQ(process.time(2), 50);
  EXPECT_EQ(process.step_at(50), 2);
  EXPECT_EQ(process.step_at(51), 0);
}

// `mu` is the mean of one step of the whole process. Of a re-spaced one it still tells the same x0
// as eps does.
TEST(MeasureBounds, ARespacedMeanIsReadAsItsX0) {
  const Schedule schedule = Schedule::linear(100, 1e-3, 0.2);
  const std::vector<float> x0 = {0.5f, -0.25f}, eps = {1, -0.5f}, eps_out = {0.75f, -0.25f};
  std::vector<float> mu;
  const Posterior q = schedule.posterior(50);
  for (int i = 0; i < 2; ++i) {
    const double x_t = std::sqrt(schedule.alpha_bar(50)) * x0[i] +
                       std::sqrt(schedule.one_minus_alpha_bar(50)) * eps[i];
    const Linear read = x0_from(schedule, 50, Prediction::eps);
    mu.push_back(
        static_cast<float>(q.c_x0 * (read.x * x_t + read.out * eps_out[i]) + q.c_xt * x_t));
  }
  const BoundProcess by_mu(schedule, {.prediction = Prediction::mu}, Decoder::exact, {50, 100});
  const BoundProcess by_eps(schedule, {}, Decoder::exact, {50, 100});
  // mu is rounded to float, 6e-8, and c_x0 is about 0.05: x0 errs by 2e-6 of a gap of about 0.2.
  const double want = by_eps.term(1, x0, eps, eps_out).x0_mse;
  EXPECT_NEAR(by_mu.term(1, x0, eps, mu).x0_mse, want, 1e-4 * want);
}

// Bao et al., Theorem 1: for the best network 1 - E |eps|^2 / D is what x_t hides of eps.
TEST(EpsMeter, FindsTheMomentsOfGaussianData) {
  const Case c;
  EpsMeter meter(c.schedule, Prediction::eps);
  const std::vector<BoundProcess> process = {c.process()};
  c.measure(process, {}, 8, 96, [&](const Reading& r) { meter.add(r); });
  const EpsMoments moments = meter.moments();
  for (int t = 1; t <= c.schedule.T(); ++t) {
    const double hidden = 1 - c.view.mean_eps_squared[t - 1];
    // 1536 numbers. |eps|^2 - |eps-hat|^2 of one has a deviation below 2 sqrt(hidden) + hidden,
    // since eps - eps-hat has the variance `hidden`; rounding to levels adds 1e-4.
    const double sd = (2 * std::sqrt(hidden) + 2 * hidden) / std::sqrt(1536.0);
    EXPECT_NEAR(moments.mean_eps_squared[t - 1], 1 - hidden, 4.5 * sd + 1e-4) << t;
    EXPECT_NEAR(moments.eps_error[t - 1], hidden, 4.5 * 2 * hidden / std::sqrt(1536.0) + 1e-4) << t;
  }
}

TEST(WithMoments, KeepsAllOtherKeys) {
  const Json before = value_or_throw(
      parse_json(R"({"format": 1, "mine": [1, {"a": 2.50}], "variance": "x"})", "f"));
  const EpsMoments moments{{0.5, 0.25}, {0.125, 1}};
  const Json after = with_moments(before, moments, /*keep_variance=*/false);
  EXPECT_EQ(*after.find("mine"), *before.find("mine"));
  EXPECT_EQ(after.find("variance")->text, "optimal");
  EXPECT_EQ(after.find("mean_eps_squared")->items[1].real(), 0.25);
  EXPECT_EQ(after.find("eps_error")->items[0].real(), 0.125);
  EXPECT_EQ(with_moments(before, moments, true).find("variance")->text, "x");
  EXPECT_EQ(value_or_throw(parse_json(write_json(after), "g")).find("mine")->items[0].integer(), 1);
}

// Gaussian data: after x_t the rate is the information that it has of x_0, and the best guess errs
// by what is left of the variance.
TEST(RateDistortion, IsTheGaussiansOwn) {
  const Case c;
  const std::vector<BoundProcess> process = {c.process()};
  const BoundReport report = c.measure(process).front();
  const std::vector<RatePoint> points = rate_distortion(report);
  ASSERT_EQ(points.size(), 60U);
  EXPECT_EQ(points.front().t, 60);
  EXPECT_EQ(points.front().rate, report.mean.prior);
  EXPECT_DOUBLE_EQ(points.back().rate, report.mean.rate());
  for (const RatePoint& p : points) {
    EXPECT_EQ(p.reverse_step, 61 - p.t);
    const double snr = c.schedule.snr(p.t) * 0.0625;
    EXPECT_NEAR(p.rate, 0.5 * std::log2(1 + snr) + report.mean.prior, 0.03 * p.rate + 0.01) << p.t;
    const double rmse = 127.5 * 0.25 / std::sqrt(1 + snr);
    EXPECT_NEAR(p.rmse, rmse, 0.08 * rmse) << p.t;  // of 1536 numbers: 1.8% a deviation
    EXPECT_NEAR(p.psnr, 20 * std::log10(255 / p.rmse), 1e-9);
  }
}

class BrokenNet : public GaussianNet {
 public:
  using GaussianNet::GaussianNet;
  void predict(std::span<const float> x, std::span<const double>, std::span<const int>,
               std::span<float> out) override {
    std::fill_n(out.begin(), x.size(), NAN);
  }
};

TEST(MeasureBounds, ANetworkThatIsNotFiniteIsNamed) {
  const Case c;
  const std::vector<BoundProcess> process = {c.process()};
  BrokenNet net(c.data, c.schedule, kShape, 4);
  try {
    measure_bounds(process, c.schedule, net, {*c.images, 2}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::numeric);
    EXPECT_NE(std::string(error.what()).find("image 0 at t = 1"), std::string::npos);
  }
}

TEST(MeasureBounds, WhatCannotBeMeasuredIsRefused) {
  Case c;
  const std::vector<BoundProcess> one = {c.process("1")};
  EXPECT_THROW(c.measure(one, {.estimate = 2}), Error);
  EXPECT_EQ(c.measure(one).front().terms.size(), 1U);
  c.view.mean_eps_squared.clear();
  EXPECT_THROW(c.process(), Error);
  EXPECT_THROW(BoundProcess(c.schedule, {}, Decoder::exact, {3, 2}), Error);
  EXPECT_THROW(BoundProcess(Schedule::jsd(10), {}, Decoder::exact), Error);  // no x0 at alpha_bar 0
  EXPECT_NO_THROW(BoundProcess(Schedule::jsd(10), {.prediction = Prediction::v}, Decoder::exact));
}

}  // namespace
}  // namespace ddpm
