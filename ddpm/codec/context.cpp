#include "ddpm/codec/context.h"

#include <array>
#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr std::array<float, 7> kActivities = {1, 4, 12, 30, 60, 120, 240};  // levels
constexpr float kLevels = 127.5F, kLimit = 0.99F;

// The sum of the four differences; beyond the edge an element is like its neighbour.
float activity(const float* row, int x, int y, int width, int height) {
  const float here = row[x];
  const float left = x > 0 ? row[x - 1] : here, right = x + 1 < width ? row[x + 1] : here;
  const float above = y > 0 ? row[x - width] : here, below = y + 1 < height ? row[x + width] : here;
  return std::abs(here - left) + std::abs(here - right) + std::abs(here - above) +
         std::abs(here - below);
}

}  // namespace

void contexts_of(std::span<const float> x0, Shape shape, std::span<std::uint8_t> contexts) {
  DDPM_CHECK(x0.size() == shape.size() && contexts.size() == shape.size());
  std::size_t i = 0;
  for (int row = 0; row < shape.c * shape.h; ++row) {
    const float* values = &x0[i];
    for (int x = 0; x < shape.w; ++x, ++i) {
      const float levels = activity(values, x, row % shape.h, shape.w, shape.h) * kLevels;
      unsigned context = 0;
      while (context < kActivities.size() && levels > kActivities[context]) ++context;
      const bool at_limit = values[x] <= -kLimit || values[x] >= kLimit;
      contexts[i] = static_cast<std::uint8_t>(context | (at_limit ? 8U : 0U));
    }
  }
}

}  // namespace ddpm
