// ddpm metrics GENERATED REFERENCE: FID and its relatives.
#include <fmt/ranges.h>

#include <charconv>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/feature_file.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/score_input.h"
#include "ddpm/cli/score_report.h"

namespace ddpm::cli {
namespace {

struct MetricsArgs {
  std::vector<std::string> inputs, features_from;
  std::string like = "ddpm", save_stats, save_features, shard = "0/1";
  std::string features = "inception", inception, input, alpha, is, profile = "f32-direct";
  std::string plan = "ddim:50";
  std::int64_t count = 10'000;
  std::optional<int> kid_subsets, kid_subset_size, splits, k;
  std::uint64_t seed = 0;
  int threads = 0;
  bool json = false;
};

Recipe recipe_of(const MetricsArgs& args) {
  Recipe r = recipe_like(args.like);
  r.seed = args.seed;
  if (args.kid_subsets) r.subsets.subsets = *args.kid_subsets;
  if (args.kid_subset_size) {
    r.subsets.subset_size = *args.kid_subset_size;
    r.subsets.shrink = false;  // who names a size wants that size
  }
  if (!args.is.empty()) r.is = inception_score_like(args.is);
  if (args.splits) {
    r.is.splits = *args.splits;
    if (r.is.splitting == Splitting::rows) r.is.splitting = Splitting::even;
  }
  if (args.k) r.neighbours.k = r.dense.k = *args.k;
  if (!args.input.empty()) r.pipeline = parse_pipeline(args.input);
  if (!args.alpha.empty()) r.alpha = parse_alpha(args.alpha);
  const bool changed = args.kid_subsets || args.kid_subset_size || args.splits || args.k ||
                       !args.input.empty() || !args.alpha.empty() || !args.is.empty();
  if (changed && args.like != "ddpm") r.name += ", changed";
  return r;
}

bool saves(const MetricsArgs& args) {
  return !args.save_stats.empty() || !args.save_features.empty();
}

std::vector<std::string> inputs_of(const MetricsArgs& args) {
  if (!args.inputs.empty() && !args.features_from.empty()) {
    throw Error("[cli] metrics: got {} and --features-from, expected one of them",
                args.inputs.front());
  }
  const auto& inputs = args.features_from.empty() ? args.inputs : args.features_from;
  const std::size_t wanted = saves(args) ? 1 : 2;
  if (inputs.size() != wanted) {
    throw Error(
        "[cli] metrics: got {}, expected {}; try ddpm metrics {}",
        counted(std::ssize(inputs), "input"),
        wanted == 2 ? "GENERATED and REFERENCE" : "one with --save-stats or --save-features",
        wanted == 2 ? "samples/ images/" : "images/ --save-stats images.npz");
  }
  return inputs;
}

void save(const MetricsArgs& args, const std::string& input, const Recipe& recipe,
          ScoreInputs& open, ThreadPool& pool) {
  for (const std::string& path : {args.save_stats, args.save_features}) {
    if (!path.empty()) check_output_file(path);
  }
  const ImageSet set = open.open(input);
  std::map<std::string, Json> written;
  const auto write = [&](const char* what, const std::string& path, const std::string& bytes) {
    write_file_atomic(path, bytes);
    written[what] = json_string(path);
    if (!args.json) put_line("{}", path);
  };
  if (!args.save_features.empty()) {
    if (!set.features) {
      throw Error(ExitCode::bad_input, "[cli] metrics: {} has no features", set.name);
    }
    write("features_path", args.save_features, features_npz(set));
  }
  if (!args.save_stats.empty()) write("path", args.save_stats, statistics_npz(set, recipe, pool));
  if (args.json) print_json("ddpm.metrics/1", std::move(written));
}

void run_metrics(const MetricsArgs& args) {
  const std::vector<std::string> inputs = inputs_of(args);
  for (const std::string& input : inputs) ScoreInputs::check(input);
  const Recipe recipe = recipe_of(args);
  const auto profile = cpu::parse_profile("[cli] metrics: --profile", args.profile);
  const Shard shard = parse_shard("metrics", args.shard);
  if (shard.count > 1 && args.save_features.empty()) {
    throw Error(
        "[cli] metrics: got --shard {} alone, expected --save-features with it; try "
        "--save-features shards/{}.npz, and at last ddpm metrics shards/ REFERENCE",
        args.shard, shard.index);
  }
  if (!args.input.empty() && args.features.substr(0, args.features.find(':')) != "inception") {
    throw Error(
        "[cli] metrics: got --input {} for the classifier {}, which takes images as they are; "
        "try without --input",
        args.input, args.features);
  }
  ThreadPool pool(thread_count(args.threads));
  ScoreInputs open({.features = args.features,
                    .inception = args.inception,
                    .recipe = recipe,
                    .profile = profile,
                    .count = args.count,
                    .plan = args.plan,
                    .seed = args.seed,
                    .shard = shard},
                   pool);
  if (saves(args)) return save(args, inputs[0], recipe, open, pool);
  const ImageSet generated = open.open(inputs[0]), reference = open.open(inputs[1]);
  const Report report = score(generated, reference, recipe, pool);
  const std::string how =
      open.has_network() ? fmt::format(" {}, alpha {}", args.profile, to_string(recipe.alpha)) : "";
  args.json ? print_scores_as_json(report, recipe, how) : print_scores(report, recipe, how);
}

CLI::Option* add_count(CLI::App* command, const char* name, std::optional<int>& value,
                       const char* help) {
  return command->add_option(name, value, help)
      ->check(whole_number())
      ->check(CLI::Range(1, 1 << 20));
}

void add_recipe(CLI::App* command, MetricsArgs& args) {
  command->add_option(
      "--like", args.like,
      fmt::format("every switch as that program has it: {}", fmt::join(recipe_names(), ", ")));
  command->add_option("--input", args.input,
                      "how images are fed to Inception: torch-fidelity (as TensorFlow did; the "
                      "default but for --like), pytorch-fid, clean-fid, ddpm (samples unrounded)");
  command->add_option("--alpha", args.alpha,
                      "images that are not opaque: refuse (default), white (laid over white), drop "
                      "(as other programs do, and with --like)");
  add_count(command, "--kid-subsets", args.kid_subsets, "subsets of KID (100)");
  add_count(command, "--kid-subset-size", args.kid_subset_size,
            "images a subset of KID (1000, or N where that is less)");
  command->add_option("--is", args.is,
                      "how the Inception Score parts the images, as whose: torch-fidelity (the "
                      "default), openai, dgm-eval, guided-diffusion, tfgan");
  add_count(command, "--splits", args.splits, "splits of the Inception Score (10)");
  add_count(command, "--k", args.k,
            "neighbours of precision and recall (3), density and coverage (5)");
}

void add_network(CLI::App* command, MetricsArgs& args) {
  command->add_option(
      "--features", args.features,
      "the network: inception, or one of its other layers as inception:64, 192, 768, "
      "logits, logits_unbiased, spatial; or a classifier that ddpm train wrote (its folder, a "
      "run's "
      "folder, a name): FD in its features, which is not FID");
  command->add_option("--inception", args.inception,
                      "Inception's weights (.pth or .safetensors); else in $XDG_CACHE_HOME/ddpm");
  command->add_option("--profile", args.profile,
                      "f32-direct (agrees with others to the last digits) or f32 (faster)");
}

void add_images(CLI::App* command, MetricsArgs& args) {
  command->add_option("-n,--count", args.count, "samples to draw of a model")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_option("--plan", args.plan, "how to draw them: sampler:calls");
  command->add_option("--save-stats", args.save_stats,
                      "write the statistics of the one input to this .npz, as pytorch-fid does");
  command->add_option("--save-features", args.save_features,
                      "write the features of the one input to this .npz");
  command->add_option("--shard", args.shard,
                      "I/N: only the I-th of N equal parts, from 0; a folder of the files that "
                      "--save-features wrote is the whole");
}

}  // namespace

void add_metrics(CLI::App& app) {
  auto args = std::make_shared<MetricsArgs>();
  auto* command = app.add_subcommand("metrics", "FID, KID, Inception Score, precision and recall.");
  command->add_option(
      "inputs", args->inputs,
      "GENERATED REFERENCE: images (a folder or .zip of PNGs, IDX, CIFAR, .npy, "
      ".npz), a model, features (.npy, .npz, a folder of shards) or statistics (.npz "
      "with mu and sigma)");
  command
      ->add_option("--features-from", args->features_from, "features or statistics, by an option")
      ->expected(1, 2);
  add_network(command, *args);
  add_recipe(command, *args);
  add_images(command, *args);
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "print it as JSON");
  command->callback([args] { run_metrics(*args); });
}

}  // namespace ddpm::cli
