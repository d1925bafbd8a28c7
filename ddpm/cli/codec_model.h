// A model made ready for the codec, and how files find theirs.
#pragma once

#include <memory>
#include <optional>

#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"
#include "ddpm/codec/codec.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/model.h"

namespace ddpm::cli {

/// A model, and the fingerprint of its files as they lie there.
struct CodecFolder {
  Model model;
  Fingerprint fingerprint;
};

/// MODEL of the command line.
CodecFolder open_codec_model(const std::string& name);

/// The model that a file needs: `given` if it is not empty, else the first that fits of the shipped
/// and installed ones and those of $DDPM_MODELS; folders that can't be read are passed over. Throws
/// Error (bad_input) that says where it looked.
CodecFolder find_codec_model(const Fingerprint& wanted, const std::string& given);

/// As many hexadecimal digits as are known.
std::string fingerprint_text(const Fingerprint& fingerprint);

/// A network and all that the codec asks of its model. Not to be moved: parts refer to one another.
class CodecSession {
 public:
  /// Says in a note when the model was never calibrated.
  CodecSession(const CodecFolder& folder, int threads, int max_batch);
  CodecSession(const CodecSession&) = delete;
  CodecSession& operator=(const CodecSession&) = delete;

  Predictor& predictor() { return *predictor_; }
  CodecModel& model() { return model_; }

  /// Seconds that a call for one item takes, in a batch as full as `items` makes it.
  double seconds_a_call(std::uint64_t items);

 private:
  CodecModel model_;
  ThreadPool pool_;
  std::unique_ptr<Denoiser> denoiser_;
  std::unique_ptr<Predictor> predictor_;
};

/// A progress bar over network calls, which a signal stops.
class CallProgress {
 public:
  CallProgress(const std::string& name, Predictor& predictor, std::int64_t calls);
  std::function<void()> callback();
  void finish() { progress_.finish(); }

 private:
  SignalWatch watch_;
  Predictor& predictor_;
  std::int64_t total_, before_;
  Progress progress_;
};

/// Images named on the command line: PNG files, and data sets (folders of PNGs in their own sizes,
/// IDX, ...); of each data set the first `count` images, all for 0.
std::vector<Image> open_images(const std::vector<std::string>& names, std::uint64_t count);

/// 10 log10(255^2 / mean square error) over all images; infinity when they are equal. Sizes are
/// equal in pairs.
double psnr_of(const std::vector<Image>& a, const std::vector<Image>& b);

/// Of a mean square error in [-1, 1]; at most 126 dB.
double psnr_of_error(double error);

}  // namespace ddpm::cli
