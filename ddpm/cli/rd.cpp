// ddpm rd MODEL DATA: rate against distortion, ours and others' on the same images.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/codec_model.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/peer_codecs.h"
#include "ddpm/image/plot.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace {

struct RdArgs {
  std::string model, data, out, plot;
  std::uint64_t count = 32, seed = 0;
  int threads = 0;
  bool json = false;
};

struct RdRow {
  std::string codec, setting;
  double bytes;  // an image
  double psnr;
};

class Study {
 public:
  Study(const RdArgs& args, const CodecFolder& folder, const std::vector<Image>& images)
      : args_(args), images_(images), session_(folder, args.threads, kMaxBatch) {}

  std::vector<RdRow> rows() {
    const auto n = static_cast<std::int64_t>(images_.size());
    const CodecModel& model = session_.model();
    // Two walks, and nearly as many looks at what a reader has.
    const std::int64_t calls = 4 * calls_of(model, CodecMode::progressive, n) +
                               calls_of(model, CodecMode::lossless, n) +
                               calls_of(model, CodecMode::chain, n);
    CallProgress progress("rd", session_.predictor(), calls);
    progress_ = progress.callback();
    walk("ideal KL", Transmitter::ideal);
    walk("ddpm payload", Transmitter::hadamard);
    lossless();
    progress.finish();
    others();
    return rows_;
  }

 private:
  double images() const { return static_cast<double>(images_.size()); }

  void walk(const std::string& name, Transmitter transmitter) {
    double before = -1;
    for (const WalkTrace& point :
         trace_walk(session_.predictor(), images_, transmitter, args_.seed, progress_)) {
      if (point.bits == before && point.time > 1) continue;
      rows_.push_back({name, fmt::format("t={}", point.time), point.bits / 8 / images(),
                       psnr_of_error(point.error)});
      before = point.bits;
    }
  }

  void lossless() {
    const double infinite = std::numeric_limits<double>::infinity();
    double single = 0;
    CompressOptions options;
    options.progress = progress_;
    options.mode = CodecMode::lossless;
    for (const Image& image : images_) {
      single += static_cast<double>(compress(session_.predictor(), {image}, options).size());
    }
    rows_.push_back({"ddpm", "lossless, one file an image", single / images(), infinite});
    options.mode = CodecMode::chain;
    const auto chain = static_cast<double>(compress(session_.predictor(), images_, options).size());
    rows_.push_back({"ddpm", "chain", chain / images(), infinite});
  }

  void others() {
    std::vector<std::string> missing;
    for (const PeerResult& peer : peer_results(images_, missing)) {
      rows_.push_back({peer.codec, peer.setting, peer.bytes / images(), peer.psnr});
    }
    for (const std::string& program : missing) {
      print_note(program + " is not installed: its rows are left out");
    }
  }

  const RdArgs& args_;
  const std::vector<Image>& images_;
  CodecSession session_;
  std::function<void()> progress_;
  std::vector<RdRow> rows_;
};

std::string csv_of(const std::vector<RdRow>& rows, double dims) {
  std::string csv = "codec,setting,bytes_per_image,bits_per_dim,psnr_db\n";
  for (const RdRow& row : rows) {
    csv += fmt::format("{},\"{}\",{:.3f},{:.5f},{}\n", row.codec, row.setting, row.bytes,
                       row.bytes * 8 / dims,
                       std::isinf(row.psnr) ? "lossless" : fmt::format("{:.3f}", row.psnr));
  }
  return csv;
}

// Losses over whole files or payloads; what is lossless has no place on the axis of decibels.
Image picture_of(const std::vector<RdRow>& rows, const RdArgs& args, std::size_t images) {
  std::vector<Series> series;
  for (const RdRow& row : rows) {
    if (std::isinf(row.psnr)) continue;
    const bool walk = row.codec == "ideal KL" || row.codec == "ddpm payload";
    if (series.empty() || series.back().label != row.codec) {
      series.push_back(
          {.label = row.codec, .x = {}, .y = {}, .mark = walk ? Mark::line : Mark::line_and_dots});
    }
    series.back().x.push_back(row.bytes);
    series.back().y.push_back(row.psnr);
  }
  return draw_plot({.title = "What bytes buy: rate and distortion",
                    .subtitle = fmt::format("{}, {} images; ddpm without its header of 8 bytes, "
                                            "others whole files",
                                            args.model, images),
                    .x = {.label = "bytes an image", .low = 0},
                    .y = {.label = "PSNR (dB)"},
                    .series = std::move(series)});
}

void print_rows(const std::vector<RdRow>& rows, double dims, std::size_t images) {
  std::vector<Json> list;
  for (const RdRow& row : rows) {
    list.push_back(json_object({{"codec", json_string(row.codec)},
                                {"setting", json_string(row.setting)},
                                {"bytes_per_image", json_real(row.bytes)},
                                {"bits_per_dim", json_real(row.bytes * 8 / dims)},
                                {"psnr", std::isinf(row.psnr) ? Json{} : json_real(row.psnr)}}));
  }
  print_json("ddpm.rd/1", {{"images", json_integer(static_cast<std::int64_t>(images))},
                           {"rows", json_list(std::move(list))}});
}

void run_rd(const RdArgs& args) {
  for (const std::string& file : {args.out, args.plot}) {
    if (!file.empty()) check_output_file(file);
  }
  const CodecFolder folder = open_codec_model(args.model);
  const std::vector<Image> images = open_images({args.data}, args.count);
  if (images.empty()) throw Error(ExitCode::bad_input, "[cli] rd: {}: got no images", args.data);
  const Shape shape = image_shape(folder.model);
  for (const Image& image : images) {
    if (image.width == shape.w && image.height == shape.h && image.channels == shape.c) continue;
    throw Error(ExitCode::bad_input,
                "[cli] rd: got an image of {} x {}, expected the model's {} x {}", image.width,
                image.height, shape.w, shape.h);
  }
  const std::vector<RdRow> rows = Study(args, folder, images).rows();
  const auto dims = static_cast<double>(shape.size());
  if (!args.out.empty()) write_file_atomic(args.out, csv_of(rows, dims));
  if (!args.plot.empty()) write_png(args.plot, picture_of(rows, args, images.size()));
  if (args.json) return print_rows(rows, dims, images.size());
  put(args.out.empty() ? csv_of(rows, dims) : args.out + "\n");
}

}  // namespace

void add_rd(CLI::App& app) {
  auto args = std::make_shared<RdArgs>();
  auto* command = app.add_subcommand(
      "rd", "Rate and distortion of the codec, its ideal and other codecs on the same images.");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("data", args->data, "images of the model's size")->required();
  command->add_option("-n,--count", args->count, "the first N images; 0 = all")
      ->check(whole_number());
  command->add_option("-o,--out", args->out, "CSV file; standard output without it");
  command->add_option("--plot", args->plot, "write a picture of PSNR over bytes, a PNG");
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "print the table as JSON");
  command->callback([args] { run_rd(*args); });
}

}  // namespace ddpm::cli
