// ddpm bench-samplers MODEL: what images of each sampler are worth after how many calls.
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <set>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/model_images.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/sampler_scores.h"
#include "ddpm/cli/score_input.h"
#include "ddpm/cli/signals.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxCount = 10'000'000;

struct BenchSamplersArgs {
  std::string model, data, out = "samplers", features = "inception", inception;
  // All but Langevin's at one noise level, which is no way to draw an image from nothing, and the
  // annealed one, which needs a model trained for it.
  std::vector<std::string> samplers = {"ddpm",  "ddim", "dpmpp",   "unipc", "deis", "pndm",
                                       "euler", "heun", "euler_a", "lms",   "pc"};
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

// "dpmpp,order=3" with 20 steps is dpmpp:20,order=3.
std::string with_steps(const std::string& sampler, int steps) {
  const std::size_t comma = std::min(sampler.find(','), sampler.size());
  return fmt::format("{}:{}{}", sampler.substr(0, comma), steps, sampler.substr(comma));
}

// The plan of so many steps, or none.
std::optional<SamplerScore> plan_of(const std::string& sampler, int steps, const Model& model) {
  try {
    const std::string spec = with_steps(sampler, steps);
    const Plan plan = parse_plan(spec, model.schedule, model.view);
    return SamplerScore{.sampler = sampler, .plan = spec, .calls = calls_of(plan)};
  } catch (const Error&) {  // too few or too many for this sampler
    return {};
  }
}

// The plan with the most steps that makes no more than `calls`; none when the sampler needs more.
// Of some samplers a step takes more than one call; most have T steps at most, some T - 1.
std::optional<SamplerScore> plan_within(const std::string& sampler, int calls, const Model& model) {
  const int T = model.schedule.T();
  for (int steps = calls; steps > 0;) {
    auto plan = plan_of(sampler, steps, model);
    if (plan && plan->calls <= calls) return plan;
    if (plan) {
      const auto excess = std::int64_t{plan->calls - calls} * steps / plan->calls;  // in steps
      steps -= std::max(1, static_cast<int>(excess));
    } else if (steps >= T) {
      steps = steps > T ? T : T - 1;
    } else {
      return {};
    }
  }
  return {};
}

void check_sampler(const std::string& sampler, const Model& model) {
  if (sampler.find(':') != std::string::npos) {
    throw Error(
        "[cli] bench-samplers: --samplers: got {}, expected a name, as dpmpp,order=3; try --calls "
        "for the calls",
        sampler);
  }
  (void)parse_plan(sampler, model.schedule, model.view);  // or it says what is wrong
}

// Every sampler at every number of calls, once; notes say what there is not.
std::vector<SamplerScore> plans_of(const BenchSamplersArgs& args, const Model& model) {
  std::vector<SamplerScore> all;
  std::set<std::string> seen;
  for (const std::string& sampler : args.samplers) {
    check_sampler(sampler, model);
    std::vector<int> missing;
    for (const int calls : std::set(args.calls.begin(), args.calls.end())) {
      auto plan = plan_within(sampler, calls, model);
      if (!plan) {
        missing.push_back(calls);
      } else if (seen.insert(plan->plan).second) {
        all.push_back(std::move(*plan));
      }
    }
    if (missing.empty()) continue;
    print_note(fmt::format("{} has no plan of {} calls", sampler, fmt::join(missing, " or ")));
  }
  if (all.empty()) {
    throw Error("[cli] bench-samplers: got no plan of so few calls; try more --calls");
  }
  return all;
}

// Draws the images of each plan and scores them; the rows so far are kept in a file.
class SamplerBench {
 public:
  SamplerBench(const BenchSamplersArgs& args, const Model& model, ThreadPool& pool)
      : args_(args),
        model_(model),
        pool_(pool),
        study_{.model = args.model, .data = args.data, .count = args.count, .seed = args.seed} {
    if (args.data.empty()) return;
    inputs_.emplace(ScoreInputOptions{.features = args.features,
                                      .inception = args.inception,
                                      .recipe = distance_alone(),
                                      .seed = args.seed},
                    pool);
    reference_ = inputs_->open(args.data);
  }

