#include "ddpm/codec/codec.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/codec/chain.h"
#include "ddpm/codec/gaussian_for_test.h"

namespace ddpm {
namespace {

constexpr Calls kFew{.progressive = 12, .lossless = 12, .chain = 15};

class Codec : public testing::Test {
 protected:
  GaussianImages images_;
  Schedule schedule_ = Schedule::linear(200, 5e-4, 0.1);
  CodecModel model_ = gaussian_model(images_, schedule_, kFew);
  GaussianDenoiser denoiser_{schedule_, images_};
  Predictor predictor_{model_, denoiser_};

  Image image(std::uint64_t number, int width = 8, int height = 8) const {
    Image image = blank_image(width, height, 1);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      image.pixels[i] = images_.draw(number + 1000 * (i / 64))[i % 64];
    }
    return image;
  }

  std::string packed(const std::vector<Image>& images, CodecMode mode,
                     const CompressOptions& more = {}) {
    CompressOptions options = more;
    options.mode = mode;
    return compress(predictor_, images, options);
  }
  Decompressed unpacked(const std::string& bytes, const DecompressOptions& options = {}) {
    return value_or_throw(decompress(predictor_, bytes, options));
  }
};

bool equal(const Image& a, const Image& b) {
  return a.width == b.width && a.height == b.height && a.pixels == b.pixels;
}

// -log2 P of the first images an element: what any code for this source needs for them.
double sample_entropy(const GaussianImages& images, int count) {
  double bits = 0;
  for (int i = 0; i < count; ++i) {
    for (const std::uint8_t level : images.draw(static_cast<std::uint64_t>(i))) {
      bits -= std::log2(images.probability(level));
    }
  }
  return bits / (static_cast<double>(images.shape.size()) * count);
}

constexpr CodecMode kLossless[] = {CodecMode::progressive, CodecMode::chain, CodecMode::lossless};
constexpr CodecMode kAll[] = {CodecMode::lossy, CodecMode::progressive, CodecMode::chain,
                              CodecMode::lossless};

TEST_F(Codec, LosslessModesGiveTheImagesBackWhateverTheyAre) {
  std::vector<Image> images = {
      image(1),         image(2, 1, 1),          image(3, 11, 5),
      image(4, 17, 23), blank_image(8, 8, 1, 0), blank_image(8, 8, 1, 255)};
  Image noise = blank_image(9, 8, 1);
  for (std::size_t i = 0; i < noise.pixels.size(); ++i) {
    noise.pixels[i] =
        static_cast<std::uint8_t>(uniform_below({.seed = 1}, 256, static_cast<std::uint32_t>(i)));
  }
  images.push_back(noise);
  Image stripes = blank_image(8, 8, 1);
  for (std::size_t i = 0; i < 64; ++i) stripes.pixels[i] = i % 2 ? 255 : 0;
  images.push_back(stripes);
  for (const CodecMode mode : kLossless) {
    for (std::size_t count : {std::size_t{1}, images.size()}) {
      const std::vector<Image> some(images.begin(), images.begin() + static_cast<long>(count));
      const Decompressed back = unpacked(packed(some, mode));
      ASSERT_EQ(back.images.size(), count);
      EXPECT_TRUE(back.exact && back.complete);
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_TRUE(equal(back.images[i], some[i])) << name_of(mode) << i;
    }
  }
}

TEST_F(Codec, EveryTransmitterRoundTrips) {
  for (const auto transmitter : {Transmitter::hadamard, Transmitter::greedy}) {
    const std::string bytes =
        packed({image(1)}, CodecMode::progressive, {.transmitter = transmitter, .seed = 7});
    EXPECT_TRUE(equal(unpacked(bytes).images[0], image(1)));
  }
}

TEST_F(Codec, OneImageOfTheModelsSizeHasAHeaderOfEightBytes) {
  const std::string bytes = packed({image(1)}, CodecMode::lossless);
  EXPECT_EQ(value_or_throw(read_container(bytes)).header_bytes, 8);
  EXPECT_EQ(bytes.substr(0, 4), "DDPC");
}

// Of a file cut anywhere: fewer images never, an error or, where a prefix means something, an image
// that is not worse on the whole; lossless files never give wrong pixels.
TEST_F(Codec, CutAnywhereIsAShorterImageOrAnError) {
  for (const CodecMode mode : kAll) {
    const std::string bytes = packed({image(1), image(2, 12, 8)}, mode);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto back = decompress(predictor_, std::string_view(bytes).substr(0, size));
      const bool progressive = mode == CodecMode::lossy || mode == CodecMode::progressive;
      if (size < value_or_throw(read_container(bytes)).header_bytes || !progressive) {
        ASSERT_FALSE(back) << name_of(mode) << size;
        EXPECT_EQ(back.error().code, FailureCode::need_more);
        continue;
      }
      ASSERT_TRUE(back) << back.error().message;
      EXPECT_EQ(back->images.size(), 2U);
      EXPECT_FALSE(back->exact);
    }
  }
}

double psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double miss = static_cast<double>(a.pixels[i]) - b.pixels[i];
    sum += miss * miss;
  }
  return 10 * std::log10(255.0 * 255 * static_cast<double>(a.pixels.size()) / (sum + 1e-9));
}

TEST_F(Codec, MoreBytesAreABetterImage) {
  double before = 0;
  const std::string bytes = packed({image(5)}, CodecMode::progressive);
  std::vector<double> values;
  for (const std::size_t size : {8U, 20U, 32U, 44U}) {
    const double now = psnr(unpacked(bytes.substr(0, size)).images[0], image(5));
    EXPECT_GT(now, before) << size;
    before = now;
    values.push_back(now);
  }
  EXPECT_TRUE(equal(unpacked(bytes).images[0], image(5)));
  EXPECT_GT(values.back(), values.front() + 2);
}

TEST_F(Codec, LimitsAreKept) {
  const std::vector<Image> images = {image(1), image(2), image(3)};
  for (const std::uint64_t bytes : {60U, 77U, 100U}) {
    EXPECT_LE(packed(images, CodecMode::lossy, {.max_bytes = bytes}).size(), bytes);
  }
  EXPECT_THROW(packed(images, CodecMode::lossy, {.max_bytes = 10}), Error);
  const std::string good = packed({image(1)}, CodecMode::lossy, {.psnr = 20});
  EXPECT_GE(psnr(unpacked(good).images[0], image(1)), 20);
  EXPECT_LT(good.size(), packed({image(1)}, CodecMode::lossy).size());
  EXPECT_LT(packed({image(1)}, CodecMode::lossy, {.upto = 100}).size(), good.size() + 40);
}

TEST_F(Codec, OneImageOfAChainIsReadAlone) {
  std::vector<Image> images;
  for (std::uint64_t i = 0; i < 120; ++i) images.push_back(image(i));
  const std::string bytes = packed(images, CodecMode::chain);
  EXPECT_EQ(value_or_throw(read_container(bytes)).container.groups.size(), 2U);
  const std::int64_t before = predictor_.calls();
  const Decompressed one = unpacked(bytes, {.image = 119});
  EXPECT_TRUE(one.exact);
  EXPECT_EQ(one.first, 119U);
  ASSERT_EQ(one.images.size(), 1U);
  EXPECT_TRUE(equal(one.images[0], images[119]));
  EXPECT_LE(predictor_.calls() - before, calls_of(model_, CodecMode::chain, 60));
}

// A flipped bit: an error, or (lossy without a check sum) another image; never wrong pixels that
// are called exact.
TEST_F(Codec, AFlippedBitIsNeverAWrongLosslessImage) {
  for (const CodecMode mode : kLossless) {
    const std::vector<Image> images = {image(1), image(2)};
    const std::string bytes = packed(images, mode);
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 3) {
      std::string bad = bytes;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
      const auto back = decompress(predictor_, bad);
      if (!back || !back->exact) continue;
      for (std::size_t i = 0; i < 2; ++i) ASSERT_TRUE(equal(back->images[i], images[i])) << bit;
    }
  }
}

