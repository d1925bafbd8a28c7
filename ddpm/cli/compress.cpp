// ddpm compress MODEL IN... -o OUT.ddpc, and ddpm compress --calibrate MODEL DATA
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/codec_model.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/codec/calibrate.h"
#include "ddpm/codec/tiles.h"

namespace ddpm::cli {
namespace {

constexpr std::uint64_t kCalibrationImages = 256;

struct CompressArgs {
  std::string model, out, mode = "lossy", transmitter = "hadamard";
  std::vector<std::string> in;
  std::uint64_t count = 0, seed = 0, bytes = 0;
  double bpp = 0, psnr = 0;
  int upto = 0, threads = 0;
  bool calibrate = false, json = false;
};

CodecMode parse_mode(const std::string& name) {
  if (name == "lossy") return CodecMode::lossy;
  if (name == "progressive") return CodecMode::progressive;
  if (name == "lossless") return CodecMode::lossless;
  return CodecMode::chain;  // the option takes no other
}

std::uint64_t pixels_of(const std::vector<Image>& images) {
  std::uint64_t pixels = 0;
  for (const Image& image : images) pixels += std::uint64_t{1} * image.width * image.height;
  return pixels;
}

std::uint64_t items_in(const std::vector<Image>& images, Shape tile) {
  std::uint64_t items = 0;
  for (const Image& image : images) items += tile_count(image.width, image.height, tile);
  return items;
}

void check_limits(const CompressArgs& args) {
  const int limits = (args.bytes > 0) + (args.bpp > 0) + (args.psnr > 0) + (args.upto > 0);
  if (limits == 0) return;
  if (args.mode != "lossy") {
    throw Error("[cli] compress: got a limit with --mode {}, expected it with lossy alone",
                args.mode);
  }
  if (limits > 1) {
    throw Error("[cli] compress: got {} limits, expected one of --bytes, --bpp, --psnr and --upto",
                limits);
  }
}

CompressOptions options_of(const CompressArgs& args, const std::vector<Image>& images) {
  CompressOptions options;
  options.mode = parse_mode(args.mode);
  options.transmitter = parse_transmitter(args.transmitter);
  options.seed = args.seed;
  if (args.bytes > 0) options.max_bytes = args.bytes;
  if (args.bpp > 0) {
    options.max_bytes =
        static_cast<std::uint64_t>(args.bpp * static_cast<double>(pixels_of(images)) / 8);
  }
  if (args.psnr > 0) options.psnr = args.psnr;
  if (args.upto > 0) options.upto = args.upto;
  return options;
}

void print_result(const CompressArgs& args, const std::vector<Image>& images, std::size_t bytes) {
  const std::uint64_t pixels = pixels_of(images);
  const double bpp = static_cast<double>(bytes) * 8 / static_cast<double>(pixels);
  const int channels = images[0].channels;
  if (!args.json) {
    put_line("{}: {} bytes for {}, {:.4f} bits a pixel, {:.4f} bits/dim", args.out, bytes,
             counted(std::ssize(images), "image"), bpp, bpp / channels);
    return;
  }
  print_json("ddpm.compress/1", {{"output", json_string(args.out)},
                                 {"mode", json_string(args.mode)},
                                 {"bytes", json_integer(static_cast<std::int64_t>(bytes))},
                                 {"images", json_integer(std::ssize(images))},
                                 {"pixels", json_integer(static_cast<std::int64_t>(pixels))},
                                 {"bits_per_pixel", json_real(bpp)},
                                 {"bits_per_dim", json_real(bpp / channels)}});
}

void run_calibrate(const CompressArgs& args) {
  CodecFolder folder{open_model(args.model), {}};  // no file is made: no fingerprint is needed
  Model& model = folder.model;
  if (!model.codec.is(Json::Kind::null)) {
    throw Error(
        "[cli] calibrate: {} is calibrated already, and files made with it need it as it is; try a "
        "copy of the folder, without `codec` in its ddpm.json",
        model.folder.string());
  }
  const Shape shape = image_shape(model);
  const std::uint64_t count = args.count > 0 ? args.count : kCalibrationImages;
  std::vector<Item> items;
  for (const Image& image : open_images(args.in, count)) {
    if (image.channels != shape.c || items.size() >= count) continue;
    for (Item& item : cut_tiles(image, shape)) items.push_back(std::move(item));
  }
  items.resize(std::min<std::size_t>(items.size(), count));
  model.codec = tables_json(nominal_tables(model.schedule));  // the session's are not used
  CodecSession session(folder, args.threads, kMaxBatch);
  const auto times = std::ssize(calibration_times(model.schedule.T()));
  CallProgress progress("calibrate", session.predictor(), times * std::ssize(items));
  const Measured measured = measure(session.predictor(), items, progress.callback());
  CodecTables& tables = session.model().tables;
  tables = plan_tables(model.schedule, measured);
  fill_walks(tables, shape.size());
  tables.learned_variance = prefers_learned_variance(session.predictor(), items);
  progress.finish();
  model.codec = tables_json(tables);
  write_file_atomic(model.folder / "ddpm.json", model_files(model).at("ddpm.json"));
  put_line("{}: measured on {}", (model.folder / "ddpm.json").string(),
           counted(std::ssize(items), "image"));
  const auto line = [&](const char* mode, const std::vector<int>& at, double bits) {
    put_line("{:<12}{} calls of the network, times {} to {}, ideally {:.3f} bits/dim", mode,
             expected_calls(at, bits, shape.size()), at.front(), at.back(),
             predicted_bits(model.schedule, measured, at));
  };
  line("progressive", tables.progressive, tables.progressive_bits);
  line("lossless", tables.lossless, tables.lossless_bits);
  line("chain", tables.chain, 0);
}

void run_compress(const CompressArgs& args) {
  if (args.calibrate) return run_calibrate(args);
  check_limits(args);
  if (args.out.empty()) throw Error("[cli] compress: got no -o, expected -o OUT.ddpc");
  check_output_file(args.out);
  const CodecFolder folder = open_codec_model(args.model);
  const std::vector<Image> images = open_images(args.in, args.count);
  if (images.empty()) throw Error("[cli] compress: got no images");
  CompressOptions options = options_of(args, images);
  const std::uint64_t items = items_in(images, image_shape(folder.model));
  const bool one_by_one = options.mode == CodecMode::chain;
  CodecSession session(folder, args.threads, one_by_one ? 1 : kMaxBatch);
  const std::int64_t calls = calls_of(session.model(), options.mode, items);
  print_note(fmt::format("{} in {}: at most {} calls of the network, about {}",
                         counted(std::ssize(images), "image"),
                         counted(static_cast<std::int64_t>(items), "tile"), calls,
                         clock_form(static_cast<double>(calls) * session.seconds_a_call(items))));
  CallProgress progress("compress", session.predictor(), calls);
  options.progress = progress.callback();
  const std::string bytes = compress(session.predictor(), images, options);
  progress.finish();
  write_file_atomic(args.out, bytes);
  print_result(args, images, bytes.size());
}

}  // namespace

void add_compress(CLI::App& app) {
  auto args = std::make_shared<CompressArgs>();
  auto* command = app.add_subcommand("compress", "Write images as a DDPC file, with a model.");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("in", args->in, "PNG files, folders of them, or data sets")->required();
  command->add_option("-o,--out", args->out, "OUT.ddpc");
  command
      ->add_option("--mode", args->mode,
                   "lossy; progressive: lossy, and lossless at the end; lossless: each image for "
                   "itself; chain: lossless, many images together, the smallest")
      ->check(CLI::IsMember({"lossy", "progressive", "lossless", "chain"}));
  command->add_option("--bytes", args->bytes, "lossy: at most so many bytes, header included")
      ->check(CLI::PositiveNumber)
      ->check(whole_number());
  command->add_option("--bpp", args->bpp, "lossy: at most so many bits a pixel")
      ->check(CLI::PositiveNumber);
  command->add_option("--psnr", args->psnr, "lossy: until so many decibels are reached")
      ->check(CLI::Range(1.0, 100.0));
  command->add_option("--upto", args->upto, "lossy: until the first of the model's times t <= this")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("-n,--count", args->count, "of each data set the first N images; 0 = all")
      ->check(whole_number());
  command
      ->add_option("--transmitter", args->transmitter,
                   "hadamard; or, slow and for comparison, pfr or greedy")
      ->check(CLI::IsMember({"hadamard", "pfr", "greedy"}));
  command->add_flag(
      "--calibrate", args->calibrate,
      "no file: measure MODEL on IN (256 images, or -n) and write what the codec must "
      "know of it into its ddpm.json");
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "say what was written as JSON");
  command->callback([args] { run_compress(*args); });
}

}  // namespace ddpm::cli
