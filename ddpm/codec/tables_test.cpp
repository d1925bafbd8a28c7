#include "ddpm/codec/tables.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/codec/calibrate.h"
#include "ddpm/codec/codec.h"
#include "ddpm/codec/gaussian_for_test.h"
#include "ddpm/codec/walk.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

const Schedule kSchedule = Schedule::linear(200, 5e-4, 0.1);

const CodecTables& nominal() {
  static const CodecTables tables = nominal_tables(kSchedule);
  return tables;
}

TEST(CodecTables, AreReadBackAsTheyWereWritten) {
  CodecTables tables = nominal();
  tables.learned_variance = true;
  tables.errors[2][3] = 0.1234567890123456;
  tables.decoders[0].logistic = true;
  tables.decoders[0].neighbours = {1, -2, 3, 1 << 17};
  tables.decoders[0].scale_q16[9] = 77;
  const std::string text = write_json(tables_json(tables));
  const Json json = value_or_throw(parse_json(text, "x"));
  EXPECT_EQ(read_tables(json, kSchedule, "x"), tables);
}

std::vector<std::uint16_t> even_weights() {
  std::vector<std::uint16_t> weights(kMixtureContexts * kMixtureScales.size());
  for (std::size_t i = 0; i < weights.size(); i += 4) weights[i] = i % 12 == 0 ? 10'924 : 10'922;
  return weights;
}

TEST(CodecTables, OfMixturesAndOfEveryFormatAreReadBack) {
  for (const int format : {1, 2, 3, 4}) {
    CodecTables tables = nominal();
    tables.format = format;
    if (format > 2) tables.progressive_bits = 2.25, tables.lossless_bits = 0.75;
    tables.decoders[0] = {.time = tables.decoders[0].time, .weights_q15 = even_weights()};
    const std::string text = write_json(tables_json(tables));
    EXPECT_EQ(read_tables(value_or_throw(parse_json(text, "x")), kSchedule, "x"), tables);
  }
}

// Files of a model that was never calibrated are read by these, in every later version.
TEST(CodecTables, OfAModelThatNobodyMeasuredStayAsTheyWere) {
  EXPECT_EQ(sha256_hex(write_json(tables_json(nominal()))),
            "312b51c9c22dcd63728a72f6cfd8866a08310fa5270f07453b84e7b5f9d21be3");
}

TEST(CodecTables, ThatContradictThemselvesAreRefused) {
  const auto refused = [](auto change) {
    CodecTables tables = nominal();
    change(tables);
    EXPECT_THROW(read_tables(tables_json(tables), kSchedule, "x"), Error);
  };
  refused([](CodecTables& t) { t.times[3] = t.times[2]; });
  refused([](CodecTables& t) { t.times.back() = 201; });
  refused([](CodecTables& t) { t.errors[1][4] = 0; });
  refused([](CodecTables& t) { t.errors[1][4] = 4.5; });
  refused([](CodecTables& t) { t.errors.pop_back(); });
  refused([](CodecTables& t) { t.chain[1] = t.chain[0]; });
  refused([](CodecTables& t) { t.lossless.clear(); });
  refused([](CodecTables& t) { t.progressive[0] = 300; });
  refused([](CodecTables& t) { t.decoders.clear(); });
  refused([](CodecTables& t) { t.decoders[0].scale_q16[5] = 0; });
  refused([](CodecTables& t) { t.decoders[0].neighbours[0] = 1 << 20; });
  refused([](CodecTables& t) { t.format = 5; });
  refused([](CodecTables& t) { t.format = 3, t.progressive_bits = 101; });
  refused([](CodecTables& t) { t.format = 3, t.lossless_bits = -1; });
  refused([](CodecTables& t) { t.decoders[0].weights_q15 = {1 << 15}; });
  refused([](CodecTables& t) {
    t.decoders[0].weights_q15 = even_weights();
    ++t.decoders[0].weights_q15[17];
  });
  refused([](CodecTables& t) {
    t.decoders[0].weights_q15 = even_weights();
    t.decoders[0].weights_q15[5] = 60'000;
  });
  EXPECT_THROW(read_tables(json_object({}), kSchedule, "x"), Error);
  EXPECT_THROW(read_tables(json_integer(1), kSchedule, "x"), Error);
}

