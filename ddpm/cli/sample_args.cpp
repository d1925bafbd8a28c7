#include "ddpm/cli/sample_args.h"

#include <fmt/format.h>

#include "ddpm/base/error.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/shard.h"
#include "ddpm/metrics/features.h"

namespace ddpm::cli {
namespace {

constexpr std::uint64_t kImages = std::uint64_t{1} << 44;

// CLI::Range takes a NaN for inside.
CLI::Validator weight() {
  const auto check = [](const std::string& text) {
    double value = 0;
    const bool number = CLI::detail::lexical_cast(text, value);
    if (number && -1e3 <= value && value <= 1e3) return std::string();
    return fmt::format("got `{}`, expected a number in -1000..1000", text);
  };
  return {check, "", "number in -1000..1000"};
}

// All options but where it goes and which images.
std::string common_words(const SampleArgs& args, const std::string& label) {
  std::string words = fmt::format(" --plan {} --seed {}", shell_word(args.plan), args.seed);
  if (!label.empty()) words += " --label " + shell_word(label);
  if (args.guidance_given) words += fmt::format(" --guidance {}", args.guidance);
  if (!args.guide_with.empty()) words += " --guide-with " + shell_word(args.guide_with);
  if (!args.classifier.empty()) {
    words += fmt::format(" --classifier {} --classifier-scale {}", shell_word(args.classifier),
                         args.classifier_scale);
  }
  return words;
}

void declare_guidance_options(CLI::App& command, SampleArgs& args) {
  command.add_option("--label", args.label,
                     "classes that take turns: all, or numbers or names, as 3 or 0,3,5 (none)");
  command
      .add_option("--guidance", args.guidance,
                  "weight of the class: 0 = without, 1 = with, more = more than the data have")
      ->check(weight());
  command.add_option("--guide-with", args.guide_with,
                     "a weaker model of the same process: --guidance goes from it to MODEL");
  auto* classifier =
      command.add_option("--classifier", args.classifier,
                         "a classifier of noisy images, whose gradient leads to the --label");
  command
      .add_option("--classifier-scale", args.classifier_scale,
                  "what its gradient is multiplied with: 0 = without, 1 = what the classes say")
      ->check(weight())
      ->needs(classifier);
}

void declare_output_options(CLI::App& command, SampleArgs& args) {
  command.add_option("-o,--out", args.out,
                     "FILE.png (a grid), FILE.npy, FILE.npz, or FOLDER/ (a PNG an image)");
  command.add_option("--shard", args.shard,
                     "i/n: draw part i of n alone, 0 <= i < n; `ddpm join` puts files together");
  command
      .add_option("--preview", args.preview,
                  "show the images on a terminal after every so many network calls, 0 = don't")
      ->check(whole_number())
      ->check(CLI::Range(0, 1'000'000));
  auto* trace =
      command.add_option("--trace", args.trace,
                         "FOLDER for x_t and x0 of some images after every row, and an animation");
  command
      .add_option("--trace-images", args.trace_images,
                  "numbers of those images, as 0,3,5, out of the first 16 (the first 8)")
      ->delimiter(',')
      ->check(whole_number())
      ->needs(trace);
  command.add_flag("--json", args.json, "say what was written as JSON");
}

}  // namespace

void declare_sample_options(CLI::App& command, SampleArgs& args) {
  command.add_option("model", args.model, "model folder, run folder, or a shipped model's name")
      ->required();
  command.add_option("-n,--count", args.count, "images to draw")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command.add_option("--plan", args.plan,
                     "sampler:calls[,key=value...], e.g. ddpm:1000 or ddim:50,eta=0.5");
  add_seed(command, args.seed);
  command
      .add_option("--first", args.first, "number of the first image; image i depends on (seed, i)")
      ->check(whole_number());
  declare_guidance_options(command, args);
  add_threads(command, args.threads);
  declare_output_options(command, args);
}

ImageRange image_range(const SampleArgs& args) {
  if (args.first >= kImages || static_cast<std::uint64_t>(args.count) > kImages - args.first) {
    throw Error("[cli] sample: got images {}..{}+{}, expected numbers below 2^44", args.first,
                args.first, args.count);
  }
  const Shard shard = parse_shard("sample", args.shard);
  if (shard.count > args.count) {
    throw Error("[cli] sample: got --shard {} of {} images, expected at most as many parts",
                args.shard, args.count);
  }
  const ShardRange range = shard_range(args.count, shard.index, shard.count);
  return {args.first + static_cast<std::uint64_t>(range.first), range.last - range.first};
}

std::string command_of(const SampleArgs& args) {
  return fmt::format("ddpm sample {} -n {}{}{}{} -o {}", shell_word(args.model), args.count,
                     common_words(args, args.label),
                     args.first ? fmt::format(" --first {}", args.first) : "",
                     args.shard.empty() ? "" : " --shard " + args.shard, shell_word(args.out));
}

std::string command_of_image(const SampleArgs& args, std::uint64_t image,
                             std::optional<int> label) {
  return fmt::format("ddpm sample {} -n 1{} --first {} -o ./", shell_word(args.model),
                     common_words(args, label ? fmt::format("{}", *label) : ""), image);
}

}  // namespace ddpm::cli
