// ddpm progressive MODEL [DATA]: what the reverse process knows when (Figures 5-7, Table 4).
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/figures.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/plot.h"
#include "ddpm/image/png.h"
#include "ddpm/likelihood/rate_distortion.h"

namespace ddpm::cli {
namespace {

namespace fs = std::filesystem;

struct ProgressiveArgs {
  std::string model, data, out = "progressive";
  std::int64_t count = 64;
  int rows = 6, frames = 10, steps = 0, threads = 0;
  std::uint64_t seed = 0;
  bool json = false;
};

struct Figures {
  std::vector<std::vector<Image>> denoising;  // [frames + 1][images]: x0-hat at a time, then x_0
  std::vector<int> frame_times;
  std::vector<std::vector<Image>> shared;  // [times][1 + images]: x_t, then samples of p(x_0 | x_t)
  std::vector<int> shared_times;
};

std::int64_t rows_of(std::span<const int> times, std::span<const int> shared) {
  std::int64_t rows = std::ssize(times);
  for (const int t : shared) rows += rows_from(times, t);
  return rows;
}

// All from the first images' chain: x_t of image 0 is kept, and taken to data again with the noise
// of other images.
Figures draw_figures(const ProgressiveArgs& args, const Model& model, Denoiser& denoiser) {
  const std::vector<int> times = figure_times(model.schedule, args.steps);
  const Shape shape = denoiser.shape();
  const std::size_t size = shape.size(), n = static_cast<std::size_t>(args.rows);
  Figures f;
  f.frame_times = even_choice(times, args.frames);
  for (const int quarters : {4, 3, 2, 1}) {
    const int t = nearest_time(times, times.front() * quarters / 4);
    if (f.shared_times.empty() || f.shared_times.back() != t) f.shared_times.push_back(t);
  }
  Chain chain(model, denoiser, times, rows_of(times, f.shared_times), args.seed);
  std::vector<float> x(n * size);
  start_noise(args.seed, 0, shape, x);
  std::map<int, std::vector<float>> kept = {{times.front(), {x.begin(), x.begin() + size}}};
  chain.run(x, times.front(), 0, 1, [&](const Chain::Seen& seen) {
    if (std::ranges::find(f.frame_times, seen.t) != f.frame_times.end()) {
      f.denoising.push_back(images_from_floats(seen.x0, shape));
    }
    if (std::ranges::find(f.shared_times, seen.s) != f.shared_times.end()) {
      kept[seen.s].assign(seen.x.begin(), seen.x.begin() + size);
    }
  });
  f.denoising.push_back(images_from_floats(x, shape));
  for (const int t : f.shared_times) {
    for (std::size_t i = 0; i < n; ++i) std::ranges::copy(kept[t], x.begin() + i * size);
    f.shared.push_back(images_from_floats(kept[t], shape));
    chain.run(x, t, 1, 1);
    std::ranges::copy(images_from_floats(x, shape), std::back_inserter(f.shared.back()));
  }
  chain.finish();
  return f;
}

Image denoising_picture(const ProgressiveArgs& args, const Figures& f) {
  Panels panels{
      .title = "What the model expects to see: x0-hat over the reverse process",
      .subtitle = fmt::format("{}, {} images, from noise alone (left) to the sample (right)",
                              args.model, args.rows),
      .column_axis = "t, steps of noise still to remove"};
  for (const int t : f.frame_times) panels.columns.push_back(fmt::format("{}", t));
  panels.columns.emplace_back("sample");
  panels.gaps_after = {static_cast<int>(f.frame_times.size()) - 1};
  for (int i = 0; i < args.rows; ++i) {
    panels.images.emplace_back();
    for (const auto& frame : f.denoising) {
      panels.images.back().push_back(frame[static_cast<std::size_t>(i)]);
    }
  }
  return draw_panels(panels);
}

Image shared_picture(const ProgressiveArgs& args, const Figures& f) {
  Panels panels{.title = "What x_{t} has settled: samples that share it",
                .subtitle = fmt::format(
                    "{}; each row starts from one x_{{t}} and draws the rest anew", args.model),
                .column_axis = "samples of p(x_{0} | x_{t})",
                .images = f.shared,
                .gaps_after = {0}};
  panels.columns.emplace_back("x_{t}");
  for (int i = 0; i < args.rows; ++i) panels.columns.push_back(fmt::format("{}", i + 1));
  for (const int t : f.shared_times) panels.rows.push_back(fmt::format("t = {}", t));
  return draw_panels(panels);
}

std::string csv_of(const std::vector<RatePoint>& points) {
  std::string text = "reverse_step,t,rate_bits_per_dim,rmse,psnr_db\n";
  for (const RatePoint& p : points) {
    text += fmt::format("{},{},{},{},{}\n", p.reverse_step, p.t, p.rate, p.rmse, p.psnr);
  }
  return text;
}

// Figure 5's three views, side by side.
Image rate_picture(const std::string& subject, const std::vector<RatePoint>& points) {
  Series distortion, rate, both;
  for (const RatePoint& p : points) {
    distortion.x.push_back(p.reverse_step);
    distortion.y.push_back(p.rmse);
    rate.x.push_back(p.reverse_step);
    rate.y.push_back(p.rate);
    both.x.push_back(p.rate);
    both.y.push_back(p.rmse);
  }
  const Axis steps = {.label = "steps of the reverse process taken", .low = 0};
  const Axis rmse = {.label = "distortion: RMSE of x0-hat, on 0..255", .low = 0};
  const Axis bits = {.label = "rate so far (bits/dim)", .low = 0};
  const auto view = [&](std::string title, std::string subtitle, const Axis& x, const Axis& y,
                        const Series& series) {
    return draw_plot({.title = std::move(title),
                      .subtitle = std::move(subtitle),
                      .x = x,
                      .y = y,
                      .series = {series},
                      .width = 560,
                      .height = 460});
  };
  const Image views[] = {
      view("Distortion falls early ...", subject, steps, rmse, distortion),
      view("... most bits come last", "the rate of an ideal coder", steps, bits, rate),
      view("Distortion over rate", "what a progressive file could reach", bits, rmse, both)};
  return image_grid(views, 3, 0);
}

std::vector<RatePoint> measure_rate(const ProgressiveArgs& args, const Model& model,
                                    const Dataset& data, Denoiser& denoiser) {
  const std::vector<BoundProcess> process = {
      BoundProcess(model.schedule, model.view, Decoder::exact,
                   args.steps > 0 ? [&] {
                     std::vector<int> times = figure_times(model.schedule, args.steps);
                     std::ranges::reverse(times);
                     return times;
                   }()
                                  : std::vector<int>{})};
  const TestImages images{data, static_cast<std::size_t>(args.count), tells_labels(model, data)};
  const MeasureOptions options{.seed = args.seed};
  SignalWatch watch;
  Progress progress("rate", evaluations(process, images.count, options));
  const auto reports = measure_bounds(process, model.schedule, denoiser, images, options,
                                      [&](std::int64_t done, std::int64_t, double) {
                                        progress.update(done);
                                        watch.check();
                                      });
  progress.update(evaluations(process, images.count, options));
  progress.finish();
  return rate_distortion(reports.front());
}

// Table 4's rows: ten, evenly over the steps.
std::vector<RatePoint> table_rows(const std::vector<RatePoint>& points) {
  std::vector<RatePoint> rows;
  const auto n = std::ssize(points);
  for (std::int64_t k = 10; k >= 1; --k) {
    const auto at = (n * k + 9) / 10 - 1;
    if (rows.empty() || rows.back().reverse_step != points[at].reverse_step) {
      rows.push_back(points[at]);
    }
  }
  return rows;
}

void print_table(const std::vector<RatePoint>& points) {
  put_line("{:>12}  {:>6}  {:>15}  {:>14}  {:>9}", "reverse step", "t", "rate (bits/dim)",
           "RMSE (0..255)", "PSNR (dB)");
  for (const RatePoint& p : table_rows(points)) {
    put_line("{:>12}  {:>6}  {:>15.5f}  {:>14.2f}  {:>9.2f}", p.reverse_step, p.t, p.rate, p.rmse,
             p.psnr);
  }
}

Json points_json(const std::vector<RatePoint>& points) {
  std::vector<Json> rows;
  for (const RatePoint& p : points) {
    rows.push_back(json_object({{"reverse_step", json_integer(p.reverse_step)},
                                {"t", json_integer(p.t)},
                                {"rate_bits_per_dim", json_real(p.rate)},
                                {"rmse", json_real(p.rmse)},
                                {"psnr_db", std::isfinite(p.psnr) ? json_real(p.psnr) : Json()}}));
  }
  return json_list(std::move(rows));
}

void print_result(const ProgressiveArgs& args, const std::vector<std::string>& files,
                  const std::vector<RatePoint>& points) {
  if (!args.json) {
    if (!points.empty()) print_table(points);
    for (const std::string& file : files) put_line("{}", file);
    return;
  }
  std::vector<Json> names;
  for (const std::string& file : files) names.push_back(json_string(file));
  std::map<std::string, Json> out = {{"files", json_list(std::move(names))},
                                     {"seed", json_string(fmt::format("{}", args.seed))}};
  if (!points.empty()) {
    out["rate_distortion"] = points_json(points);
    out["n_images"] = json_integer(args.count);
  }
  print_json("ddpm.progressive/1", std::move(out));
}

void run_progressive(ProgressiveArgs args) {
  const Model model = open_model(args.model);
  const Shape shape = image_shape(model);
  if (args.steps > model.schedule.T()) {
    throw Error("[cli] progressive: got --steps {}, expected at most the model's {}", args.steps,
                model.schedule.T());
  }
  std::unique_ptr<Dataset> data;
  if (!args.data.empty()) {
    data = open_dataset(args.data, {.width = shape.w, .height = shape.h, .channels = shape.c});
    args.count = std::min<std::int64_t>(args.count, std::ssize(*data));
  }
  make_folders(args.out);
  ThreadPool pool(thread_count(args.threads));
  const auto denoiser = cpu::make_denoiser(model.graph, model.params, kMaxBatch, pool);
  const Figures figures = draw_figures(args, model, *denoiser);
  std::vector<std::string> files;
  const auto path = [&](const char* name) {
    files.push_back((fs::path(args.out) / name).string());
    return files.back();
  };
  write_png(path("denoising.png"), denoising_picture(args, figures));
  write_png(path("shared.png"), shared_picture(args, figures));
  std::vector<RatePoint> points;
  if (data) {
    points = measure_rate(args, model, *data, *denoiser);
    write_file_atomic(path("rate_distortion.csv"), csv_of(points));
    write_png(path("rate_distortion.png"),
              rate_picture(fmt::format("{}, {} images", args.model, args.count), points));
  }
  print_result(args, files, points);
}

}  // namespace

void add_progressive(CLI::App& app) {
  auto args = std::make_shared<ProgressiveArgs>();
  auto* command = app.add_subcommand(
      "progressive", "What the reverse process knows when (Figures 5, 6 and 7, Table 4).");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("data", args->data,
                      "images for the ideal rate-distortion curve; none: pictures alone");
  command->add_option("-n,--count", args->count, "images of DATA, the first so many")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_option("--rows", args->rows, "samples in the pictures")
      ->check(whole_number())
      ->check(CLI::Range(1, kMaxBatch));
  command->add_option("--frames", args->frames, "times in the picture of x0-hat")
      ->check(whole_number())
      ->check(CLI::Range(2, 40));
  command->add_option("--steps", args->steps, "steps of the process; 0 = all of the model's")
      ->check(whole_number())
      ->check(CLI::Range(0, 1'000'000));
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_option("-o,--out", args->out, "folder to write");
  command->add_flag("--json", args->json, "say what was written, and the curve, as JSON");
  command->callback([args] { run_progressive(*args); });
}

}  // namespace ddpm::cli
