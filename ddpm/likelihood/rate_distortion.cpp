#include "ddpm/likelihood/rate_distortion.h"

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {

std::vector<RatePoint> rate_distortion(const BoundReport& report) {
  DDPM_CHECK(std::ssize(report.terms) == report.steps, "{} of {} terms", report.terms.size(),
             report.steps);
  constexpr double kLn10 = 2.30258509299404568402;
  std::vector<RatePoint> points;
  double rate = report.mean.prior;
  for (int k = report.steps; k >= 1; --k) {
    const TermMean& term = report.terms[k - 1];
    RatePoint point{.reverse_step = report.steps - k + 1, .t = term.t, .rate = rate};
    point.rmse = std::sqrt(term.x0_mse) * 127.5;  // [-1, 1] is 255 wide
    point.psnr = 20 * exact::log(255 / point.rmse) / kLn10;
    points.push_back(point);
    rate += term.bits_per_dim;  // sends x_{k-1}
  }
  return points;
}

}  // namespace ddpm
