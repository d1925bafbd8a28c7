// ddpm decompress FILE.ddpc -o OUT; ddpm verify FILE.ddpc IN...; ddpm truncate FILE.ddpc
#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/codec_model.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

struct DecompressArgs {
  std::string file, out, model, recon = "mean", frames;
  std::vector<std::string> in;  // verify
  std::uint64_t bytes = 0, image = 0, count = 0;
  int threads = 0;
  bool image_given = false, json = false;
};

std::string read_ddpc(const DecompressArgs& args) {
  std::string bytes = value_or_throw(read_file(args.file));
  if (args.bytes == 0) return bytes;
  return value_or_throw(truncate_container(bytes, args.bytes));
}

Recon parse_recon(const std::string& name) {
  if (name == "flow") return Recon::flow;
  return name == "ancestral" ? Recon::ancestral : Recon::mean;
}

std::uint64_t items_of(const Container& c) {
  std::uint64_t items = 0;
  for (const Group& group : c.groups) items += group.items;
  return items;
}

// Frame k of DIR: the images as the bits until the k-th stop tell them, in a grid.
auto frame_writer(const fs::path& folder, int& frames) {
  return [&folder, &frames](const WalkTrace&, const std::vector<Image>& images) {
    if (images.empty()) return;
    const bool grid = images.size() > 1 && std::ranges::all_of(images, [&](const Image& image) {
                        return image.width == images[0].width && image.height == images[0].height;
                      });
    write_png(folder / fmt::format("{:04}.png", frames++),
              grid ? image_grid(images, grid_columns(images.size())) : images[0]);
  };
}

Decompressed decode(const DecompressArgs& args, const std::string& bytes) {
  const ReadContainer file = value_or_throw(read_container(bytes));
  const CodecMode mode = file.container.mode;
  if (!args.frames.empty() && (mode == CodecMode::chain || mode == CodecMode::lossless)) {
    throw Error("[cli] decompress: got --frames for a {} file, expected lossy or progressive",
                name_of(mode));
  }
  CodecSession session(find_codec_model(file.container.model, args.model), args.threads,
                       mode == CodecMode::chain ? 1 : kMaxBatch);
  DecompressOptions options;
  options.recon = parse_recon(args.recon);
  std::uint64_t items = items_of(file.container);
  if (args.image_given) {
    options.image = args.image;
    items = std::min(items, group_items(mode));
  }
  int frames = 0;
  const fs::path folder = args.frames;
  if (!args.frames.empty()) {
    make_folders(folder);
    options.frame = frame_writer(folder, frames);
  }
  CallProgress progress("decompress", session.predictor(), calls_of(session.model(), mode, items));
  options.progress = progress.callback();
  auto result = decompress(session.predictor(), bytes, options);
  progress.finish();
  Decompressed images = value_or_throw(std::move(result));
  if (!images.complete) print_warning("the file is cut short: these are the images it still tells");
  return images;
}

bool is_folder(const std::string& path) {
  std::error_code none;
  return path.ends_with('/') || fs::is_directory(path, none);
}

void check_out(const DecompressArgs& args, const Container& c) {
  if (is_folder(args.out)) return;
  if (fs::path(args.out).extension() != ".png") {
    throw Error("[cli] decompress: got -o {}, expected FILE.png or FOLDER/", args.out);
  }
  if (c.images > 1 && !args.image_given) {
    throw Error("[cli] decompress: {} has {} images, expected -o FOLDER/ or --image N", args.file,
                c.images);
  }
  check_output_file(args.out);
}

void run_decompress(const DecompressArgs& args) {
  const std::string bytes = read_ddpc(args);
  check_out(args, value_or_throw(read_container(bytes)).container);
  const Decompressed result = decode(args, bytes);
  if (is_folder(args.out)) {
    make_folders(args.out);
    for (std::size_t i = 0; i < result.images.size(); ++i) {
      write_png(fs::path(args.out) / fmt::format("{:06}.png", result.first + i), result.images[i]);
    }
  } else {
    write_png(args.out, result.images[0]);
  }
  if (!args.json) {
    put_line("{}: {}, {}", args.out, counted(std::ssize(result.images), "image"),
             result.exact ? "the originals" : "lossy");
    return;
  }
  print_json("ddpm.decompress/1", {{"output", json_string(args.out)},
                                   {"images", json_integer(std::ssize(result.images))},
                                   {"exact", json_bool(result.exact)},
                                   {"complete", json_bool(result.complete)}});
}

