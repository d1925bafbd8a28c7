#include "ddpm/codec/level_coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

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

TEST(LevelCoder, PopGivesBackWhatWasPushedAndTheStackBefore) {
  for (const bool logistic : {false, true}) {
    const LevelDecoder decoder{.logistic = logistic, .neighbours = {30000, -20000, 5000, 131072}};
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
  EXPECT_FALSE(fitted.decoder.logistic);
  // One pixel in five has no left neighbour; scales are chosen in steps of 15 %.
  EXPECT_NEAR(fitted.bits, 4.63, 0.05);
}

// Errors of the logistic distribution, whose tails a normal pays dearly for.
TEST(LevelCoder, AFittedDecoderHasTheShapeOfTheErrors) {
  std::vector<Item> items;
  std::vector<float> x0;
  for (std::uint32_t i = 0; i < 300; ++i) {
    Item item;
    for (std::uint32_t k = 0; k < kShape.size(); ++k) {
      const double u = uniform({.purpose = Purpose::eval_noise, .image = i}, k);
      item.push_back(
          static_cast<std::uint8_t>(std::clamp(128 + 6 * std::log(u / (1 - u)), 0.0, 255.0)));
      x0.push_back(static_cast<float>(128 / 127.5 - 1));
    }
    items.push_back(std::move(item));
  }
  const FittedDecoder fitted = fit_decoder(1, kShape, items, x0);
  EXPECT_TRUE(fitted.decoder.logistic);
  // ln s + 2 nats, less what neighbours seem to tell and levels cut off; scales go in steps of 15
  // %.
  EXPECT_NEAR(fitted.bits, (std::log(6.0) + 2) / std::log(2.0), 0.05);
}

}  // namespace
}  // namespace ddpm
