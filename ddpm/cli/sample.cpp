// ddpm sample MODEL
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/version.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/sample_output.h"
#include "ddpm/cli/signals.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/runner.h"

namespace ddpm::cli {
namespace {

constexpr std::uint64_t kImages = std::uint64_t{1} << 44;  // Philox counts images in 44 bits

constexpr int kDefaultCalls = 50;  // of the network; a model of fewer times gets them all

struct SampleArgs {
  std::string model, out = "samples.png", plan = fmt::format("ddim:{}", kDefaultCalls);
  std::int64_t count = 16;
  std::uint64_t seed = 0, first = 0;
  int threads = 0;
  bool plan_given = false, json = false;
};

// Remakes the same bytes: threads are not part of it.
std::string command_of(const SampleArgs& args) {
  return fmt::format("ddpm sample {} -n {} --plan {} --seed {}{} -o {}", shell_word(args.model),
                     args.count, shell_word(args.plan), args.seed,
                     args.first ? fmt::format(" --first {}", args.first) : "",
                     shell_word(args.out));
}

PngText text_of(const SampleArgs& args, const Model& model) {
  return {{"Software", fmt::format("ddpm {} (numerics {})", kVersion, kNumerics)},
          {"ddpm:command", command_of(args)},
          {"ddpm:plan", args.plan},
          {"ddpm:seed", fmt::format("{}", args.seed)},
          {"ddpm:weights", weights_hash(model)}};
}

// Draws every image, batch by batch. Image i depends on (seed, i) alone.
void draw(const SampleArgs& args, const Plan& plan, Denoiser& denoiser, SampleOutput& output) {
  SignalWatch watch;
  const auto rows = static_cast<std::int64_t>(plan.size());
  const std::int64_t batches = (args.count + kMaxBatch - 1) / kMaxBatch;
  const std::size_t size = denoiser.shape().size();
  Progress progress("sample", batches * rows);
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const std::int64_t done = batch * kMaxBatch;
    const auto n = static_cast<std::size_t>(std::min<std::int64_t>(kMaxBatch, args.count - done));
    const std::uint64_t first = args.first + static_cast<std::uint64_t>(done);
    std::vector<float> x(n * size);
    start_noise(args.seed, first, denoiser.shape(), x);
    run_plan(plan, denoiser, x, philox_noise(args.seed, first), [&](int row, auto, auto) {
      progress.update(batch * rows + row + 1, fmt::format("image {}/{}", done + n, args.count));
      watch.check();
      return true;
    });
    output.add(x);
  }
  progress.finish();
}

void check_count(const SampleArgs& args) {
  if (args.first < kImages && static_cast<std::uint64_t>(args.count) <= kImages - args.first)
    return;
  throw Error("[cli] sample: got images {}..{}+{}, expected numbers below 2^44", args.first,
              args.first, args.count);
}

void print_result(const SampleArgs& args, const Model& model) {
  if (!args.json) return put_line("{}", args.out);
  const Shape shape = image_shape(model);
  print_json(
      "ddpm.sample/1",
      {{"output", json_string(args.out)},
       {"command", json_string(command_of(args))},
       {"count", json_integer(args.count)},
       {"shape", json_list({json_integer(shape.c), json_integer(shape.h), json_integer(shape.w)})},
       {"plan", json_string(args.plan)},
       {"seed", json_string(fmt::format("{}", args.seed))},
       {"weights", json_string(weights_hash(model))}});
}

void run_sample(SampleArgs args) {
  check_count(args);
  const Model model = open_model(args.model);
  if (!args.plan_given && model.schedule.T() < kDefaultCalls) {
    args.plan = fmt::format("ddim:{}", model.schedule.T());
  }
  const Plan plan = parse_plan(args.plan, model.schedule, model.view);
  const auto output = make_sample_output(
      {args.out, args.count, args.first, image_shape(model), text_of(args, model)});
  ThreadPool pool(thread_count(args.threads));
  const int batch = static_cast<int>(std::min<std::int64_t>(args.count, kMaxBatch));
  const auto denoiser = cpu::make_denoiser(model.graph, model.params, batch, pool);
  draw(args, plan, *denoiser, *output);
  output->finish();
  if (const auto picture = output->picture(); picture && !args.json) show_on_stdout(*picture);
  print_result(args, model);
}

}  // namespace

void add_sample(CLI::App& app) {
  auto args = std::make_shared<SampleArgs>();
  auto* command = app.add_subcommand("sample", "Draw images from a trained model (Algorithm 2).");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("-n,--count", args->count, "images to draw")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  auto* plan = command->add_option(
      "--plan", args->plan, "sampler:calls[,key=value...], e.g. ddpm:1000 or ddim:50,eta=0.5");
  add_seed(*command, args->seed);
  command
      ->add_option("--first", args->first,
                   "number of the first image; image i depends on (seed, i)")
      ->check(whole_number());
  add_threads(*command, args->threads);
  command->add_option("-o,--out", args->out,
                      "FILE.png (a grid), FILE.npy, or FOLDER/ (a PNG an image)");
  command->add_flag("--json", args->json, "say what was written as JSON");
  command->callback([args, plan] {
    args->plan_given = plan->count() > 0;
    run_sample(*args);
  });
}

}  // namespace ddpm::cli