// A straight line in the logarithms of error and SNR.
TEST(CodecTables, ErrorsBetweenTimesLieBetweenThem) {
  const CodecTables& tables = nominal();
  const int low = tables.times[20], high = tables.times[21];
  ASSERT_LT(low + 1, high);
  EXPECT_EQ(tables.errors_at(kSchedule, low), tables.errors[20]);
  const double a = std::log(kSchedule.snr(low)), b = std::log(kSchedule.snr(high));
  const double share = (std::log(kSchedule.snr(low + 1)) - a) / (b - a);
  const double line =
      (1 - share) * std::log(tables.errors[20][0]) + share * std::log(tables.errors[21][0]);
  EXPECT_NEAR(std::log(tables.errors_at(kSchedule, low + 1)[0]), line, 1e-13);
  EXPECT_EQ(tables.errors_at(kSchedule, 200), tables.errors.back());
}

// Merged steps of Gaussian data cost what single ones do, so that by any times the bits come to the
// entropy of noise of standard deviation 1/2, log2(127.5 / 2 sqrt(2 pi e)), less what x_T tells.
TEST(CodecTables, PlansPredictTheEntropyAndKeepTheirNumberOfCalls) {
  Measured measured;
  for (int t = 1; t <= 200; ++t) {
    const double error = 0.25 / (1 + 0.25 * kSchedule.snr(t));
    measured.times.push_back(t);
    measured.errors.emplace_back().fill(error);
    measured.shares.emplace_back()[0] = 1;
    measured.decoders.push_back({.time = t});
    measured.decoder_bits.push_back(
        std::log2(127.5 * std::sqrt(2 * std::numbers::pi * std::numbers::e * error)));
  }
  const CodecTables tables = plan_tables(kSchedule, measured, {7, 11, 300});
  EXPECT_EQ(tables.progressive.size(), 7U);
  EXPECT_EQ(tables.lossless.size(), 11U);
  EXPECT_EQ(tables.chain.size(), 200U);  // there are no more
  const double entropy = std::log2(127.5 / 2 * std::sqrt(2 * std::numbers::pi * std::numbers::e)) -
                         0.5 * std::log2(1 + 0.25 * kSchedule.snr(200));
  for (const auto* times : {&tables.progressive, &tables.lossless, &tables.chain}) {
    EXPECT_EQ(times->front(), 200);
    EXPECT_EQ(tables.decoder_of(times->back()).time, times->back());
    EXPECT_NEAR(predicted_bits(kSchedule, measured, *times), entropy, 1e-9);
  }
  EXPECT_EQ(tables.progressive.back(), 1);  // to the last detail
}

// 1.25 times 2 bits of 784 elements are 93.3 atoms of 21 bits, and the first time.
TEST(CodecTables, FewBitsPayForFewCalls) {
  std::vector<int> times(1000);
  for (int i = 0; i < 1000; ++i) times[i] = 1000 - i;
  EXPECT_EQ(expected_calls(times, 2, 784), 95);
  EXPECT_EQ(expected_calls(times, 0, 784), 1000);  // unknown
  EXPECT_EQ(expected_calls(times, 50, 784), 1000);
  EXPECT_EQ(expected_calls({9, 5}, 2, 784), 2);
}

