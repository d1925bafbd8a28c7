// ddpm sample MODEL
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/version.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/plan_json.h"
#include "ddpm/cli/sample_args.h"
#include "ddpm/cli/sample_draw.h"
#include "ddpm/cli/sample_model.h"

namespace ddpm::cli {
namespace {

constexpr std::size_t kTraced = 8;  // images, unless told

PngText text_of(const SampleArgs& args, const SampleModel& model, const std::string& command) {
  return {{"Software", fmt::format("ddpm {} (numerics {})", kVersion, kNumerics)},
          {"ddpm:command", command},
          {"ddpm:plan", args.plan},
          {"ddpm:seed", fmt::format("{}", args.seed)},
          {"ddpm:weights", model.weights()}};
}

// What the images depend on, by the names of the options where there are such. The table stands for
// all that the plan takes from the model.
SampleIdentity identity_of(const SampleArgs& args, const SampleModel& model, const Plan& plan) {
  const std::string table = write_json(plan_rows_json(plan));
  SampleIdentity identity = {{"count", fmt::format("{}", args.count)},
                             {"first", fmt::format("{}", args.first)},
                             {"shard", args.shard.empty() ? "0/1" : args.shard},
                             {"seed", fmt::format("{}", args.seed)},
                             {"plan", args.plan},
                             {"table", sha256_hex(table).substr(0, 16)},
                             {"numerics", fmt::format("{}", kNumerics)}};
  model.identify(identity);
  return identity;
}

std::string part_name(const SampleArgs& args) {
  std::string name = args.shard;  // 2/4 -> 2-of-4
  if (!name.empty()) name.replace(name.find('/'), 1, "-of-");
  return name;
}

std::vector<std::uint64_t> traced_images(const SampleArgs& args, const ImageRange& range) {
  const auto batch = static_cast<std::uint64_t>(std::min<std::int64_t>(range.count, kMaxBatch));
  std::vector<std::uint64_t> images = args.trace_images;
  if (images.empty()) {
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(batch, kTraced); ++i) {
      images.push_back(range.first + i);
    }
  }
  for (const std::uint64_t image : images) {
    if (image >= range.first && image - range.first < batch) continue;
    throw Error("[cli] sample: got --trace-images {}, expected numbers in {}..{}; try --first {}",
                image, range.first, range.first + batch - 1, image);
  }
  return images;
}

SampleOutputSpec output_spec(const SampleArgs& args, const SampleModel& model, const Plan& plan,
                             const ImageRange& range) {
  SampleOutputSpec spec{args.out, range.count, range.first, image_shape(model.model())};
  spec.labels = model.labels();
  spec.part = part_name(args);
  spec.identity = identity_of(args, model, plan);
  spec.text = [&] { return text_of(args, model, command_of(args)); };
  spec.text_of = [&](std::uint64_t image) {
    return text_of(args, model, command_of_image(args, image, label_of(model.labels(), image)));
  };
  return spec;
}

void print_result(const SampleArgs& args, const SampleModel& model, const ImageRange& range) {
  if (!args.json) return put_line("{}", args.out);
  const Shape shape = image_shape(model.model());
  std::vector<Json> labels;
  for (const int label : model.labels()) labels.push_back(json_integer(label));
  print_json(
      "ddpm.sample/1",
      {{"output", json_string(args.out)},
       {"command", json_string(command_of(args))},
       {"count", json_integer(range.count)},
       {"first", json_integer(static_cast<std::int64_t>(range.first))},
       {"labels", json_list(std::move(labels))},
       {"shape", json_list({json_integer(shape.c), json_integer(shape.h), json_integer(shape.w)})},
       {"plan", json_string(args.plan)},
       {"seed", json_string(fmt::format("{}", args.seed))},
       {"weights", json_string(model.weights())}});
}

void run_sample(SampleArgs args) {
  const ImageRange range = image_range(args);
  const std::vector<std::uint64_t> traced = traced_images(args, range);
  SampleModel model(args);
  const Schedule& schedule = model.model().schedule;
  if (!args.plan_given && schedule.T() < SampleArgs::kDefaultCalls) {
    args.plan = fmt::format("ddim:{}", schedule.T());
  }
  const Plan plan = parse_plan(args.plan, schedule, model.model().view);
  const SampleOutputSpec spec = output_spec(args, model, plan, range);
  const auto output = make_sample_output(spec);
  std::optional<SampleTrace> trace;
  if (!args.trace.empty()) {
    trace.emplace(SampleTraceSpec{args.trace, traced, range.first, spec.shape, spec.text()}, plan);
  }
  ThreadPool pool(thread_count(args.threads));
  const int batch = static_cast<int>(std::min<std::int64_t>(range.count, kMaxBatch));
  SampleJob job{plan, model.compile(batch, pool), args.seed, range.first, range.count};
  job.labels = model.labels();
  job.preview = args.preview;
  job.trace = trace ? &*trace : nullptr;
  draw_samples(job, *output);
  output->finish();
  if (const auto picture = output->picture(); picture && !args.json) show_on_stdout(*picture);
  print_result(args, model, range);
}

}  // namespace

void add_sample(CLI::App& app) {
  auto args = std::make_shared<SampleArgs>();
  auto* command = app.add_subcommand("sample", "Draw images from a trained model (Algorithm 2).");
  declare_sample_options(*command, *args);
  command->callback([args, command] {
    args->plan_given = command->count("--plan") > 0;
    args->guidance_given = command->count("--guidance") > 0;
    run_sample(*args);
  });
}

}  // namespace ddpm::cli
