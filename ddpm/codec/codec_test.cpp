#include "ddpm/codec/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "ddpm/codec/codec_for_test.h"

namespace ddpm {
namespace {

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

double square_error(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const double miss = static_cast<double>(a.pixels[i]) - b.pixels[i];
    sum += miss * miss;
  }
  return sum / static_cast<double>(a.pixels.size());
}

double psnr(const Image& a, const Image& b) {
  return 10 * std::log10(255.0 * 255 / (square_error(a, b) + 1e-9));
}

TEST_F(Codec, ColourImagesComeBackToo) {
  const GaussianImages colour{.shape = {3, 8, 8}};
  const CodecModel model = gaussian_model(colour, schedule_, kFew);
  GaussianDenoiser denoiser(schedule_, colour);
  Predictor predictor(model, denoiser);
  std::vector<Image> images = {blank_image(8, 8, 3), blank_image(8, 8, 3), blank_image(11, 5, 3)};
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Item levels = colour.draw(i);
    for (std::size_t k = 0; k < images[i].pixels.size(); ++k) images[i].pixels[k] = levels[k];
  }
  for (const CodecMode mode : kLossless) {
    const std::string bytes = compress(predictor, images, {.mode = mode});
    const Decompressed back = value_or_throw(decompress(predictor, bytes));
    ASSERT_EQ(back.images.size(), images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
      EXPECT_EQ(back.images[i].channels, 3);
      EXPECT_TRUE(equal(back.images[i], images[i])) << name_of(mode) << i;
    }
  }
  // Without a bit the mean would be shown: 10 log10(4 / 0.04) = 20 dB.
  const std::string lossy = compress(predictor, {images[0]}, {.mode = CodecMode::lossy});
  EXPECT_GT(psnr(value_or_throw(decompress(predictor, lossy)).images[0], images[0]), 25);
  EXPECT_THROW(compress(predictor, {blank_image(8, 8, 1)}, {}), Error);
}

// Where the image stops, what the sender measures is what the receiver's frame is off by: both make
// the same walk. A frame is rounded to levels, which adds 1/12 to the error of what it shows, and
// twice the root of both.
TEST_F(Codec, TheReceiverOfEveryTransmitterIsAsFarOffAsTheSender) {
  for (const auto transmitter : {Transmitter::hadamard, Transmitter::pfr, Transmitter::greedy}) {
    std::map<int, double> sent;  // by time
    CompressOptions options{.transmitter = transmitter, .seed = 7};
    options.trace = [&](const WalkTrace& p) { sent[p.time] = p.error * 127.5 * 127.5; };
    const std::string bytes = packed({image(1)}, CodecMode::progressive, options);
    std::vector<std::pair<int, double>> received;
    DecompressOptions seen;
    seen.frame = [&](const WalkTrace& p, const std::vector<Image>& images) {
      received.emplace_back(p.time, square_error(images[0], image(1)));
    };
    EXPECT_TRUE(equal(unpacked(bytes, seen).images[0], image(1))) << name_of(transmitter);
    int compared = 0;
    for (const auto& [time, error] : received) {
      if (!sent.contains(time)) continue;
      EXPECT_NEAR(error, sent.at(time), 0.01 * error + 0.2) << name_of(transmitter) << time;
      ++compared;
    }
    EXPECT_GE(compared, 2);
    EXPECT_LT(received.back().second, received.front().second / 3);
  }
}

TEST_F(Codec, OneImageOfTheModelsSizeHasAHeaderOfEightBytes) {
  const std::string bytes = packed({image(1)}, CodecMode::lossless);
  EXPECT_EQ(value_or_throw(read_container(bytes)).header_bytes, 8);
  EXPECT_EQ(bytes.substr(0, 4), "DDPC");
}

