#include "ddpm/likelihood/fit.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

void set(Json& object, const std::string& key, Json value) {
  const auto found = std::ranges::find(object.keys, key);
  if (found != object.keys.end()) {
    object.items[static_cast<std::size_t>(found - object.keys.begin())] = std::move(value);
    return;
  }
  object.keys.push_back(key);
  object.items.push_back(std::move(value));
}

}  // namespace

EpsMeter::EpsMeter(const Schedule& schedule, Prediction prediction)
    : schedule_(schedule),
      prediction_(prediction),
      shortfall_(static_cast<std::size_t>(schedule.T())),
      error_(shortfall_),
      images_(shortfall_.size()) {}

void EpsMeter::add(const Reading& r) {
  const double a = std::sqrt(schedule_.alpha_bar(r.t));
  const double b = std::sqrt(schedule_.one_minus_alpha_bar(r.t));
  const Linear read = eps_from(schedule_, r.t, prediction_);
  double shortfall = 0, error = 0;
  for (std::size_t i = 0; i < r.x0.size(); ++i) {
    const double eps = r.eps[i];
    const double guess = read.x * (a * r.x0[i] + b * eps) + read.out * r.out[i];
    shortfall += eps * eps - guess * guess;
    error += (guess - eps) * (guess - eps);
  }
  const auto n = static_cast<double>(r.x0.size());
  shortfall_[r.t - 1] += shortfall / n;
  error_[r.t - 1] += error / n;
  ++images_[r.t - 1];
}

EpsMoments EpsMeter::moments() const {
  EpsMoments moments;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    DDPM_CHECK(images_[i] > 0, "no reading at t = {}", i + 1);
    const auto n = static_cast<double>(images_[i]);
    moments.mean_eps_squared.push_back(std::max(1 - shortfall_[i] / n, 0.0));
    moments.eps_error.push_back(error_[i] / n);
  }
  return moments;
}

Json with_moments(Json extras, const EpsMoments& moments, bool keep_variance) {
  DDPM_CHECK(extras.is(Json::Kind::object));
  set(extras, "mean_eps_squared", json_list_of(moments.mean_eps_squared, json_real));
  set(extras, "eps_error", json_list_of(moments.eps_error, json_real));
  if (!keep_variance) set(extras, "variance", json_string("optimal"));
  return extras;
}

}  // namespace ddpm