void check_same_sizes(const std::vector<Image>& got, const std::vector<Image>& wanted) {
  if (got.size() != wanted.size()) {
    throw Error(ExitCode::bad_input, "[cli] verify: the file has {}, IN {}",
                counted(std::ssize(got), "image"), counted(std::ssize(wanted), "image"));
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].width == wanted[i].width && got[i].height == wanted[i].height &&
        got[i].channels == wanted[i].channels) {
      continue;
    }
    throw Error(ExitCode::bad_input, "[cli] verify: image {} is {} x {} in the file, {} x {} in IN",
                i, got[i].width, got[i].height, wanted[i].width, wanted[i].height);
  }
}

void run_verify(const DecompressArgs& args) {
  const std::string bytes = read_ddpc(args);
  const std::vector<Image> wanted = open_images(args.in, args.count);
  const Decompressed result = decode(args, bytes);
  check_same_sizes(result.images, wanted);
  const double psnr = psnr_of(result.images, wanted);
  const bool equal = std::isinf(psnr);
  if (args.json) {
    print_json("ddpm.verify/1", {{"equal", json_bool(equal)},
                                 {"exact", json_bool(result.exact)},
                                 {"psnr", equal ? Json{} : json_real(psnr)},
                                 {"images", json_integer(std::ssize(wanted))}});
  } else {
    put_line("{}: {}, {}", args.file, counted(std::ssize(wanted), "image"),
             equal ? "equal to IN, pixel for pixel" : fmt::format("PSNR {:.2f} dB", psnr));
  }
  if (result.exact && !equal) {
    throw Error(ExitCode::bad_input, "[cli] verify: {} holds other images than IN", args.file);
  }
}

void run_truncate(const DecompressArgs& args) {
  check_output_file(args.out);
  const std::string bytes = value_or_throw(read_file(args.file));
  const std::string cut = value_or_throw(truncate_container(bytes, args.bytes));
  write_file_atomic(args.out, cut);
  put_line("{}: {} of {} bytes", args.out, cut.size(), bytes.size());
}

void add_model(CLI::App& command, DecompressArgs& args) {
  command.add_option("--model", args.model,
                     "the model that made the file; else it is looked for by its fingerprint");
  add_threads(command, args.threads);
}

}  // namespace

void add_decompress(CLI::App& app) {
  auto args = std::make_shared<DecompressArgs>();
  auto* command = app.add_subcommand("decompress", "The images of a DDPC file.");
  command->add_option("file", args->file, "FILE.ddpc, whole or a prefix of it")->required();
  command->add_option("-o,--out", args->out, "FILE.png, or FOLDER/ (a PNG an image)")->required();
  command->add_option("--bytes", args->bytes, "as if the file were cut to so many bytes")
      ->check(CLI::PositiveNumber)
      ->check(whole_number());
  command
      ->add_option("--recon", args->recon,
                   "how lossy images end: mean has the best PSNR, flow (DDIM) and ancestral go on "
                   "sampling")
      ->check(CLI::IsMember({"mean", "flow", "ancestral"}));
  auto* image =
      command->add_option("--image", args->image, "this one only, from 0")->check(whole_number());
  command->add_option("--frames", args->frames,
                      "folder for a picture after each of the model's times");
  add_model(*command, *args);
  command->add_flag("--json", args->json, "say what was written as JSON");
  command->callback([args, image] {
    args->image_given = image->count() > 0;
    run_decompress(*args);
  });
}

void add_verify(CLI::App& app) {
  auto args = std::make_shared<DecompressArgs>();
  auto* command =
      app.add_subcommand("verify", "Decode a DDPC file and compare it with its images.");
  command->add_option("file", args->file, "FILE.ddpc")->required();
  command->add_option("in", args->in, "what was compressed: PNG files, folders or data sets")
      ->required();
  command->add_option("-n,--count", args->count, "of each data set the first N images; 0 = all")
      ->check(whole_number());
  add_model(*command, *args);
  command->add_flag("--json", args->json, "print it as JSON");
  command->callback([args] { run_verify(*args); });
}

void add_truncate(CLI::App& app) {
  auto args = std::make_shared<DecompressArgs>();
  auto* command =
      app.add_subcommand("truncate", "Cut a lossy or progressive DDPC file, no model needed.");
  command->add_option("file", args->file, "FILE.ddpc")->required();
  command->add_option("--bytes", args->bytes, "how many bytes the new file has at most")
      ->check(whole_number())
      ->required();
  command->add_option("-o,--out", args->out, "the new file")->required();
  command->callback([args] { run_truncate(*args); });
}

}  // namespace ddpm::cli
