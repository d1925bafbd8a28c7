// Images <-> DDPC files (docs/format.md), with a model. The bytes around the payloads are
// container.h's, the payloads walk.h's and chain.h's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/codec/container.h"
#include "ddpm/codec/predictor.h"
#include "ddpm/image/image.h"

namespace ddpm {

/// One time of a walk, all items of a group together.
struct WalkTrace {
  int time = 0;
  double bits = 0;            // sent until this time
  double expected_error = 0;  // E (x_0 - x0)^2 an element, by the model's tables
  double error = 0;           // of what a reader decodes, in [-1, 1]; 0 at a receiver's
};

struct CompressOptions {
  CodecMode mode = CodecMode::lossy;
  Transmitter transmitter = Transmitter::hadamard;
  std::uint64_t seed = 0;
  // lossy: where to stop; all given ones are kept. None: at the last time.
  std::optional<std::uint64_t> max_bytes;  // of the file
  std::optional<double> psnr;              // of a group, reached at one of the model's times
  std::optional<int> upto;                 // the first of the model's times t <= upto
  std::function<void()> progress;          // after every network call; may throw
  std::function<void(const WalkTrace&)> trace;
};

/// The file. Throws Error for no images or the ideal transmitter (usage), for channels that are not
/// the model's or a limit of bytes below the header's (bad_input).
std::string compress(Predictor& predictor, const std::vector<Image>& images,
                     const CompressOptions& options = {});

enum class Recon { mean, flow, ancestral };

struct DecompressOptions {
  /// How a lossy image is finished: mean, the network's x_0, has the best PSNR; flow (DDIM) and
  /// ancestral go on sampling.
  Recon recon = Recon::mean;
  std::optional<std::uint64_t> image;  // only this one
  std::function<void()> progress;
  /// At every time where an item stops: the items so far, as images (tiles are joined).
  std::function<void(const WalkTrace&, const std::vector<Image>&)> frame;
};

struct Decompressed {
  std::uint64_t first = 0;  // number of the first image
  std::vector<Image> images;
  bool exact = false;    // the originals, check sums compared
  bool complete = true;  // the file was not cut short
};

/// The images of a file; of a lossy or progressive one that was cut, what there is of them.
/// Failures: need_more (another cut file, or a cut header), corrupt, unsupported (another model,
/// numerics, profile, newer version).
Result<Decompressed> decompress(Predictor& predictor, std::string_view bytes,
                                const DecompressOptions& options = {});

/// What a walk of images of the model's size sends and how far it comes, time by time; the ideal
/// transmitter's bits are KL divergences. All images are walked together.
std::vector<WalkTrace> trace_walk(Predictor& predictor, const std::vector<Image>& images,
                                  Transmitter transmitter, std::uint64_t seed,
                                  const std::function<void()>& progress = {});

/// Network calls that compress() is expected to make for so many items, one item each, if no limit
/// ends a lossy walk.
std::int64_t calls_of(const CodecModel& model, CodecMode mode, std::uint64_t items);

/// Items of a group.
std::uint64_t group_items(CodecMode mode);

}  // namespace ddpm
