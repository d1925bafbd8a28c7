// ddpm bench-samplers MODEL: what samples of each sampler are worth after how many calls.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/model_images.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/score_input.h"
#include "ddpm/cli/signals.h"
#include "ddpm/image/plot.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

struct BenchSamplersArgs {
  std::string model, data, out = "samplers", features = "inception", inception;
  std::vector<std::string> samplers = {"ddpm", "ddim", "dpmpp", "unipc", "heun"};
  std::vector<int> calls = {5, 10, 20, 50, 100, 250, 1000};
  std::int64_t count = 1000;
  std::uint64_t seed = 0;
  int threads = 0;
  bool json = false;
};

// Counts the time of drawing alone.
class TimedImages : public ImageSource {
 public:
  explicit TimedImages(std::unique_ptr<ImageSource> images) : images_(std::move(images)) {}

  std::int64_t size() const override { return images_->size(); }
  std::string description() const override { return images_->description(); }
  std::vector<Planes> load(std::int64_t first, int n) override {
    const auto start = std::chrono::steady_clock::now();
    auto planes = images_->load(first, n);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return planes;
  }
  double seconds() const { return seconds_; }

 private:
  std::unique_ptr<ImageSource> images_;
  double seconds_ = 0;
};

struct Outcome {
  std::string sampler, plan;
  int calls = 0;
  double seconds = 0;                              // an image
  std::optional<double> distance, standard_error;  // of all images
};

// "dpmpp,order=3" with 20 steps is dpmpp:20,order=3.
std::string with_steps(const std::string& sampler, int steps) {
  const std::size_t comma = std::min(sampler.find(','), sampler.size());
  return fmt::format("{}:{}{}", sampler.substr(0, comma), steps, sampler.substr(comma));
}

// The plan with the most steps that makes no more than `calls`; none when the sampler has no such
// plan. Of some samplers a step takes more than one call.
std::optional<Outcome> plan_within(const std::string& sampler, int calls, const Model& model) {
  for (int steps = calls; steps > 0;) {
    try {
      const std::string spec = with_steps(sampler, steps);
      const int made = calls_of(parse_plan(spec, model.schedule, model.view));
      if (made <= calls) return Outcome{.sampler = sampler, .plan = spec, .calls = made};
      const auto excess = std::int64_t{made - calls} * steps / made;  // in steps
      steps -= std::max(1, static_cast<int>(excess));
    } catch (const Error&) {  // too few or too many for this sampler
      return {};
    }
  }
  return {};
}

std::vector<Outcome> plans_of(const BenchSamplersArgs& args, const Model& model) {
  std::vector<Outcome> all;
  for (const std::string& sampler : args.samplers) {
    if (sampler.find(':') != std::string::npos) {
      throw Error(
          "[cli] bench-samplers: --samplers: got {}, expected a name, as dpmpp,order=3; try "
          "--calls for the calls",
          sampler);
    }
    (void)parse_plan(sampler, model.schedule, model.view);  // or it says what is wrong
    for (const int calls : args.calls) {
      auto plan = plan_within(sampler, calls, model);
      if (plan) {
        all.push_back(std::move(*plan));
      } else {
        print_note(fmt::format("{} has no plan of {}", sampler, counted(calls, "call")));
      }
    }
  }
  if (all.empty()) {
    throw Error("[cli] bench-samplers: got no plan of {} steps or fewer; try other --calls",
                model.schedule.T());
  }
  return all;
}

std::string csv_of(const std::vector<Outcome>& outcomes) {
  std::string text = "sampler,plan,calls,seconds_per_image,distance,distance_se\n";
  const auto number = [](std::optional<double> x) { return x ? fmt::format("{}", *x) : ""; };
  const auto quoted = [](const std::string& s) { return '"' + s + '"'; };  // plans have commas
  for (const Outcome& o : outcomes) {
    text += fmt::format("{},{},{},{},{},{}\n", quoted(o.sampler), quoted(o.plan), o.calls,
                        o.seconds, number(o.distance), number(o.standard_error));
  }
  return text;
}

