// The bytes around compressed images: docs/format.md, "DDPC". Nothing here knows a model; what the
// payloads mean is their coder's business.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"
#include "ddpm/base/shape.h"
#include "ddpm/codec/transmitter.h"

namespace ddpm {

enum class CodecMode : std::uint8_t {
  lossy = 0,        // progressive; every prefix decodes
  progressive = 1,  // progressive up to lossless; every prefix decodes
  chain = 2,        // lossless, the items of a group in one stack
  lossless = 3,     // lossless, each item for itself
};

/// Name of the mode as `info` prints it.
std::string name_of(CodecMode mode);

/// The model that a file needs, fingerprint_of() its files. A short header keeps the upper 16 bits.
struct Fingerprint {
  std::uint64_t value = 0;
  int bits = 64;

  /// Whether a model whose whole fingerprint is `model` may be it.
  bool matches(std::uint64_t model) const { return (value ^ model) >> (64 - bits) == 0; }
};

/// Of a model's files, whole, in the order of docs/format.md: the first 8 bytes, the first highest,
/// of the SHA-256 of their SHA-256s in hexadecimal.
Fingerprint fingerprint_of(std::span<const std::string_view> parts);

/// Width and height of an image; its channels are the model's.
struct ImageSize {
  std::uint32_t width = 0, height = 0;
  bool operator==(const ImageSize&) const = default;
};

/// A run of items (tiles of images, in order) whose bytes lie together and decode without others.
struct Group {
  std::uint64_t items = 1;
  std::uint64_t bytes = 0;
  std::uint32_t check = 0;  // CRC-32C: of the payload in lossy mode, else of the decoded pixels
};

/// Of the bits that predictions have in the files that are written and read: the denoiser is made
/// with it.
inline constexpr int kCodecNumerics = 2;

struct Container {
  CodecMode mode = CodecMode::lossy;
  Transmitter transmitter = Transmitter::hadamard;
  std::uint32_t numerics = kCodecNumerics;
  std::uint8_t profile = 0;     // of the engine's kernels: 0 f32, 1 f32-direct
  std::uint8_t step_table = 0;  // which of the model's step schedules
  std::uint64_t seed = 0;
  Fingerprint model;
  Shape tile;  // the model's shape: what one item is
  std::uint64_t images = 1;
  std::vector<ImageSize> sizes;  // one for all images, or one an image
  std::vector<Group> groups;
  bool is_short =
      false;  // read from a short header: one item, whose tile, bytes and check are not in it

  ImageSize size_of(std::uint64_t image) const {
    return sizes.size() == 1 ? sizes[0] : sizes[image];
  }
};

/// Items that an image has: the tiles of the model's size that cover it.
std::uint64_t tiles_of(const Container& container, ImageSize size);

/// Header and payloads, payloads[i] of groups[i], whose `bytes` is set from it. The header is the
/// short one, 8 bytes, when it can say all: one image of the model's size, one group, and defaults
/// for the rest; check is then not stored. BugError when the fields contradict one another.
std::string write_container(Container container, const std::vector<std::string>& payloads);

struct ReadLimits {
  std::uint64_t max_pixels = std::uint64_t{1} << 30;  // of all tiles together
};

struct ReadContainer {
  Container container;
  std::size_t header_bytes = 0;
};

/// The header at the start of a file; later bytes may be missing. A short header has no tile: the
/// caller sets it from the model. Codes: need_more, the header is cut short; corrupt; unsupported,
/// a newer version or more pixels than the limit. Allocates at most about ten times what it is
/// given.
Result<ReadContainer> read_container(std::string_view bytes, const ReadLimits& limits = {});

/// The bytes of a group that the file has, and whether these are all of them. A short header's
/// group has all that follows the header.
struct Payload {
  std::string_view bytes;
  bool complete = true;
};
Payload payload_of(const ReadContainer& file, std::string_view bytes, std::size_t group);

/// A valid file of at most `max_bytes`: payloads are cut evenly, none below another's length unless
/// it was shorter. Lossy and progressive only, which become lossy when anything is cut. Failure:
/// what read_container says; unsupported for other modes and when the header alone is longer.
Result<std::string> truncate_container(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace ddpm