  void run(std::vector<SamplerScore>& rows, const std::string& csv) {
    std::int64_t total = 0, done = 0;
    for (const SamplerScore& row : rows) total += row.calls * args_.count;
    SignalWatch watch;
    Progress progress("calls", total);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      measure(rows[i], [&](std::int64_t images) {
        progress.update(done + images * rows[i].calls,
                        fmt::format("{}, {} of {} images", rows[i].plan, images, args_.count));
        watch.check();
      });
      done += rows[i].calls * args_.count;
      progress.say(sampler_line(rows[i], study_));
      write_file_atomic(csv, sampler_csv({rows.begin(), rows.begin() + i + 1}));
    }
    progress.finish();
    for (const std::string& note : notes_) print_warning(note);
  }

  const SamplerStudy& study() const { return study_; }
  const ImageSet& reference() const { return reference_; }
  const std::string& made_by() const { return made_by_; }

 private:
  using Seen = std::function<void(std::int64_t images)>;

  void measure(SamplerScore& row, const Seen& seen) {
    TimedImages images(model_images(model_, args_.count, row.plan, args_.seed, true, pool_));
    inputs_ ? compare(images, row, seen) : draw(images, seen);
    row.seconds = images.seconds() / static_cast<double>(args_.count);
  }

  void compare(ImageSource& images, SamplerScore& row, const Seen& seen) {
    const ImageSet generated = inputs_->extract_from(images, seen);
    const Report report = score(generated, reference_, distance_alone(), pool_);
    if (report.fid) row.distance = report.fid->value();
    row.standard_error = report.fid_standard_error;
    made_by_ = report.made_by;
    const std::string network = made_by_.substr(0, made_by_.find(' '));
    study_.score = is_fid(report) ? "FID" : "FD in " + network;
    notes_ = report.notes;  // the same of every plan: they speak of N
  }

  void draw(ImageSource& images, const Seen& seen) const {
    for (std::int64_t i = 0; i < args_.count; i += kMaxBatch) {
      const auto n = std::min<std::int64_t>(kMaxBatch, args_.count - i);
      (void)images.load(i, static_cast<int>(n));
      seen(i + n);
    }
  }

  const BenchSamplersArgs& args_;
  const Model& model_;
  ThreadPool& pool_;
  SamplerStudy study_;
  std::optional<ScoreInputs> inputs_;
  ImageSet reference_;
  std::string made_by_;
  std::vector<std::string> notes_;
};

void print_as_json(const SamplerBench& bench, const std::vector<SamplerScore>& rows,
                   const std::string& csv, const std::string& png) {
  const SamplerStudy& s = bench.study();
  const auto word = [](const std::string& text) {
    return text.empty() ? Json() : json_string(text);
  };
  const std::int64_t n = bench.reference().count();
  print_json("ddpm.bench_samplers/1", {{"rows", sampler_json(rows)},
                                       {"model", json_string(s.model)},
                                       {"data", word(s.data)},
                                       {"score", word(s.score)},
                                       {"features", word(bench.made_by())},
                                       {"n_generated", json_integer(s.count)},
                                       {"n_reference", n > 0 ? json_integer(n) : Json()},
                                       {"seed", json_string(fmt::format("{}", s.seed))},
                                       {"csv_path", json_string(csv)},
                                       {"path", json_string(png)}});
}

void run_bench_samplers(const BenchSamplersArgs& args) {
  const Model model = open_model(args.model);
  std::vector<SamplerScore> rows = plans_of(args, model);
  if (!args.data.empty()) ScoreInputs::check(args.data);
  make_folders(args.out);
  ThreadPool pool(thread_count(args.threads));
  SamplerBench bench(args, model, pool);
  const std::string csv = (fs::path(args.out) / "samplers.csv").string();
  const std::string png = (fs::path(args.out) / "samplers.png").string();
  bench.run(rows, csv);
  write_png(png, sampler_picture(rows, bench.study()));
  if (args.json) return print_as_json(bench, rows, csv, png);
  print_sampler_table(rows, bench.study());
  put_line("{}", csv);
  put_line("{}", png);
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
      ->check(CLI::Range(std::int64_t{2}, kMaxCount));
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