// One value of every plan against its calls, a line a sampler.
Image plot_of(const BenchSamplersArgs& args, const std::vector<Outcome>& outcomes,
              const std::string& title, const std::string& label,
              const std::function<double(const Outcome&)>& value) {
  const bool log = std::ranges::all_of(outcomes, [&](const Outcome& o) { return value(o) > 0; });
  Plot plot{
      .title = title,
      .subtitle = fmt::format("{}, {} images a plan, seed {}", args.model, args.count, args.seed),
      .x = {.label = "calls of the network (an image)", .log = true},
      .y = {.label = label, .log = log}};
  for (const std::string& sampler : args.samplers) {
    Series series{.label = sampler, .mark = Mark::line_and_dots};
    for (const Outcome& o : outcomes) {
      if (o.sampler != sampler) continue;
      series.x.push_back(o.calls);
      series.y.push_back(value(o));
    }
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  return draw_plot(plot);
}

Image picture(const BenchSamplersArgs& args, const std::vector<Outcome>& outcomes,
              const std::string& score) {
  std::vector<Image> images;
  if (!score.empty()) {
    images.push_back(plot_of(args, outcomes, fmt::format("{} against {}", score, args.data),
                             score + " (lower is better)",
                             [](const Outcome& o) { return o.distance.value_or(NAN); }));
  }
  images.push_back(plot_of(args, outcomes, "Time to draw an image", "time (s an image)",
                           [](const Outcome& o) { return o.seconds; }));
  return image_grid(images, 1, 0);
}

void print_table(const std::vector<Outcome>& outcomes, const std::string& score) {
  put_line("{:<24} {:>6} {:>12}  {}", "plan", "calls", "s an image", score);
  for (const Outcome& o : outcomes) {
    put_line("{:<24} {:>6} {:>12.4g}  {}{}", o.plan, o.calls, o.seconds,
             o.distance ? fmt::format("{:.6g}", *o.distance) : "",
             o.standard_error ? fmt::format(" +- {:.2g}", *o.standard_error) : "");
  }
}

Json rows_json(const std::vector<Outcome>& outcomes) {
  const auto real = [](std::optional<double> x) { return x ? json_real(*x) : Json(); };
  std::vector<Json> rows;
  for (const Outcome& o : outcomes) {
    rows.push_back(json_object({{"sampler", json_string(o.sampler)},
                                {"plan", json_string(o.plan)},
                                {"calls", json_integer(o.calls)},
                                {"seconds_per_image", json_real(o.seconds)},
                                {"distance", real(o.distance)},
                                {"distance_se", real(o.standard_error)}}));
  }
  return json_list(std::move(rows));
}

// FD and its standard error alone.
Recipe distance_alone() {
  return {.infinity = false,
          .spatial = false,
          .inception_score = false,
          .kid = false,
          .precision_recall = false,
          .density_coverage = false};
}

// Draws the images of each plan and scores them; what was measured so far is kept in `csv`.
class SamplerBench {
 public:
  SamplerBench(const BenchSamplersArgs& args, const Model& model, ThreadPool& pool)
      : args_(args), model_(model), pool_(pool) {
    if (args.data.empty()) return;
    ScoreInputs::check(args.data);
    inputs_.emplace(ScoreInputOptions{.features = args.features,
                                      .inception = args.inception,
                                      .recipe = distance_alone(),
                                      .seed = args.seed},
                    pool);
    reference_ = inputs_->open(args.data);
  }

  void run(std::vector<Outcome>& outcomes, const std::string& csv) {
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      measure(outcomes[i]);
      write_file_atomic(csv, csv_of({outcomes.begin(), outcomes.begin() + i + 1}));
    }
    for (const std::string& note : notes_) print_warning(note);
  }

  std::string score_name() const { return name_; }  // "" without a reference
  std::string made_by() const { return reference_.made_by; }

 private:
  void measure(Outcome& o) {
    TimedImages images(model_images(model_, args_.count, o.plan, args_.seed, true, pool_));
    if (inputs_) {
      const ImageSet generated = inputs_->extract_from(images);
      const Report report = score(generated, reference_, distance_alone(), args_.seed, pool_);
      if (report.fid) o.distance = report.fid->value();
      o.standard_error = report.fid_standard_error;
      name_ =
          is_fid(report) ? "FID" : "FD in " + report.made_by.substr(0, report.made_by.find(' '));
      notes_ = report.notes;  // the same of every plan: they speak of N
    } else {
      draw(images, o.plan);
    }
    o.seconds = images.seconds() / static_cast<double>(args_.count);
  }

  void draw(ImageSource& images, const std::string& plan) const {
    SignalWatch watch;
    Progress progress("draw", args_.count);
    for (std::int64_t i = 0; i < args_.count; i += kMaxBatch) {
      const auto n = std::min<std::int64_t>(kMaxBatch, args_.count - i);
      (void)images.load(i, static_cast<int>(n));
      progress.update(i + n, plan);
      watch.check();
    }
    progress.finish();
  }

  const BenchSamplersArgs& args_;
  const Model& model_;
  ThreadPool& pool_;
  std::optional<ScoreInputs> inputs_;
  ImageSet reference_;
  std::string name_;
  std::vector<std::string> notes_;
};

