#include "ddpm/diffusion/decoder.h"

#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/names.h"

namespace ddpm {
namespace {

constexpr std::string_view kNames[] = {"exact", "tanh"};
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kHalfBin = 1.0 / 255;
constexpr double kEdge = 0.999;  // beyond it, x is the first or last level
constexpr double kHalfLog2Pi = 0.91893853320467274178;
constexpr double kRootTwoOverPi = 0.79788456080286535588;
constexpr double kLeast = 1e-12;  // of the approximation
constexpr double kFar = 1000;     // standard deviations from which a tail has its own formula

double log_density(double z) { return -z * z / 2 - kHalfLog2Pi; }

// phi(z) / mass and z phi(z) / mass, 0 at infinite z.
struct End {
  double density, moment;
};

End end_of(double z, double log_mass) {
  if (std::isinf(z)) return {0, 0};
  const double density = exact::exp(log_density(z) - log_mass);
  return {density, z * density};
}

// (1 - Phi(z)) / phi(z) for z > kFar; the next term is 15 z^-6 of it.
double mills_ratio(double z) {
  const double q = 1 / (z * z);
  return (1 - q * (1 - 3 * q)) / z;
}

// Both ends of a bin that begins beyond kFar, 0 < near < far, without the logarithms of density and
// mass, of which only the digits of their difference would count: with d = (far^2 - near^2) / 2 the
// mass is phi(near) (mills_ratio(near) - e^-d mills_ratio(far)).
std::pair<End, End> far_ends(double near, double far) {
  const double fall = std::isinf(far) ? 0 : exact::exp(-(far - near) * (far + near) / 2);
  const double mass = mills_ratio(near) - (fall > 0 ? fall * mills_ratio(far) : 0);
  return {{1 / mass, near / mass}, {fall / mass, fall > 0 ? far * fall / mass : 0}};
}

LogMass exact_mass(double low, double high, double inverse_sigma) {
  const double value = exact::log_normal_mass(low, high);
  if (value == -kInf) return {value, 0, 0};
  End a{}, b{};
  if (low > kFar) {
    std::tie(a, b) = far_ends(low, high);
  } else if (high < -kFar) {  // mirrored: moments change sign
    std::tie(b, a) = far_ends(-high, -low);
    a.moment = -a.moment;
    b.moment = -b.moment;
  } else {
    a = end_of(low, value);
    b = end_of(high, value);
  }
  return {value, (a.density - b.density) * inverse_sigma, (a.moment - b.moment) / 2};
}

// The approximated distribution function and its derivative.
struct Cdf {
  double value, slope;
};

Cdf tanh_cdf(double z) {
  const double t = exact::tanh(kRootTwoOverPi * (z + 0.044715 * z * z * z));
  return {0.5 * (1 + t), 0.5 * (1 - t * t) * kRootTwoOverPi * (1 + 3 * 0.044715 * z * z)};
}

LogMass tanh_mass(double x, double low, double high, double inverse_sigma) {
  const Cdf a = x < -kEdge ? Cdf{0, 0} : tanh_cdf(low);
  const Cdf b = x > kEdge ? Cdf{1, 0} : tanh_cdf(high);
  const double mass = b.value - a.value;
  if (mass < kLeast) return {exact::log(kLeast), 0, 0};
  return {exact::log(mass), (a.slope - b.slope) / mass * inverse_sigma,
          (low * a.slope - high * b.slope) / mass / 2};
}

}  // namespace

Decoder parse_decoder(std::string_view name) {
  return static_cast<Decoder>(choose_name("[diffusion] decoder", name, kNames));
}

std::string_view to_string(Decoder decoder) { return name_at(kNames, decoder); }

LogMass log_level_mass(double x, double mean, double log_variance, Decoder decoder) {
  const double inverse_sigma = exact::exp(-0.5 * log_variance);
  const double low = inverse_sigma * ((x - mean) - kHalfBin);
  const double high = inverse_sigma * ((x - mean) + kHalfBin);
  if (decoder == Decoder::tanh) return tanh_mass(x, low, high, inverse_sigma);
  return exact_mass(x < -kEdge ? -kInf : low, x > kEdge ? kInf : high, inverse_sigma);
}

}  // namespace ddpm
