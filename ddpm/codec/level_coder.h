// The last step, p(x_0 | x_t): 8-bit levels as integers (the paper's Eq. (13), with tables). What
// the network says of a level is corrected by what it was wrong by at neighbours that are known
// already, and its width is chosen by how wrong it was there: errors of a network are not
// independent from pixel to pixel, as Eq. (13) has it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/base/shape.h"
#include "ddpm/codec/context.h"
#include "ddpm/entropy/rans.h"

namespace ddpm {

inline constexpr int kEnergies = 8;
/// Of decoders with one scale a context, and of those with a mixture.
inline constexpr int kLevelContexts = 64, kMixtureContexts = kEnergies * kContexts;
/// 2^16 times the scales of a mixture, in levels: 0.12 * 1.75^k.
inline constexpr std::array<std::uint32_t, 12> kMixtureScales = {
    7864, 13763, 24084, 42148, 73758, 129077, 225885, 395298, 691772, 1210601, 2118552, 3707465};

/// p(x_0 | x_t) at one time, fitted by ddpm/codec/calibrate.h.
struct LevelDecoder {
  int time = 1;
  bool logistic = false;  // else normal
  /// 2^16 times the share of the errors at W, N, NW and NE that is expected here too.
  std::array<std::int32_t, 4> neighbours = {};
  /// 2^16 times the scale in levels, by context.
  std::vector<std::uint32_t> scale_q16 = std::vector<std::uint32_t>(kLevelContexts, 1 << 16);
  /// Or, where there are any, a mixture of normals: of each context 2^15 times the weights of
  /// kMixtureScales.
  std::vector<std::uint16_t> weights_q15 = {};

  bool operator==(const LevelDecoder&) const = default;
};

/// What the network says of levels in units of 2^-16: round(2^16 (x0 + 1) 127.5). x0 in [-1, 1].
std::vector<std::int32_t> level_means(std::span<const float> x0);

/// What is known of one level: how wrong the network was at the levels before it in its plane, what
/// x0 looks like around it (context.h), and its corrected mean.
struct LevelPlace {
  int energy;   // below kEnergies
  int context;  // below kContexts
  std::int32_t mean_q16;
};

/// Walks through the levels of an image in order, or back: at(i) reads levels before i alone.
class LevelPlaces {
 public:
  LevelPlaces(const std::array<std::int32_t, 4>& neighbours, std::span<const float> x0, Shape shape,
              std::span<const std::uint8_t> levels);
  LevelPlace at(std::size_t i) const;
  /// Level minus mean, in units of 2^-16, at W, N, NW and NE of i; 0 outside.
  std::array<std::int32_t, 4> errors(std::size_t i) const;
  std::int32_t mean_q16(std::size_t i) const { return means_[i]; }

 private:
  std::array<std::int32_t, 4> neighbours_;
  std::vector<std::int32_t> means_;
  std::vector<std::uint8_t> contexts_;
  Shape shape_;
  std::span<const std::uint8_t> levels_;
};

/// Pushes all levels, the last first. levels, x0: [C, H, W].
void push_levels(const LevelDecoder& decoder, std::span<const float> x0, Shape shape,
                 std::span<const std::uint8_t> levels, Rans& rans);

/// Pops what push_levels pushed; of a starved stack, how many levels are right: the rest are
/// what the network says.
std::size_t pop_levels(const LevelDecoder& decoder, std::span<const float> x0, Shape shape,
                       Rans& rans, std::span<std::uint8_t> levels);

}  // namespace ddpm
