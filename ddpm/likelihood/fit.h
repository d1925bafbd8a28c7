// The per-step optimal variances (Bao et al. 2022, Analytic-DPM), measured and kept in ddpm.json.
#pragma once

#include <string>
#include <vector>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/likelihood/reader.h"
#include "ddpm/net/strict_json.h"

namespace ddpm {

/// ModelView's measurements, t = 1..T.
struct EpsMoments {
  std::vector<double> mean_eps_squared;  // E |eps-hat|^2 / D
  std::vector<double> eps_error;         // E |eps-hat - eps|^2 / D
};

/// Gathers them from readings at every t. E |eps-hat|^2 is 1 - E (|eps|^2 - |eps-hat|^2): since E
/// |eps|^2 is known to be D, what eps itself deviates from it drops out, and with it nearly all of
/// the noise.
class EpsMeter {
 public:
  EpsMeter(const Schedule& schedule, Prediction prediction);

  void add(const Reading& reading);

  /// Throws BugError unless every t was read.
  EpsMoments moments() const;

 private:
  const Schedule& schedule_;
  Prediction prediction_;
  std::vector<double> shortfall_, error_;  // sums of the images' means, at t - 1
  std::vector<std::int64_t> images_;
};

/// `extras` (a ddpm.json) with the moments, and with variance "optimal" unless `keep_variance` (a
/// learned variance is the network's own). All other members stay as they are.
Json with_moments(Json extras, const EpsMoments& moments, bool keep_variance);

}  // namespace ddpm