void run_bench_samplers(const BenchSamplersArgs& args) {
  const Model model = open_model(args.model);
  std::vector<Outcome> outcomes = plans_of(args, model);
  ThreadPool pool(thread_count(args.threads));
  SamplerBench bench(args, model, pool);
  make_folders(args.out);
  const std::string csv = (fs::path(args.out) / "samplers.csv").string();
  const std::string png = (fs::path(args.out) / "samplers.png").string();
  bench.run(outcomes, csv);
  write_png(png, picture(args, outcomes, bench.score_name()));
  if (!args.json) {
    print_table(outcomes, bench.score_name());
    put_line("{}", csv);
    return put_line("{}", png);
  }
  const std::string made_by = bench.made_by();
  print_json("ddpm.bench_samplers/1",
             {{"rows", rows_json(outcomes)},
              {"score", args.data.empty() ? Json() : json_string(bench.score_name())},
              {"features", made_by.empty() ? Json() : json_string(made_by)},
              {"n_generated", json_integer(args.count)},
              {"seed", json_string(fmt::format("{}", args.seed))},
              {"files", json_list({json_string(csv), json_string(png)})}});
}

}  // namespace

void add_bench_samplers(CLI::App& app) {
  auto args = std::make_shared<BenchSamplersArgs>();
  auto* command = app.add_subcommand(
      "bench-samplers", "Score and time of the same images by every sampler, against calls.");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command->add_option("--data", args->data,
                      "what to compare with, as in ddpm metrics; none: the time alone");
  command->add_option("--features", args->features, "the network, as in ddpm metrics");
  command->add_option("--inception", args->inception, "Inception's weights, as in ddpm metrics");
  command->add_option("-n,--count", args->count, "images to draw by each plan")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{1} << 40));
  command->add_option("--samplers", args->samplers, "samplers, as ddim or dpmpp,order=3")
      ->expected(1, 64);
  command->add_option("--calls", args->calls, "at most so many calls an image, each in turn")
      ->expected(1, 64)
      ->check(whole_number())
      ->check(CLI::Range(1, 1 << 20));
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_option("-o,--out", args->out, "folder for samplers.csv and samplers.png");
  command->add_flag("--json", args->json, "print the table as JSON");
  command->callback([args] { run_bench_samplers(*args); });
}

}  // namespace ddpm::cli
