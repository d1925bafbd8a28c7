// ddpm nll MODEL DATA: bits per dimension, term by term.
#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/nll_output.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"
#include "ddpm/diffusion/log_snr.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/png.h"
#include "ddpm/likelihood/fit.h"
#include "ddpm/net/model_parts.h"

namespace ddpm::cli {
namespace {

// Of the whole process, where it has as many steps.
constexpr int kSweep[] = {10, 20, 50, 100, 200, 500, 1000, 2000, 4000};

struct NllArgs {
  std::string model, data, steps, decoder = "exact", csv, plot;
  std::int64_t count = 64;
  int estimate = 0, fit_schedule = 0, batch = kMaxBatch, threads = 0;
  std::uint64_t seed = 0;
  bool ode = false, sweep = false, fit_variance = false, json = false;
};

struct Work {
  NllArgs args;
  Model model;
  std::unique_ptr<Dataset> data;
  TestImages images;
  NllSubject subject;
  ThreadPool pool;

  int batch() const {
    return static_cast<int>(std::min<std::int64_t>(args.batch, args.count * model.schedule.T()));
  }
};

std::vector<BoundProcess> processes_of(const Work& work) {
  const Schedule& schedule = work.model.schedule;
  const Decoder decoder = parse_decoder(work.args.decoder);
  const auto process = [&](std::vector<int> times) {
    return BoundProcess(schedule, work.model.view, decoder, std::move(times));
  };
  if (!work.args.steps.empty()) {
    return {process(parse_respacing(schedule.T(), work.args.steps))};
  }
  std::vector<BoundProcess> all = {process({})};
  for (const int steps : kSweep) {
    if (!work.args.sweep || steps >= schedule.T()) break;
    all.push_back(process(parse_respacing(schedule.T(), fmt::format("{}", steps))));
  }
  return all;
}

std::vector<BoundReport> measure(Work& work, std::span<const BoundProcess> processes,
                                 EpsMeter* moments) {
  const auto denoiser =
      cpu::make_denoiser(work.model.graph, work.model.params, work.batch(), work.pool);
  const MeasureOptions options{.seed = work.args.seed, .estimate = work.args.estimate};
  SignalWatch watch;
  Progress progress("nll", evaluations(processes, work.images.count, options));
  auto reports = measure_bounds(
      processes, work.model.schedule, *denoiser, work.images, options,
      [&](std::int64_t done, std::int64_t, double bits) {
        progress.update(done, std::isnan(bits) ? "" : fmt::format("bits/dim={:.3f}", bits));
        watch.check();
      },
      moments == nullptr ? Reader::Sink() : [&](const Reading& r) { moments->add(r); });
  progress.update(evaluations(processes, work.images.count, options));
  progress.finish();
  return reports;
}

void write_moments(const Model& model, const EpsMoments& moments) {
  const auto path = model.folder / "ddpm.json";
  const Json extras = is_there(path) ? read_json(path) : extras_json(model);
  const bool learned = is_learned(model.view.variance);
  write_file_atomic(path, write_json(with_moments(extras, moments, learned)));
  print_note(fmt::format(
      "measured E eps^2 and eps's error at {} times: {}{}", moments.eps_error.size(), path.string(),
      learned ? "; the variance stays the learned one" : "; the variance is now optimal"));
}

// The spec of the schedule that spreads the measured terms evenly over t.
std::string fitted_schedule(const Schedule& schedule, const BoundReport& whole, int knots) {
  std::vector<double> terms;
  for (const TermMean& term : whole.terms) terms.push_back(term.bits_per_dim);
  return fit_log_snr(schedule, terms, knots).schedule(schedule.T()).spec();
}

void run_bound(Work& work) {
  const NllArgs& args = work.args;
  const std::vector<BoundProcess> processes = processes_of(work);
  std::optional<EpsMeter> moments;
  if (args.fit_variance) moments.emplace(work.model.schedule, work.model.view.prediction);
  std::vector<BoundReport> reports = measure(work, processes, moments ? &*moments : nullptr);
  const BoundReport whole = std::move(reports.front());
  std::vector<BoundReport> sweep;
  if (args.sweep) {
    sweep.assign(reports.begin() + 1, reports.end());
    sweep.push_back(whole);
  }
  if (!args.csv.empty()) write_file_atomic(args.csv, bound_csv(whole));
  if (!args.plot.empty()) {
    write_png(args.plot,
              args.sweep ? sweep_picture(work.subject, sweep) : terms_picture(work.subject, whole));
  }
  if (moments) write_moments(work.model, moments->moments());
  std::string fitted;
  if (args.fit_schedule > 0) {
    fitted = fitted_schedule(work.model.schedule, whole, args.fit_schedule);
  }
  if (args.json) return print_bound_json(work.subject, whole, sweep, fitted);
  print_bound(work.subject, whole);
  if (!fitted.empty()) put_line("schedule      {}", fitted);
  if (args.sweep) print_sweep(sweep);
  if (!args.plot.empty()) put_line("{}", args.plot);
}

void run_ode(Work& work) {
  const NllArgs& args = work.args;
  const int batch = static_cast<int>(std::min<std::int64_t>(args.batch, args.count));
  const auto network =
      cpu::make_vector_jacobian(work.model.graph, work.model.params, batch, work.pool);
  SignalWatch watch;
  Progress progress("nll", args.count);
  const FlowReport report = measure_flow(
      *network, work.model.schedule, work.model.view.prediction, work.images, {.seed = args.seed},
      [&](std::size_t images, std::int64_t asked) {
        progress.update(static_cast<std::int64_t>(images), fmt::format("evaluations={}", asked));
        watch.check();
      });
  progress.update(args.count);
  progress.finish();
  if (!args.csv.empty()) write_file_atomic(args.csv, flow_csv(report));
  if (args.json) return print_flow_json(work.subject, report);
  print_flow(work.subject, report);
}

void check_files(const NllArgs& args, const Model& model) {
  if (args.fit_variance && !model.codec.is(Json::Kind::null)) {
    throw Error(
        "[cli] nll: got --fit-variance for {}, which is calibrated for the codec: files made with "
        "it "
        "need it as it is; try a copy of the folder without `codec` in its ddpm.json",
        model.folder.string());
  }
  if (args.ode && !args.plot.empty()) {
    throw Error("[cli] nll: got --plot with --ode, which has no terms; try --csv");
  }
  if (!args.csv.empty()) check_output_file(args.csv);
  if (!args.plot.empty()) check_output_file(args.plot);
  if (args.fit_variance) check_output_file(model.folder / "ddpm.json");
}

void run_nll(NllArgs args) {
  (void)parse_decoder(args.decoder);
  Model model = open_model(args.model);
  check_files(args, model);
  const Shape shape = image_shape(model);
  auto data = open_dataset(args.data, {.width = shape.w, .height = shape.h, .channels = shape.c});
  args.count = std::min<std::int64_t>(args.count, std::ssize(*data));
  const TestImages images{*data, static_cast<std::size_t>(args.count), tells_labels(model, *data)};
  const NllSubject subject{.model = args.model,
                           .data = to_utf8(data->description()),
                           .data_size = data->size(),
                           .variance = std::string(to_string(model.view.variance)),
                           .decoder = args.decoder,
                           .T = model.schedule.T(),
                           .estimate = args.estimate,
                           .seed = args.seed};
  Work work{args,   std::move(model), std::move(data),
            images, subject,          ThreadPool(thread_count(args.threads))};
  args.ode ? run_ode(work) : run_bound(work);
}

}  // namespace

void add_nll(CLI::App& app) {
  auto args = std::make_shared<NllArgs>();
  auto* command = app.add_subcommand(
      "nll", "How well a model knows a data set: the bound in bits/dim, term by term (Eq. (5)).");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command
      ->add_option("data", args->data,
                   "IDX file, CIFAR binary, folder of PNGs, or fashion-mnist:test")
      ->required();
  command->add_option("-n,--count", args->count, "the first so many images, or all if fewer")
      ->check(whole_number())
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  auto* steps = command->add_option(
      "--steps", args->steps,
      "the bound of the process re-spaced to so many steps: 100, uniform:100, quadratic:100, "
      "ddim100 or counts of equal sections as 10,20,30");
  auto* estimate =
      command
          ->add_option("--estimate", args->estimate,
                       "an unbiased estimate from so many terms an image; 0 = all terms")
          ->check(whole_number())
          ->check(CLI::Range(0, 100'000));
  auto* ode = command->add_flag("--ode", args->ode,
                                "the likelihood by the probability flow instead of the bound");
  auto* sweep =
      command->add_flag("--sweep-steps", args->sweep,
                        "also the bounds of processes re-spaced to 10, 20, 50, ... steps");
  auto* fit = command->add_flag("--fit-variance", args->fit_variance,
                                "measure the optimal variances and keep them in MODEL/ddpm.json");
  auto* fit_schedule =
      command
          ->add_option("--fit-schedule", args->fit_schedule,
                       "say the log-SNR schedule of so many knots on which every t would have the "
                       "same term; 0 = none")
          ->check(whole_number())
          ->check(CLI::Range(2, 1000));
  command->add_option("--decoder", args->decoder,
                      "exact, or tanh: the approximation behind published numbers");
  command->add_option("--csv", args->csv, "write a line an image");
  command->add_option("--plot", args->plot,
                      "PNG of the terms over t; with --sweep-steps, of the bound over steps");
  add_seed(*command, args->seed);
  command->add_option("--batch", args->batch, "images a network call; the results are the same")
      ->check(whole_number())
      ->check(CLI::Range(1, 1024));
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "print it as JSON");
  for (auto* option : {ode, fit_schedule}) {
    option->excludes(steps)->excludes(estimate);
  }
  ode->excludes(sweep)->excludes(fit)->excludes(fit_schedule);
  steps->excludes(estimate)->excludes(sweep)->excludes(fit);
  estimate->excludes(sweep)->excludes(fit);
  command->callback([args] { run_nll(*args); });
}

}  // namespace ddpm::cli
