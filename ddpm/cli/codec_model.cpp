#include "ddpm/cli/codec_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/data/cifar.h"
#include "ddpm/data/dataset.h"
#include "ddpm/data/folder.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

fs::path component(const fs::path& folder, const char* name) {
  std::error_code none;
  return fs::is_directory(folder / name, none) ? folder / name : folder;
}

std::array<fs::path, 4> codec_files(const fs::path& folder) {
  const fs::path net = component(folder, "unet");
  return {net / "config.json", net / "diffusion_pytorch_model.safetensors",
          component(folder, "scheduler") / "scheduler_config.json", folder / "ddpm.json"};
}

Image image_of(const Dataset& data, std::size_t i) {
  const Shape shape = data.shape();
  std::vector<std::uint8_t> planes(shape.size());
  data.load(i, planes);
  Image image = blank_image(shape.w, shape.h, shape.c);
  for (int c = 0; c < shape.c; ++c) {
    for (int y = 0; y < shape.h; ++y) {
      for (int x = 0; x < shape.w; ++x) {
        image.at(y, x, c) = planes[(static_cast<std::size_t>(c) * shape.h + y) * shape.w + x];
      }
    }
  }
  return image;
}

std::uint64_t limited(std::uint64_t size, std::uint64_t count) {
  return count == 0 ? size : std::min(size, count);
}

Fingerprint fingerprint_of_folder(const fs::path& folder) {
  std::vector<std::string> contents;
  for (const fs::path& file : codec_files(folder)) {
    std::error_code none;
    const bool optional = file.filename() == "ddpm.json" && !fs::exists(file, none);
    contents.push_back(optional ? "" : value_or_throw(read_file(file)));
  }
  const std::vector<std::string_view> parts(contents.begin(), contents.end());
  return fingerprint_of(parts);
}

// None: a folder that can't be read; `why` is then what is wrong with it.
std::optional<Fingerprint> try_fingerprint(const fs::path& folder, std::string& why) {
  try {
    return fingerprint_of_folder(folder);
  } catch (const Error& error) {
    why = error.what();
    return {};
  }
}

}  // namespace

std::string fingerprint_text(const Fingerprint& f) {
  return fmt::format("{:0{}x}", f.value >> (64 - f.bits), f.bits / 4);
}

CodecFolder open_codec_model(const std::string& name) {
  Model model = open_model(name);
  const Fingerprint fingerprint = fingerprint_of_folder(model.folder);
  return {std::move(model), fingerprint};
}

CodecFolder find_codec_model(const Fingerprint& wanted, const std::string& given) {
  if (!given.empty()) {
    CodecFolder folder = open_codec_model(given);
    if (wanted.matches(folder.fingerprint.value)) return folder;
    throw Error(
        ExitCode::bad_input,
        "[cli] model: got {} with fingerprint {:016x}, the file needs {}; try without --model",
        given, folder.fingerprint.value, fingerprint_text(wanted));
  }
  std::string looked;
  for (const fs::path& folder : known_models()) {
    std::error_code none;
    if (!fs::exists(codec_files(folder)[1], none)) continue;
    std::string why;
    const auto fingerprint = try_fingerprint(folder, why);
    if (fingerprint && wanted.matches(fingerprint->value)) {
      return {open_model(folder.string()), *fingerprint};
    }
    looked +=
        (looked.empty() ? "" : ", ") + folder.string() + (why.empty() ? "" : " (" + why + ")");
  }
  throw Error(
      ExitCode::bad_input,
      "[cli] model: none has the file's fingerprint {}; looked at {}; try --model FOLDER, or "
      "DDPM_MODELS with the folder of your models",
      fingerprint_text(wanted), looked.empty() ? "no model" : looked);
}

CodecSession::CodecSession(const CodecFolder& folder, int threads, int max_batch)
    : pool_(thread_count(threads)),
      denoiser_(cpu::make_denoiser(folder.model.graph, folder.model.params, max_batch, pool_,
                                   cpu::Profile::f32, kCodecNumerics)) {
  const Model& model = folder.model;
  model_.schedule = model.schedule;
  model_.view = model.view;
  model_.shape = image_shape(model);
  model_.fingerprint = folder.fingerprint;
  if (model.codec.is(Json::Kind::null)) {
    print_note(
        "the model was never calibrated for the codec, so that files are longer than need be; "
        "try ddpm compress --calibrate MODEL DATA");
    model_.tables = nominal_tables(model.schedule);
  } else {
    model_.tables = read_tables(model.codec, model.schedule, (model.folder / "ddpm.json").string());
  }
  predictor_ = std::make_unique<Predictor>(model_, *denoiser_);
}

double CodecSession::seconds_a_call(std::uint64_t items) {
  using Clock = std::chrono::steady_clock;
  const auto batch =
      std::min<std::uint64_t>(items, static_cast<std::uint64_t>(denoiser_->max_batch()));
  std::vector<float> x(batch * model_.shape.size()), out(batch * denoiser_->out_shape().size());
  const std::vector<double> time(batch, 0);
  denoiser_->predict(x, time, out);  // pages and caches
  const auto start = Clock::now();
  denoiser_->predict(x, time, out);
  return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(batch);
}

CallProgress::CallProgress(const std::string& name, Predictor& predictor, std::int64_t calls)
    : predictor_(predictor), total_(calls), before_(predictor.calls()), progress_(name, calls) {}

std::function<void()> CallProgress::callback() {
  return [this] {
    progress_.update(std::min(predictor_.calls() - before_, total_));
    watch_.check();
  };
}

std::vector<Image> open_images(const std::vector<std::string>& names, std::uint64_t count) {
  std::vector<Image> images;
  for (const std::string& name : names) {
    std::error_code none;
    const fs::path path = name;
    if (path.extension() == ".png") {
      images.push_back(value_or_throw(read_png(path)));
    } else if (fs::is_directory(path, none) && cifar_files(path, false).empty()) {
      const FolderListing listing = list_folder(path);
      for (std::size_t i = 0; i < limited(listing.files.size(), count); ++i) {
        images.push_back(value_or_throw(read_png(listing.files[i])));
      }
    } else {
      const auto data = open_dataset(name);
      for (std::size_t i = 0; i < limited(data->size(), count); ++i) {
        images.push_back(image_of(*data, i));
      }
    }
  }
  return images;
}

double psnr_of(const std::vector<Image>& a, const std::vector<Image>& b) {
  double sum = 0, count = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    for (std::size_t i = 0; i < a[k].pixels.size(); ++i) {
      const double miss = static_cast<double>(a[k].pixels[i]) - b[k].pixels[i];
      sum += miss * miss;
    }
    count += static_cast<double>(a[k].pixels.size());
  }
  if (sum == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(255.0 * 255 * count / sum);
}

double psnr_of_error(double error) { return 10 * std::log10(4 / std::max(error, 1e-12)); }

}  // namespace ddpm::cli
