// Any bytes as the payload of each mode: images or an error, and never other images than the
// encoder's that are called exact.
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/codec.h"
#include "ddpm/codec/gaussian_for_test.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

struct Session {
  GaussianImages images{.shape = {1, 6, 5}};
  Schedule schedule = Schedule::linear(60, 2e-3, 0.2);
  CodecModel model = gaussian_model(images, schedule, {6, 6, 6});
  GaussianDenoiser denoiser{schedule, images};
  Predictor predictor{model, denoiser};
};

// A good header of the mode, then the bytes.
std::string with_header(const Session& session, CodecMode mode, unsigned images,
                        std::string_view payload) {
  Container c;
  c.mode = mode;
  c.model = session.model.fingerprint;
  c.tile = session.model.shape;
  c.images = images;
  c.sizes = {{5, 6}};
  c.groups = {{.items = images, .check = mode == CodecMode::lossy ? crc32c(payload) : 0}};
  return write_container(c, {std::string(payload)});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Session session;
  if (size < 2) return 0;
  const std::string_view payload = text_of(data + 2, size - 2);
  const auto mode = static_cast<CodecMode>(data[0] & 3);
  const unsigned images = 1 + data[1] % 3 + (mode == CodecMode::chain ? 1 : 0);
  const std::string file = with_header(session, mode, images, payload);
  const auto result = decompress(session.predictor, file, {});
  if (!result) return 0;
  expect(result->images.size() == images);
  for (const Image& image : result->images) expect(image.width == 5 && image.height == 6);
  // A header of several images has a check sum of the pixels, which fuzzing does not guess.
  expect(!result->exact || images == 1);
  return 0;
}
