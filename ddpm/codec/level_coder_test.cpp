#include "ddpm/codec/level_coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/philox.h"
#include "ddpm/codec/calibrate.h"

namespace ddpm {
namespace {

constexpr Shape kShape{2, 7, 5};

struct Picture {
  Item levels;
  std::vector<float> x0;
};

// Levels around what the network says, with errors that lean to the left neighbour's by `share`.
Picture picture(std::uint64_t number, double share = 0) {
  Picture p;
  std::vector<float> noise(kShape.size());
  fill_normal({.purpose = Purpose::eval_noise, .image = number}, noise);
  double error = 0;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const double mean = 100 + 20.0 * static_cast<double>(i % 5);
    error = (i % 5 == 0 ? 0 : share * error) + 6 * noise[i];
    p.levels.push_back(static_cast<std::uint8_t>(mean + error));
    p.x0.push_back(static_cast<float>(mean / 127.5 - 1));
  }
  return p;
}

// Weights that lean to other scales in every context.
std::vector<std::uint16_t> some_weights() {
  std::vector<std::uint16_t> weights;
  for (std::size_t c = 0; c < kMixtureContexts; ++c) {
    for (std::size_t k = 0; k < kMixtureScales.size(); ++k) {
      weights.push_back(k == c % 12 ? 20'000 : k == (c + 5) % 12 ? 12'768 : 0);
    }
  }
  return weights;
}

TEST(LevelCoder, PopGivesBackWhatWasPushedAndTheStackBefore) {
  const std::array<std::int32_t, 4> neighbours = {30000, -20000, 5000, 131072};
  for (const LevelDecoder& decoder :
       {LevelDecoder{.neighbours = neighbours},
        LevelDecoder{.logistic = true, .neighbours = neighbours},
        LevelDecoder{.neighbours = neighbours, .weights_q15 = some_weights()}}) {
    const Picture p = picture(1);
    Rans rans(77);
    push_levels(decoder, p.x0, kShape, p.levels, rans);
    Item back(kShape.size());
    EXPECT_EQ(pop_levels(decoder, p.x0, kShape, rans, back), kShape.size());
    EXPECT_EQ(back, p.levels);
    EXPECT_EQ(rans.bottom().value(), 77U);
  }
}

TEST(LevelCoder, OfACutStackTheFirstLevelsAreRightAndTheRestTheNetworks) {
  const LevelDecoder decoder;
  const Picture p = picture(2);
  Rans rans(1);
  push_levels(decoder, p.x0, kShape, p.levels, rans);
  const std::string bytes = rans.bytes();
  Rans cut = Rans::parse(bytes.substr(0, bytes.size() / 8 * 4 + 1)).value();
  Item back(kShape.size());
  const std::size_t right = pop_levels(decoder, p.x0, kShape, cut, back);
  EXPECT_LT(right, kShape.size());
  EXPECT_GT(right, 1U);
  for (std::size_t i = 0; i + 1 < right; ++i) EXPECT_EQ(back[i], p.levels[i]);
  const std::vector<std::int32_t> means = level_means(p.x0);
  EXPECT_EQ(back.back(), (means.back() + 32768) >> 16);
}

// Errors that follow their left neighbour by 0.8 and vary by 6 levels besides: entropy
// log2(6 sqrt(2 pi e)) = 4.63 bits, against 5.37 for those who don't look (variance 1 / (1 -
// 0.64)).
TEST(LevelCoder, AFittedDecoderSeesWhatNeighboursTell) {
  std::vector<Item> items;
  std::vector<float> x0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const Picture p = picture(i, 0.8);
    items.push_back(p.levels);
    x0.insert(x0.end(), p.x0.begin(), p.x0.end());
  }
  const FittedDecoder fitted = fit_decoder(3, kShape, items, x0);
  // 11,200 pairs of errors determine the share to about 0.006; the ridge and truncation to levels
  // take a few thousandths.
  EXPECT_NEAR(fitted.decoder.neighbours[0] / 65536.0, 0.8, 0.03);
  EXPECT_EQ(fitted.decoder.time, 3);
  // One pixel in five has no left neighbour; a mixture of two scales passes for one between them.
  EXPECT_NEAR(fitted.bits, 4.63, 0.05);
}

// Errors of other shapes than a normal's: what they cost is their entropy. ln s + 2 nats for a
// logistic one; half of deviation 1, half of deviation 20: 4.991 bits (summed over the levels),
// where the best normal takes log2(sqrt((1 + 400) / 2 * 2 pi e)) = 5.87.
TEST(LevelCoder, AFittedDecoderHasTheShapeOfTheErrors) {
  const auto bits_of = [](auto error) {
    std::vector<Item> items;
    std::vector<float> x0;
    for (std::uint32_t i = 0; i < 300; ++i) {
      Item item;
      for (std::uint32_t k = 0; k < kShape.size(); ++k) {
        const NoiseKey key{.purpose = Purpose::eval_noise, .image = i};
        const double level = 128 + error(uniform(key, 2 * k), uniform(key, 2 * k + 1));
        item.push_back(static_cast<std::uint8_t>(std::clamp(std::rint(level), 0.0, 255.0)));
        x0.push_back(static_cast<float>(128 / 127.5 - 1));
      }
      items.push_back(std::move(item));
    }
    return fit_decoder(1, kShape, items, x0).bits;
  };
  const auto normal = [](double u, double v) {
    return std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v);
  };
  const double logistic =
      bits_of([](double u, double) { return 6 * std::log((u + 1e-12) / (1 - u)); });
  EXPECT_NEAR(logistic, (std::log(6.0) + 2) / std::log(2.0), 0.05);
  const double two = bits_of(
      [&](double u, double v) { return u < 0.5 ? normal(2 * u, v) : 20 * normal(2 * u - 1, v); });
  EXPECT_NEAR(two, 4.991, 0.05);
}

}  // namespace
}  // namespace ddpm
