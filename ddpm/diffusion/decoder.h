// The last step's decoder: the probability that a normal gives to the bin of an 8-bit level.
#pragma once

#include <string_view>

namespace ddpm {

/// exact: the normal's distribution function, stable in both tails. tanh: the approximation of the
/// paper's code, Phi(z) = (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2 with every probability held
/// above 1e-12; published numbers are made with it.
enum class Decoder { exact, tanh };

/// "exact", "tanh". Throws Error that lists the names.
Decoder parse_decoder(std::string_view name);
std::string_view to_string(Decoder decoder);

/// log p(x) in nats, and its derivatives by the normal's mean and log-variance.
struct LogMass {
  double value, d_mean, d_log_variance;
};

/// Eq. (13): x is one of the 256 levels -1, -1 + 2/255, .., 1; its bin reaches 1/255 to both sides,
/// that of -1 and of 1 to infinity.
LogMass log_level_mass(double x, double mean, double log_variance, Decoder decoder);

}  // namespace ddpm