// Of a file cut anywhere: an error, or where a prefix means something images that are not called
// whole. Fewer images never.
TEST_F(Codec, CutAnywhereIsAShorterImageOrAnError) {
  for (const CodecMode mode : kAll) {
    const std::string bytes = packed({image(1), image(2, 12, 8)}, mode);
    const std::size_t header = value_or_throw(read_container(bytes)).header_bytes;
    const bool progressive = mode == CodecMode::lossy || mode == CodecMode::progressive;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto back = decompress(predictor_, std::string_view(bytes).substr(0, size));
      if (size < header || !progressive) {
        ASSERT_FALSE(back) << name_of(mode) << size;
        EXPECT_EQ(back.error().code, FailureCode::need_more);
        continue;
      }
      ASSERT_TRUE(back) << back.error().message;
      EXPECT_EQ(back->images.size(), 2U);
      EXPECT_FALSE(back->exact);
      EXPECT_FALSE(back->complete) << name_of(mode) << size;
    }
    EXPECT_TRUE(unpacked(bytes).complete);
    EXPECT_EQ(unpacked(bytes).exact, mode != CodecMode::lossy);
  }
}

// In the walk, and after it in the levels, of which the first are then the original's.
TEST_F(Codec, MoreBytesAreABetterImage) {
  const std::string bytes = packed({image(5)}, CodecMode::progressive);
  double before = 0;
  for (const std::size_t size : {8U, 20U, 32U, 44U}) {
    const double now = psnr(unpacked(bytes.substr(0, size)).images[0], image(5));
    EXPECT_GT(now, before) << size;
    before = now;
  }
  EXPECT_GT(before, psnr(unpacked(bytes.substr(0, 8)).images[0], image(5)) + 2);
  const Image cut = unpacked(bytes.substr(0, bytes.size() - 9)).images[0];
  const Image whole = image(5);
  const auto wrong = std::ranges::mismatch(cut.pixels, whole.pixels);
  EXPECT_GT(wrong.in1 - cut.pixels.begin(), 32);
  EXPECT_NE(wrong.in1, cut.pixels.end());
  EXPECT_TRUE(equal(unpacked(bytes).images[0], whole));
}

// Less than the header is refused; a payload of bytes fills what the limit leaves, but for the
// bytes that a number in the header takes.
TEST_F(Codec, ALimitOfBytesIsKeptAndUsed) {
  const std::vector<Image> images = {image(1), image(2), image(3)};
  ASSERT_GT(packed(images, CodecMode::lossy).size(), 60U);
  for (const std::uint64_t bytes : {50U, 60U}) {
    const std::string cut = packed(images, CodecMode::lossy, {.max_bytes = bytes});
    EXPECT_LE(cut.size(), bytes);
    EXPECT_GE(cut.size() + 2, bytes);
  }
  try {
    packed(images, CodecMode::lossy, {.max_bytes = 10});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
  }
}

// Hints are bits too; the last byte is filled up.
TEST_F(Codec, ATraceCountsEveryBitOfThePayload) {
  std::vector<WalkTrace> seen;
  CompressOptions options;
  options.trace = [&](const WalkTrace& point) { seen.push_back(point); };
  const std::string bytes = packed({image(5, 24, 24)}, CodecMode::lossy, options);
  const auto payload =
      static_cast<double>(payload_of(value_or_throw(read_container(bytes)), bytes, 0).bytes.size());
  EXPECT_LE(seen.back().bits, 8 * payload);
  EXPECT_GT(seen.back().bits, 8 * payload - 8);
}

