// For tests: the codec of a model of which everything is known.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/codec/codec.h"
#include "ddpm/codec/gaussian_for_test.h"

namespace ddpm {

inline constexpr Calls kFew{.progressive = 12, .lossless = 12, .chain = 15};

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

inline bool equal(const Image& a, const Image& b) {
  return a.width == b.width && a.height == b.height && a.pixels == b.pixels;
}

}  // namespace ddpm
