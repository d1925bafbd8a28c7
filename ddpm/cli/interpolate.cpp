// ddpm interpolate MODEL A B: between two images, by way of their noised versions (Figures 8, 9).
#include <algorithm>
#include <charconv>

#include "ddpm/base/error.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/figures.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/plot.h"
#include "ddpm/image/png.h"
#include "ddpm/image/resize.h"

namespace ddpm::cli {
namespace {

struct InterpolateArgs {
  std::string model, a, b, data, out = "interpolation.png";
  std::vector<int> times;
  int mixes = 9, steps = 0, threads = 0;
  std::uint64_t seed = 0;
  bool independent_noise = false, json = false;
};

std::vector<float> read_image(const std::string& path, Shape shape) {
  const Image image = value_or_throw(read_png(path));
  const Image cropped = with_channels(centre_crop(image, shape.w, shape.h), shape.c);
  std::vector<float> x(shape.size());
  image_to_floats(resize(cropped, shape.w, shape.h), x);
  return x;
}

std::vector<float> image_of(const Dataset& data, const std::string& index) {
  std::size_t i = 0;
  const auto [end, error] = std::from_chars(index.data(), index.data() + index.size(), i);
  if (error != std::errc() || end != index.data() + index.size() || i >= data.size()) {
    throw Error(
        "[cli] interpolate: got {}, expected the number of an image, 0..{}; without --data "
        "it would be a PNG file",
        index, data.size() - 1);
  }
  std::vector<std::uint8_t> bytes(data.shape().size());
  data.load(i, bytes);
  std::vector<float> x(bytes.size());
  bytes_to_floats(bytes, x);
  return x;
}

struct Ends {
  std::vector<float> a, b;
};

Ends open_ends(const InterpolateArgs& args, Shape shape) {
  if (args.data.empty()) return {read_image(args.a, shape), read_image(args.b, shape)};
  const auto data =
      open_dataset(args.data, {.width = shape.w, .height = shape.h, .channels = shape.c});
  return {image_of(*data, args.a), image_of(*data, args.b)};
}

// x_t of an end. Shared noise keeps the variance of a mix that of x_t; independent noise, as in the
// paper, lets it sink to (1 - lambda)^2 + lambda^2 of it.
std::vector<float> noised(const InterpolateArgs& args, const Schedule& schedule, int t, int end,
                          std::span<const float> x0) {
  std::vector<float> x(x0.size());
  fill_normal({.seed = args.seed,
               .purpose = Purpose::forward_chain,
               .image = static_cast<std::uint64_t>(args.independent_noise ? end : 0),
               .step = static_cast<std::uint32_t>(t)},
              x);
  q_sample(schedule, t, x0, x, x);
  return x;
}

double lambda_of(const InterpolateArgs& args, int i) { return i / (args.mixes + 1.0); }

// [lambda = 0, ..., 1][C, H, W].
std::vector<float> mixes(const InterpolateArgs& args, std::span<const float> a,
                         std::span<const float> b) {
  std::vector<float> x;
  for (int i = 0; i <= args.mixes + 1; ++i) {
    const double w = lambda_of(args, i);
    for (std::size_t k = 0; k < a.size(); ++k) {
      x.push_back(static_cast<float>((1 - w) * a[k] + w * b[k]));
    }
  }
  return x;
}

struct Strip {
  int t;
  std::vector<Image> images;
};

std::vector<int> mixing_times(const InterpolateArgs& args, std::span<const int> chain) {
  const int T = chain.front();
  std::vector<int> times;
  if (args.times.empty()) {
    for (const int eighths : {1, 2, 3, 4}) times.push_back(nearest_time(chain, T * eighths / 8));
  }
  for (const int t : args.times) {
    if (t < 1 || t > T) {
      throw Error("[cli] interpolate: got --at {}, expected times in 1..{}; try --at {}", t, T,
                  std::max(T / 2, 1));
    }
    times.push_back(nearest_time(chain, t));
  }
  times.erase(std::ranges::unique(times).begin(), times.end());
  return times;
}

// All images of the figure get one noise on the way back, so that lambda alone makes them differ.
std::vector<Strip> draw_strips(const InterpolateArgs& args, const Model& model, const Ends& ends,
                               Denoiser& denoiser) {
  const std::vector<int> chain_times = figure_times(model.schedule, args.steps);
  const std::vector<int> at = mixing_times(args, chain_times);
  std::int64_t rows = 0;
  for (const int t : at) rows += rows_from(chain_times, t);
  Chain chain(model, denoiser, chain_times, rows, args.seed);
  std::vector<Strip> strips;
  for (const int t : at) {
    std::vector<float> x = mixes(args, noised(args, model.schedule, t, 0, ends.a),
                                 noised(args, model.schedule, t, 1, ends.b));
    chain.run(x, t, 0, 0);
    strips.push_back({t, images_from_floats(x, denoiser.shape())});
  }
  chain.finish();
  return strips;
}

Image picture(const InterpolateArgs& args, const Ends& ends, Shape shape,
              const std::vector<Strip>& strips) {
  Panels panels{
      .title = "Between two images, by way of x_{t}",
      .subtitle = fmt::format("{}; x_{{t}} = (1 - lambda) x_{{t}}^{{A}} + lambda "
                              "x_{{t}}^{{B}}, {} noise, denoised with one noise",
                              args.model, args.independent_noise ? "independent" : "shared"),
      .column_axis = "lambda, share of B",
      .gaps_after = {0, args.mixes + 2}};
  panels.columns.emplace_back("A");
  for (int i = 0; i <= args.mixes + 1; ++i) {
    panels.columns.push_back(fmt::format("{:.3g}", lambda_of(args, i)));
  }
  panels.columns.emplace_back("B");
  for (const Strip& strip : strips) {
    panels.rows.push_back(fmt::format("t = {}", strip.t));
    std::vector<Image> row = {image_from_floats(ends.a, shape)};
    row.insert(row.end(), strip.images.begin(), strip.images.end());
    row.push_back(image_from_floats(ends.b, shape));
    panels.images.push_back(std::move(row));
  }
  return draw_panels(panels);
}

void print_result(const InterpolateArgs& args, const std::vector<Strip>& strips) {
  if (!args.json) return put_line("{}", args.out);
  std::vector<Json> times, lambdas;
  for (const Strip& strip : strips) times.push_back(json_integer(strip.t));
  for (int i = 0; i <= args.mixes + 1; ++i) lambdas.push_back(json_real(lambda_of(args, i)));
  print_json("ddpm.interpolate/1",
             {{"output", json_string(args.out)},
              {"t", json_list(std::move(times))},
              {"lambda", json_list(std::move(lambdas))},
              {"noise", json_string(args.independent_noise ? "independent" : "shared")},
              {"seed", json_string(fmt::format("{}", args.seed))}});
}

void run_interpolate(const InterpolateArgs& args) {
  check_output_file(args.out);
  const Model model = open_model(args.model);
  if (args.steps > model.schedule.T()) {
    throw Error("[cli] interpolate: got --steps {}, expected at most the model's {}", args.steps,
                model.schedule.T());
  }
  const Shape shape = image_shape(model);
  const Ends ends = open_ends(args, shape);
  ThreadPool pool(thread_count(args.threads));
  const auto denoiser = cpu::make_denoiser(model.graph, model.params, args.mixes + 2, pool);
  const std::vector<Strip> strips = draw_strips(args, model, ends, *denoiser);
  const Image image = picture(args, ends, shape, strips);
  write_png(args.out, image);
  if (!args.json) show_on_stdout(image);
  print_result(args, strips);
}

}  // namespace

void add_interpolate(CLI::App& app) {
  auto args = std::make_shared<InterpolateArgs>();
  auto* command = app.add_subcommand(
      "interpolate", "Between two images, by way of their noised versions (Figures 8 and 9).");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("a", args->a, "PNG file, or with --data the number of an image")->required();
  command->add_option("b", args->b, "likewise")->required();
  command->add_option("--data", args->data, "data set that A and B are numbers of");
  command
      ->add_option(
          "--at", args->times,
          "times t at which to mix, a row each, as 250,500 (default: 1/8, 1/4, 3/8 and 1/2 of T)")
      ->delimiter(',');
  command->add_option("--mixes", args->mixes, "images between lambda = 0 and lambda = 1")
      ->check(whole_number())
      ->check(CLI::Range(1, 30));
  command->add_option("--steps", args->steps, "steps of the process; 0 = all of the model's")
      ->check(whole_number())
      ->check(CLI::Range(0, 1'000'000));
  command->add_flag("--independent-noise", args->independent_noise,
                    "noise A and B independently, as the paper does, instead of with one noise");
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_option("-o,--out", args->out, "PNG to write");
  command->add_flag("--json", args->json, "say what was written as JSON");
  command->callback([args] { run_interpolate(*args); });
}

}  // namespace ddpm::cli
