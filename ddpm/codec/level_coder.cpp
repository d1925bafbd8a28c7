#include "ddpm/codec/level_coder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ddpm/codec/context.h"
#include "ddpm/entropy/bin_model.h"

namespace ddpm {
namespace {

constexpr std::array<std::int64_t, kEnergies - 1> kEnergyLimits = {1,  3,  6, 12,
                                                                   24, 48, 96};  // half levels

int energy_class(const std::array<std::int32_t, 4>& errors) {
  const auto size = [&](int k) { return std::abs(std::int64_t{errors[k]}); };
  const std::int64_t energy = size(0) + size(1) + (size(2) + size(3)) / 2;
  int which = 0;
  while (which < 7 && energy > kEnergyLimits[which] << 15) ++which;
  return which;
}

BinModel one_scale(const LevelDecoder& decoder, const LevelPlace& place) {
  const CdfTable& cdf = decoder.logistic ? CdfTable::logistic() : CdfTable::normal();
  // Two classes of activity are one here; the bit of the limits stays.
  const int surroundings = (place.context & 8) >> 1 | (place.context & 7) >> 1;
  return {cdf, place.mean_q16, decoder.scale_q16[place.energy * 8 + surroundings], 0, 255};
}

MixtureModel mixture(const LevelDecoder& decoder, const LevelPlace& place) {
  const std::size_t row = std::size_t{kContexts} * place.energy + place.context;
  return {
      {kMixtureScales,
       std::span(decoder.weights_q15).subspan(row * kMixtureScales.size(), kMixtureScales.size())},
      place.mean_q16,
      0,
      255};
}

// Calls use(model) with the model of a level.
template <class Use>
void with_model(const LevelDecoder& decoder, const LevelPlace& place, Use use) {
  if (decoder.weights_q15.empty()) return use(one_scale(decoder, place));
  use(mixture(decoder, place));
}

}  // namespace

std::vector<std::int32_t> level_means(std::span<const float> x0) {
  std::vector<std::int32_t> means;
  means.reserve(x0.size());
  for (const double x : x0) {
    means.push_back(static_cast<std::int32_t>(std::rint((x + 1) * (127.5 * 65536))));
  }
  return means;
}

LevelPlaces::LevelPlaces(const std::array<std::int32_t, 4>& neighbours, std::span<const float> x0,
                         Shape shape, std::span<const std::uint8_t> levels)
    : neighbours_(neighbours),
      means_(level_means(x0)),
      contexts_(x0.size()),
      shape_(shape),
      levels_(levels) {
  contexts_of(x0, shape, contexts_);
}

std::array<std::int32_t, 4> LevelPlaces::errors(std::size_t i) const {
  const auto width = static_cast<std::size_t>(shape_.w);
  const std::size_t in_plane = i % static_cast<std::size_t>(shape_.pixels());
  const bool left = in_plane % width > 0, above = in_plane >= width;
  const bool right = in_plane % width + 1 < width;
  const auto error = [&](std::size_t back) {
    return static_cast<std::int32_t>(levels_[i - back]) * 65536 - means_[i - back];
  };
  return {left ? error(1) : 0, above ? error(width) : 0, left && above ? error(width + 1) : 0,
          right && above ? error(width - 1) : 0};
}

LevelPlace LevelPlaces::at(std::size_t i) const {
  const std::array<std::int32_t, 4> wrong = errors(i);
  std::int64_t correction = 0;
  for (int k = 0; k < 4; ++k) correction += std::int64_t{neighbours_[k]} * wrong[k];
  return {energy_class(wrong), contexts_[i],
          means_[i] + static_cast<std::int32_t>(correction >> 16)};
}

void push_levels(const LevelDecoder& decoder, std::span<const float> x0, Shape shape,
                 std::span<const std::uint8_t> levels, Rans& rans) {
  const LevelPlaces places(decoder.neighbours, x0, shape, levels);
  for (std::size_t i = levels.size(); i-- > 0;) {
    with_model(decoder, places.at(i),
               [&](const auto& model) { rans.push(model.interval(levels[i])); });
  }
}

std::size_t pop_levels(const LevelDecoder& decoder, std::span<const float> x0, Shape shape,
                       Rans& rans, std::span<std::uint8_t> levels) {
  const LevelPlaces places(decoder.neighbours, x0, shape, levels);
  std::size_t right = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (rans.starved()) {
      levels[i] = static_cast<std::uint8_t>((places.mean_q16(i) + 32768) >> 16);
      continue;
    }
    with_model(decoder, places.at(i), [&](const auto& model) {
      const std::int64_t level = model.find(rans.peek());
      rans.pop(model.interval(level));
      levels[i] = static_cast<std::uint8_t>(level);
    });
    right = i + 1;
  }
  return right;
}

}  // namespace ddpm
