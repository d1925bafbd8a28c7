#include "ddpm/diffusion/log_snr.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/time_line.h"

namespace ddpm {
namespace {

// alpha_bar is a product of T rounded factors kept in two doubles, each beta off by a few
// roundings: relative error T 1e-15 at most.
TEST(LogSnr, DiscreteScheduleHasItsSignalToNoiseRatio) {
  for (const auto& log_snr : {LogSnr::linear(), LogSnr({9, 8.5, 0, -6})}) {
    const Schedule s = log_snr.schedule(100);
    for (int t = 1; t <= 100; ++t) {
      const double u = (t - 1) / 99.0;
      EXPECT_NEAR(s.snr(t) / std::exp(log_snr(u)), 1, 1e-12) << t;
      EXPECT_NEAR(s.alpha_bar(t) / log_snr.alpha_bar(u), 1, 1e-12) << t;
    }
  }
}

TEST(LogSnr, SpecReadsBackToTheSameSchedule) {
  for (const char* spec : {"logsnr:100", "logsnr:7,max=10", "logsnr:7,min=-3",
                           "logsnr:50,max=9.5,min=-4", "logsnr:20,knots=9/2.5/-4"}) {
    const Schedule s = Schedule::parse(spec);
    EXPECT_EQ(s.spec(), spec);
  }
  EXPECT_EQ(Schedule::parse("logsnr").T(), 1000);
}

TEST(LogSnr, SlopeIsTheDerivative) {
  const LogSnr f({8, 5, 1, -6});
  EXPECT_EQ(f(0), 8);
  EXPECT_EQ(f(1), -6);
  for (const double u : {0.1, 0.4, 0.5, 0.9}) {
    EXPECT_NEAR(f.slope(u), (f(u + 1e-3) - f(u - 1e-3)) / 2e-3, 1e-10);  // linear: rounding only
  }
  EXPECT_THROW(f(1.5), BugError);
}

// Terms that are constant in log SNR make the fit linear in log SNR, and twice as much loss in one
// interval twice the time there.
TEST(LogSnr, FitSpendsTimeWhereTheLossIs) {
  const Schedule s = LogSnr({6, -3}).schedule(10);  // 9 intervals of log SNR 1
  const std::vector<double> even(10, 0.25);
  const LogSnr same = fit_log_snr(s, even, 4);
  for (int j = 0; j < 4; ++j) EXPECT_NEAR(same.knots()[j], 6 - 3 * j, 1e-12);
  std::vector<double> terms = even;
  terms[1] = 2.25;  // t = 2: log SNR 6 to 5 now has 9 of 17 parts
  const LogSnr fitted = fit_log_snr(s, terms, 18);
  EXPECT_NEAR(fitted(9.0 / 17), 5, 1e-12);
  EXPECT_NEAR(fitted(1.0 / 17), 6 - 1.0 / 9, 1e-12);
  EXPECT_NEAR(fitted(1), -3, 1e-12);
}

// Gaussian data N(0, s^2) with the optimal network: per unit of log SNR l, the bound of continuous
// time loses E |eps - eps_hat|^2 / 2 = s^2 / (s^2 + e^-l) / 2, whose integral is log(1 + s^2 e^l)
// / 2. A fit to the terms of 4000 steps must gather 1/200 of it in each of 200 pieces. Between two
// steps, 0.003 apart, the gathered loss is taken as linear: off by 0.003^2 / 8 times a slope below
// 0.13, at each end of a piece that holds 0.006.
TEST(LogSnr, FitEqualisesTheLossPerUnitOfTime) {
  const auto gathered = [](double log_snr) { return std::log1p(0.25 * std::exp(log_snr)) / 2; };
  const Schedule fine = LogSnr::linear(6, -6).schedule(4000);
  std::vector<double> terms = {0};
  for (int t = 2; t <= 4000; ++t) {
    terms.push_back(gathered(std::log(fine.snr(t - 1))) - gathered(std::log(fine.snr(t))));
  }
  const LogSnr fitted = fit_log_snr(fine, terms, 201);
  const double each = (gathered(6) - gathered(-6)) / 200;
  for (int i = 0; i < 200; ++i) {
    const double piece = gathered(fitted(i / 200.0)) - gathered(fitted((i + 1) / 200.0));
    EXPECT_NEAR(piece / each, 1, 2 * 0.003 * 0.003 / 8 * 0.13 / 0.006) << i;
  }
}

TEST(LogSnr, FitRefusesMeasurementsThatSayNothing) {
  const Schedule s = Schedule::linear(5);
  EXPECT_THROW(fit_log_snr(s, std::vector<double>(5, 0.0), 3), Error);
  EXPECT_THROW(fit_log_snr(s, std::vector<double>(4, 1.0), 3), Error);
  EXPECT_THROW(fit_log_snr(s, std::vector<double>{0, 1, -1, 1, 1}, 3), Error);
  EXPECT_THROW(fit_log_snr(s, std::vector<double>{0, 1, std::nan(""), 1, 1}, 3), Error);
  EXPECT_THROW(fit_log_snr(Schedule::jsd(5), std::vector<double>(5, 1.0), 3), Error);
}

TEST(LogSnr, FitOfLossInOneIntervalStillFalls) {
  const LogSnr f = fit_log_snr(Schedule::linear(5), std::vector<double>{0, 0, 1, 0, 0}, 6);
  for (std::size_t i = 1; i < f.knots().size(); ++i) EXPECT_LT(f.knots()[i], f.knots()[i - 1]);
}

TEST(TimeLine, PassesThroughTheScheduleAndFalls) {
  for (const char* spec : {"linear:1000", "cosine:50", "constant:3,beta=0.2", "linear:1",
                           "table,betas=0.01/0.5/0.02"}) {
    const Schedule s = Schedule::parse(spec);
    const TimeLine line(s);
    EXPECT_EQ(line.end(), s.T());
    for (int t = 0; t <= s.T(); ++t) {
      EXPECT_NEAR(line.alpha_bar(t), s.alpha_bar(t), 1e-14 * s.alpha_bar(t)) << spec << " " << t;
      EXPECT_NEAR(line.one_minus_alpha_bar(t), s.one_minus_alpha_bar(t), 1e-15);
    }
    for (double t = 0; t < s.T(); t += 0.37) EXPECT_GE(line.beta(t), 0) << spec << " " << t;
  }
}

// The central difference of a cubic is off by h^2 times its third derivative / 6, below 12 rises
// (< 7) per cube of a step here, and by rounding 1e-15 / h.
TEST(TimeLine, BetaIsTheDerivative) {
  const TimeLine line(Schedule::cosine(20));
  for (const double t : {0.3, 1.0, 2.5, 10.25, 19.6}) {
    const double h = 1e-5;
    const double slope = (line.log_alpha_bar(t + h) - line.log_alpha_bar(t - h)) / (2 * h);
    EXPECT_NEAR(-line.beta(t), slope, 1e-4) << t;  // at a knot the second derivative jumps: h * 14
    const auto log_snr = [&](double at) {
      return line.log_alpha_bar(at) - std::log(line.one_minus_alpha_bar(at));
    };
    EXPECT_NEAR(line.log_snr_slope(t), (log_snr(t + h) - log_snr(t - h)) / (2 * h),
                1e-3 * std::abs(line.log_snr_slope(t)))
        << t;
  }
}

TEST(TimeLine, EndsBeforeZeroTerminalSnr) {
  EXPECT_EQ(TimeLine(Schedule::jsd(10)).end(), 9);
  EXPECT_THROW(TimeLine(Schedule::jsd(1)), Error);
  EXPECT_THROW(TimeLine(Schedule::jsd(10)).beta(9.5), BugError);
}

}  // namespace
}  // namespace ddpm