TEST_F(Codec, AnotherModelIsRefused) {
  const std::string bytes = packed({image(1)}, CodecMode::lossless);
  CodecModel other = model_;
  other.fingerprint.value ^= std::uint64_t{1} << 60;
  Predictor predictor(other, denoiser_);
  const auto back = decompress(predictor, bytes);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, FailureCode::unsupported);
}

TEST_F(Codec, SamplersFinishALossyImage) {
  const std::string bytes = packed({image(1)}, CodecMode::lossy, {.max_bytes = 24});
  const Image mean = unpacked(bytes).images[0];
  const Image flow = unpacked(bytes, {.recon = Recon::flow}).images[0];
  const Image ancestral = unpacked(bytes, {.recon = Recon::ancestral}).images[0];
  EXPECT_GT(psnr(mean, image(1)), psnr(ancestral, image(1)));
  EXPECT_FALSE(equal(flow, ancestral));
}

TEST_F(Codec, FramesShowTheImageGrow) {
  int frames = 0;
  const std::string bytes = packed({image(1), image(2, 9, 9)}, CodecMode::progressive);
  DecompressOptions options;
  options.frame = [&](const WalkTrace& trace, const std::vector<Image>& images) {
    EXPECT_EQ(images.size(), 2U);
    EXPECT_GT(trace.time, 0);
    ++frames;
  };
  unpacked(bytes, options);
  EXPECT_EQ(frames, kFew.progressive);
}

double bits_in(const Rans& rans) {
  return 32.0 * static_cast<double>(rans.words()) + std::log2(static_cast<double>(rans.state()));
}

// With independent pixels every merged step is still exact, so that the bound is the entropy.
TEST_F(Codec, AChainCostsTheEntropyOfGaussianImages) {
  const GaussianImages big{.shape = {1, 16, 16}};
  GaussianDenoiser denoiser(schedule_, big);
  for (const int calls : {20, 60}) {
    const CodecModel model = gaussian_model(big, schedule_, {12, 12, calls});
    Predictor predictor(model, denoiser);
    Chain chain(predictor);
    Rans rans;
    for (int i = 0; i < 10; ++i) chain.push(big.draw(900 + i), rans);  // bits to begin with
    const double before = bits_in(rans);
    for (int i = 0; i < 40; ++i) chain.push(big.draw(i), rans);
    const double net = (bits_in(rans) - before) / (40 * 256);
    // 10,240 pixels' mean differs from the entropy by 0.72 / sqrt(10240) = 0.0071 (one standard
    // deviation of -log2 p of a normal is 0.72 bits); 3 of them, and 0.005 for bins.
    EXPECT_NEAR(net, big.entropy(), 0.026) << calls;
    EXPECT_LT(net, sample_entropy(big, 40) + 0.005) << calls;
  }
}

// Whole files: a header of 30 bytes and a first image at the price of a single one.
TEST_F(Codec, FilesOfGaussianImagesCostWhatTheirModesSay) {
  const GaussianImages big{.shape = {1, 16, 16}};
  const CodecModel model = gaussian_model(big, schedule_, {30, 30, 60});
  GaussianDenoiser denoiser(schedule_, big);
  Predictor predictor(model, denoiser);
  std::vector<Image> images;
  for (std::uint64_t i = 0; i < 60; ++i) {
    images.push_back(blank_image(16, 16, 1));
    images.back().pixels = big.draw(i);
  }
  const auto bits = [&](CodecMode mode) {
    return static_cast<double>(compress(predictor, images, {.mode = mode}).size()) * 8 /
           (256 * 60.0);
  };
  EXPECT_LT(bits(CodecMode::chain), sample_entropy(big, 60) + 0.06);
  EXPECT_LT(bits(CodecMode::lossless), sample_entropy(big, 60) + 0.35);
}

}  // namespace
}  // namespace ddpm