TEST_F(Codec, AWalkEndsAtTheFirstTimeThatIsGoodEnough) {
  const Image nine_tiles = image(1, 24, 24);
  std::vector<WalkTrace> seen;
  const auto lossy = [&](CompressOptions options) {
    seen.clear();
    options.trace = [&](const WalkTrace& point) { seen.push_back(point); };
    return packed({nine_tiles}, CodecMode::lossy, options);
  };
  const std::string whole = lossy({}), good = lossy({.psnr = 21});
  ASSERT_GT(seen.size(), 1U);
  const double enough = 4 / std::pow(10, 2.1);  // 21 dB of a range of 2
  EXPECT_LE(seen.back().error, enough);
  for (std::size_t i = 0; i + 1 < seen.size(); ++i) EXPECT_GT(seen[i].error, enough) << i;
  EXPECT_LT(good.size(), whole.size());
  // A reader that has come to the last bits leaves out the steps behind them, which have none.
  EXPECT_GE(psnr(unpacked(good).images[0], nine_tiles), 20.5);

  const std::string early = lossy({.upto = 100});
  const auto first =
      std::ranges::find_if(model_.tables.progressive, [](int t) { return t <= 100; });
  EXPECT_EQ(seen.back().time, *first);
  const auto payload = [](const std::string& bytes) {
    return payload_of(value_or_throw(read_container(bytes)), bytes, 0).bytes;
  };
  ASSERT_LT(payload(early).size(), payload(whole).size());
  // Its last byte is filled up.
  EXPECT_TRUE(payload(whole).starts_with(payload(early).substr(0, payload(early).size() - 1)));
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

TEST_F(Codec, AFlippedBitOfALossyPayloadIsSeenByItsCheckSum) {
  const std::string bytes = packed({image(1), image(2)}, CodecMode::lossy);
  const std::size_t header = value_or_throw(read_container(bytes)).header_bytes;
  for (std::size_t bit = header * 8; bit < bytes.size() * 8; ++bit) {
    std::string bad = bytes;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    const auto back = decompress(predictor_, bad);
    ASSERT_FALSE(back) << bit;
    EXPECT_EQ(back.error().code, FailureCode::corrupt);
  }
}

TEST_F(Codec, FilesThatAnotherProgramOrModelMadeAreRefused) {
  const std::vector<Image> images = {image(1), image(2)};
  const std::string bytes = packed(images, CodecMode::lossless);
  const ReadContainer file = value_or_throw(read_container(bytes));
  const std::string payload(payload_of(file, bytes, 0).bytes);
  const auto refusal = [&](auto change) {
    Container c = file.container;
    change(c);
    const auto back = decompress(predictor_, write_container(c, {payload}));
    EXPECT_FALSE(back);
    return back ? Failure{FailureCode::io, ""} : back.error();
  };
  EXPECT_EQ(refusal([](Container& c) { c.profile = 1; }).code, FailureCode::unsupported);
  EXPECT_EQ(refusal([](Container& c) { c.numerics = 1; }).code, FailureCode::unsupported);
  EXPECT_EQ(refusal([](Container& c) { c.step_table = 1; }).code, FailureCode::unsupported);
  EXPECT_EQ(refusal([](Container& c) {
              c.tile = {1, 8, 4};
              c.groups[0].items = 4;
            }).code,
            FailureCode::corrupt);
  EXPECT_EQ(refusal([](Container& c) { c.groups[0].check ^= 1; }).code, FailureCode::corrupt);
  EXPECT_EQ(decompress(predictor_, bytes, {.image = 2}).error().code, FailureCode::unsupported);
  EXPECT_TRUE(equal(unpacked(bytes, {.image = 1}).images[0], image(2)));
}

TEST_F(Codec, ImagesThatTheModelCannotCodeAreRefused) {
  const auto code_of = [&](const std::vector<Image>& images, const CompressOptions& options) {
    try {
      compress(predictor_, images, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ExitCode::ok;
  };
  EXPECT_EQ(code_of({}, {}), ExitCode::usage);
  EXPECT_EQ(code_of({image(1)}, {.transmitter = Transmitter::ideal}), ExitCode::usage);
  EXPECT_EQ(code_of({blank_image(8, 8, 3)}, {}), ExitCode::bad_input);
}

// 2^18 numbers an item are the most that a step's codebook has room for.
TEST_F(Codec, AModelOfLargerImagesThanAStepCarriesIsRefusedByName) {
  for (const int width : {512, 513}) {
    const GaussianImages large{.shape = {1, 512, width}};
    CodecModel model = model_;
    model.shape = large.shape;
    GaussianDenoiser denoiser(schedule_, large);
    if (width == 512) {
      EXPECT_NO_THROW(Predictor(model, denoiser));
      continue;
    }
    try {
      const Predictor predictor(model, denoiser);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find("262656 numbers, expected at most 262144"),
                std::string::npos)
          << error.what();
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

// Of images around 0 the flow's end is a multiple of the network's x_0, as all along it x stays
// one; an ancestral sample has noise of its own besides. Rounding to levels errs by 0.3 of a level
// in either, that of the mean magnified.
TEST_F(Codec, SamplersFinishALossyImageAsTheirEquationsSay) {
  const GaussianImages big{.shape = {1, 16, 16}};
  const CodecModel model = gaussian_model(big, schedule_, kFew);
  GaussianDenoiser denoiser(schedule_, big);
  Predictor predictor(model, denoiser);
  Image original = blank_image(16, 16, 1);
  original.pixels = big.draw(1);
  const std::string bytes = compress(predictor, {original}, {.max_bytes = 30});
  const auto finished = [&](Recon recon) {
    return value_or_throw(decompress(predictor, bytes, {.recon = recon})).images[0];
  };
  const Image mean = finished(Recon::mean), flow = finished(Recon::flow),
              ancestral = finished(Recon::ancestral);
  EXPECT_GT(psnr(mean, original), psnr(flow, original));
  EXPECT_GT(psnr(flow, original), psnr(ancestral, original));
  const auto beside_mean = [&](const Image& image, double& factor) {
    double with = 0, square = 0, rest = 0;
    const auto at = [](const Image& i, std::size_t k) { return i.pixels[k] - 127.5; };
    for (std::size_t k = 0; k < 256; ++k) {
      with += at(mean, k) * at(image, k);
      square += at(mean, k) * at(mean, k);
    }
    factor = with / square;
    for (std::size_t k = 0; k < 256; ++k) {
      const double miss = at(image, k) - factor * at(mean, k);
      rest += miss * miss / 256;
    }
    return std::sqrt(rest);
  };
  double factor = 0;
  const double beside_flow = beside_mean(flow, factor);
  EXPECT_LT(beside_flow, 0.3 * (1 + factor));
  EXPECT_GT(factor, 1.1);
  EXPECT_GT(beside_mean(ancestral, factor), 10);
}

TEST_F(Codec, FramesShowTheImageGrow) {
  const std::vector<Image> originals = {image(1), image(2, 9, 9)};
  const std::string bytes = packed(originals, CodecMode::progressive);
  std::vector<double> qualities;
  std::vector<WalkTrace> traces;
  DecompressOptions options;
  options.frame = [&](const WalkTrace& trace, const std::vector<Image>& images) {
    ASSERT_EQ(images.size(), 2U);
    EXPECT_EQ(images[1].width, 9);
    qualities.push_back(psnr(images[1], originals[1]));
    traces.push_back(trace);
  };
  unpacked(bytes, options);
  ASSERT_GE(std::ssize(traces), 3);
  ASSERT_LE(std::ssize(traces), kFew.progressive);
  EXPECT_EQ(traces.front().time, model_.tables.progressive.front());
  EXPECT_EQ(traces.back().time, model_.tables.progressive.back());
  for (std::size_t i = 1; i < traces.size(); ++i) {
    EXPECT_LT(traces[i].time, traces[i - 1].time);
    EXPECT_GT(traces[i].bits, traces[i - 1].bits);  // one frame of the same bits
  }
  EXPECT_GT(qualities.back(), qualities.front() + 6);
  EXPECT_LT(traces.back().expected_error, traces.front().expected_error / 10);
}

}  // namespace
}  // namespace ddpm
