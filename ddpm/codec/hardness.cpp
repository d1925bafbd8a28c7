#include "ddpm/codec/hardness.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kLeast = 0.25, kMost = 8;

// Formats 1 and 2: a bit, and these factors; the turn between them is their geometric mean.
constexpr double kMore = 1.5, kLess = 0.85;

// Format 3: the first stages have a hint each, kTwoBits of two bits; then they wait ever longer.
// An item's hardness moves by half in the first stages and by two percent in the last, but too
// little said makes it grow: what is not delivered stays an error.
constexpr int kEachStage = 6, kTwoBits = 4;

// The distance between the logarithms of neighbouring factors.
double step(int hints) { return std::max(0.4 - 0.05 * hints, 0.2); }

// Expected bits that call for hint number `hints`.
double wait(int format, int hints) {
  if (format == 1) return 13;
  if (format == 2) return std::min(8 + 4 * hints, 60);
  return hints < kEachStage ? 0 : std::min(6 * (hints - kEachStage + 2), 60);
}

}  // namespace

bool Hardness::due(double stage_bits) {
  if (unhinted_ + stage_bits >= wait(format_, hints_)) return true;
  if (format_ > 1) unhinted_ += stage_bits;
  return false;
}

int Hardness::bits() const { return format_ > 2 && hints_ < kTwoBits ? 2 : 1; }

double Hardness::factor(std::uint32_t hint) const {
  if (format_ < 3) return hint != 0 ? kMore : kLess;
  const double middle = ((1 << bits()) - 1) / 2.0;
  return exact::exp((hint - middle) * step(hints_));
}

std::uint32_t Hardness::choose(double ratio) const {
  const std::uint32_t last = (1U << bits()) - 1;
  std::uint32_t hint = 0;
  while (hint < last && ratio * ratio > factor(hint) * factor(hint + 1)) ++hint;
  return hint;
}

void Hardness::take(std::uint32_t hint) {
  scale_ = std::clamp(scale_ * factor(hint), kLeast, kMost);
  ++hints_;
  unhinted_ = 0;
}

}  // namespace ddpm
