#include "ddpm/diffusion/log_snr.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr std::size_t kMostKnots = 1'000'000;
constexpr double kUsualMax = 13.3, kUsualMin = -5;

// The piece that holds u, and how far u is into it.
struct Place {
  std::size_t piece;
  double way;
};

Place place_of(double u, std::size_t pieces) {
  DDPM_CHECK(0 <= u && u <= 1, "u = {}", u);
  const double at = u * static_cast<double>(pieces);
  const std::size_t piece = std::min(static_cast<std::size_t>(at), pieces - 1);
  return {piece, at - static_cast<double>(piece)};
}

void check_terms(const Schedule& schedule, std::span<const double> terms, int knots) {
  DDPM_CHECK(knots >= 2, "{}", knots);
  if (terms.size() != static_cast<std::size_t>(schedule.T()) || terms.size() < 2) {
    throw Error("[schedule] fit: got {} terms for {} steps, expected one each and at least 2",
                terms.size(), schedule.T());
  }
  double sum = 0;
  for (const double term : terms.subspan(1)) {
    if (!(term >= 0)) sum = std::nan("");
    sum += term;
  }
  if (!(sum > 0 && std::isfinite(sum)) || schedule.alpha_bar(schedule.T()) == 0) {
    throw Error(ExitCode::numeric,
                "[schedule] fit: got terms with sum {} and alpha_bar_T = {}, expected finite terms "
                ">= 0, some of them above 0, and alpha_bar_T > 0",
                sum, schedule.alpha_bar(schedule.T()));
  }
}

}  // namespace

LogSnr LogSnr::linear(double max, double min) { return LogSnr({max, min}); }

LogSnr::LogSnr(std::vector<double> knots) : knots_(std::move(knots)) {
  if (knots_.size() < 2 || knots_.size() > kMostKnots) {
    throw Error("[schedule] logsnr: got {} knots, expected 2..{}; try max=13.3,min=-5",
                knots_.size(), kMostKnots);
  }
  for (std::size_t i = 0; i < knots_.size(); ++i) {
    if (!std::isfinite(knots_[i]) || (i > 0 && !(knots_[i] < knots_[i - 1]))) {
      throw Error(
          "[schedule] logsnr: got knot {} = {}, expected finite numbers, each below the one "
          "before; "
          "try max=13.3,min=-5",
          i + 1, knots_[i]);
    }
  }
}

double LogSnr::operator()(double u) const {
  const auto [piece, way] = place_of(u, knots_.size() - 1);
  return knots_[piece] * (1 - way) + knots_[piece + 1] * way;
}

double LogSnr::slope(double u) const {
  const std::size_t piece = place_of(u, knots_.size() - 1).piece;
  return (knots_[piece + 1] - knots_[piece]) * static_cast<double>(knots_.size() - 1);
}

double LogSnr::alpha_bar(double u) const { return exact::sigmoid((*this)(u)); }

// With e = 1 / SNR, beta_t = 1 - alpha_bar_t / alpha_bar_{t-1} = (e_t - e_{t-1}) / (1 + e_t) = (1 -
// alpha_bar_t) (1 - SNR_t / SNR_{t-1}): nothing cancels.
Schedule LogSnr::schedule(int T) const {
  if (T < 1 || T > 1'000'000) {
    throw Error("[schedule] logsnr: got T = {}, expected 1..1000000; try logsnr:1000", T);
  }
  std::vector<double> betas;
  double before = 0;
  for (int t = 1; t <= T; ++t) {
    const double now = (*this)(T == 1 ? 0 : (t - 1) / (T - 1.0));
    const double noise = exact::sigmoid(-now);
    betas.push_back(t == 1 ? noise : -exact::expm1(now - before) * noise);
    before = now;
  }
  const std::string how =
      knots_.size() > 2 ? fmt::format(",knots={}", fmt::join(knots_, "/"))
                        : (knots_[0] == kUsualMax ? "" : fmt::format(",max={}", knots_[0])) +
                              (knots_[1] == kUsualMin ? "" : fmt::format(",min={}", knots_[1]));
  return Schedule(std::move(betas), fmt::format("logsnr:{}{}", T, how), "logsnr");
}

// The loss gathered from log SNR(1) down to log SNR(T) is a piecewise linear function; knot j is
// where j / (knots - 1) of it is gathered.
LogSnr fit_log_snr(const Schedule& schedule, std::span<const double> terms, int knots) {
  check_terms(schedule, terms, knots);
  double total = 0;
  for (const double term : terms.subspan(1)) total += term;
  std::vector<double> fitted;
  double gathered = 0;  // by the time t - 1
  int t = 2;
  for (int j = 0; j < knots; ++j) {
    const double want = total * j / (knots - 1);
    while (t < schedule.T() && gathered + terms[t - 1] < want) gathered += terms[t++ - 1];
    const double way =
        terms[t - 1] > 0 ? std::clamp((want - gathered) / terms[t - 1], 0.0, 1.0) : 0.0;
    const double from = exact::log(schedule.snr(t - 1)), to = exact::log(schedule.snr(t));
    fitted.push_back(j + 1 == knots ? exact::log(schedule.snr(schedule.T()))
                                    : from * (1 - way) + to * way);
  }
  return LogSnr(std::move(fitted));
}

}  // namespace ddpm