TEST(CodecTables, WalksOfFewBitsHaveEveryTime) {
  CodecTables tables;
  tables.progressive = tables.lossless = {100, 60, 30, 20, 10, 5, 2, 1};
  tables.lossless.pop_back();
  tables.progressive_bits = 1, tables.lossless_bits = 2;
  fill_walks(tables, 64);  // 1.25 * 64 / 13 atoms: 7 and 1 times pay, and 13 and 1 do
  EXPECT_EQ(tables.progressive.size(), 100U);
  EXPECT_EQ(tables.progressive.front(), 100);
  EXPECT_EQ(tables.progressive.back(), 1);
  EXPECT_EQ(tables.lossless.size(), 7U);
  tables.lossless_bits = 0.9;
  fill_walks(tables, 64);
  EXPECT_EQ(tables.lossless.size(), 99U);
  EXPECT_EQ(tables.lossless.back(), 2);
}

// The best denoiser's error is closed form; 40 images of 64 pixels know a mean square to
// sqrt(2 / 2560) = 2.8 %, 4 of which are allowed.
TEST(Calibration, FindsTheErrorsOfAKnownDenoiser) {
  const GaussianImages images;
  GaussianDenoiser denoiser(kSchedule, images);
  const CodecModel model = gaussian_model(images, kSchedule, {12, 12, 12});
  Predictor predictor(model, denoiser);
  std::vector<Item> items;
  for (std::uint64_t i = 0; i < 40; ++i) items.push_back(images.draw(i));
  const Measured measured = measure(predictor, items);
  EXPECT_EQ(measured.times, calibration_times(200));
  for (std::size_t i = 0; i < measured.times.size(); ++i) {
    double error = 0, share = 0;
    for (int c = 0; c < kContexts; ++c) {
      error += measured.shares[i][c] * measured.errors[i][c];
      share += measured.shares[i][c];
    }
    const double exact = images.variance / (1 + images.variance * kSchedule.snr(measured.times[i]));
    // Rounding to levels adds (2 / 255)^2 / 12.
    EXPECT_NEAR(error, exact, 0.115 * exact + 6e-6) << measured.times[i];
    EXPECT_NEAR(share, 1, 1e-12);
  }
  EXPECT_THROW(measure(predictor, std::span(items).subspan(0, 15)), Error);
}

TEST(Move, IsThePosteriorOfTheSchedule) {
  for (int t = 2; t <= 200; t += 9) {
    const Posterior q = kSchedule.posterior(t);
    const Move m = move_between(kSchedule.snr(t), kSchedule.snr(t - 1));
    // The difference of two SNRs keeps 1e-16 / beta of its digits, beta >= 5e-4.
    EXPECT_NEAR(m.c_x0 / q.c_x0, 1, 1e-11);
    EXPECT_NEAR(m.c_xt / q.c_xt, 1, 1e-11);
    EXPECT_NEAR(m.variance / q.variance, 1, 1e-11);
  }
}

// I-MMSE (Guo et al. 2005): what single steps send in all is the information that x_1 has of
// Gaussian images, 1/2 log2 (1 + variance SNR(1)) an element.
TEST(IdealWalk, SendsTheInformationOfGaussianImages) {
  const GaussianImages images{.shape = {1, 16, 16}};
  GaussianDenoiser denoiser(kSchedule, images);
  const CodecModel model = gaussian_model(images, kSchedule, {200, 12, 12});
  Predictor predictor(model, denoiser);
  std::vector<Image> some;
  for (std::uint64_t i = 0; i < 10; ++i) {
    some.push_back(blank_image(16, 16, 1));
    some.back().pixels = images.draw(i);
  }
  const auto points = trace_walk(predictor, some, Transmitter::ideal, 0);
  const double elements = 2560, variance = images.variance;
  const double information = 0.5 * std::log2(1 + variance * kSchedule.snr(1));
  // Steps of 0.04 bits or less are finite: KL divergences exceed 1/2 log2(1 + e d) by half of e d,
  // 3 % of it; and 2560 squares are known to 2.8 %.
  EXPECT_NEAR(points.back().bits / elements, information, 0.08 * information);
  const double error = variance / (1 + variance * kSchedule.snr(1)) + 5.2e-6;
  EXPECT_NEAR(points.back().error, error, 0.12 * error);
}

}  // namespace
}  // namespace ddpm
