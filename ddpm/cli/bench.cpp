// ddpm bench MODEL|CONFIG: how fast this machine runs a network, and how fast it could.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <vector>

#include "ddpm/base/utf8.h"
#include "ddpm/base/version.h"
#include "ddpm/cli/bench_run.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/engine/cpu/fma_peak.h"
#include "ddpm/train/config.h"

namespace ddpm::cli {
namespace {

constexpr int kMaxBenchBatch = 1024;

struct BenchArgs {
  std::string what, profile = "f32";
  int batch = 16, threads = 0;
  bool train = false, json = false;
};

struct Network {
  Graph graph;
  Params params;
  Shape image;
};

struct BenchReport {
  std::string what;
  Network network;
  int threads, batch;
  cpu::Profile profile;
  double fma_peak;  // GFLOP/s
  JobTime forward;
  std::optional<JobTime> train;
  double memory;  // MiB
};

Network open_network(const std::string& what) {
  if (std::filesystem::path(what).extension() == ".toml") {
    const UNetConfig net = read_config(what).net;
    Graph graph = unet(net);
    Params params = bench_weights(graph);
    return {std::move(graph), std::move(params), {net.in_channels, net.height, net.width}};
  }
  Model model = open_model(what);
  const Shape image = image_shape(model);
  return {std::move(model.graph), std::move(model.params), image};
}

double gflops(double flops, const JobTime& job) { return flops * 1e-6 / job.ms; }

Json ops_as_json(const JobTime& job) {
  std::map<std::string, Json> ops;
  for (const auto& [kind, time] : job.ops) {
    ops[kind] = json_object({{"ms_per_image", json_real(time.seconds * 1e3)},
                             {"direct_gflop", json_real(time.direct_flops * 1e-9)},
                             {"real_gflop", json_real(time.real_flops * 1e-9)}});
  }
  return json_object(std::move(ops));
}

Json job_as_json(const JobTime& job, double peak) {
  const double real = gflops(job.real_flops, job);
  return json_object({{"ms_per_image", json_real(job.ms)},
                      {"images_per_second", json_real(1e3 / job.ms)},
                      {"repeats", json_integer(job.repeats)},
                      {"direct_gflop_per_image", json_real(job.direct_flops * 1e-9)},
                      {"effective_gflops", json_real(gflops(job.direct_flops, job))},
                      {"real_gflops", json_real(real)},
                      {"fraction_of_peak", json_real(real / peak)},
                      {"limit_ms_per_image", json_real(job.limit_ms)},
                      {"fraction_of_limit", json_real(job.limit_ms / job.ms)},
                      {"ops", ops_as_json(job)}});
}

void print_report_json(const BenchReport& r) {
  print_json(
      "ddpm.bench/1",
      {{"what", json_string(to_utf8(r.what))},
       {"version", json_string(std::string(kVersion))},
       {"isa", json_string(cpu::isa_name())},
       {"parameters", json_integer(static_cast<std::int64_t>(r.network.params.all().size()))},
       {"batch", json_integer(r.batch)},
       {"threads", json_integer(r.threads)},
       {"profile", json_string(std::string(to_string(r.profile)))},
       {"fma_peak_gflops", json_real(r.fma_peak)},
       {"effective_gflops", json_real(gflops(r.forward.direct_flops, r.forward))},
       {"ms_per_image_forward", json_real(r.forward.ms)},
       {"ms_per_image_train", r.train ? json_real(r.train->ms) : Json()},
       {"peak_rss_mb", json_real(r.memory)},
       {"forward", job_as_json(r.forward, r.fma_peak)},
       {"train", r.train ? job_as_json(*r.train, r.fma_peak) : Json()}});
}

void print_job(const char* name, const JobTime& job, double peak) {
  const double real = gflops(job.real_flops, job);
  put_line("{:<8} {:>9.3f} {:>9.1f} {:>10.1f} {:>8.1f} {:>8.1f}% {:>9.1f}%", name, job.ms,
           1e3 / job.ms, gflops(job.direct_flops, job), real, 100 * real / peak,
           100 * job.limit_ms / job.ms);
}

// Slowest first; what lies between the rows (layout, optimiser) is the rest.
void print_ops(const char* name, const JobTime& job) {
  std::vector<std::pair<double, std::string>> rows;
  double rest = job.ms;
  for (const auto& [kind, time] : job.ops) {
    rows.emplace_back(time.seconds * 1e3, kind);
    rest -= time.seconds * 1e3;
  }
  rows.emplace_back(std::max(rest, 0.0), "between rows");
  std::ranges::sort(rows, std::greater());
  put_line("\n{:<24} {:>9} {:>7} {:>9}", name, "ms/image", "share", "GFLOP/s");
  for (const auto& [ms, kind] : rows) {
    const auto op = job.ops.find(kind);
    const double flops = op == job.ops.end() ? 0 : op->second.direct_flops;
    put_line("  {:<22} {:>9.3f} {:>6.1f}% {:>9}", kind, ms, 100 * ms / job.ms,
             flops > 0 ? fmt::format("{:.1f}", flops * 1e-6 / ms) : "");
  }
}

void print_report(const BenchReport& r) {
  put_line("{}: {:.2f} M parameters, images of {} x {} x {}, {:.3f} GFLOP of convolutions", r.what,
           static_cast<double>(r.network.params.all().size()) * 1e-6, r.network.image.c,
           r.network.image.h, r.network.image.w, r.forward.direct_flops * 1e-9);
  put_line("{}, {}, {}, batch {}; FMA peak {:.1f} GFLOP/s; peak memory {:.0f} MiB\n",
           cpu::isa_name(), counted(r.threads, "thread"), to_string(r.profile), r.batch, r.fma_peak,
           r.memory);
  put_line("{:<8} {:>9} {:>9} {:>10} {:>8} {:>9} {:>10}", "", "ms/image", "images/s", "effective",
           "real", "of peak", "of limit");
  print_job("forward", r.forward, r.fma_peak);
  if (r.train) print_job("train", *r.train, r.fma_peak);
  print_ops("forward", r.forward);
  if (r.train) print_ops("train", *r.train);
}

void run_bench(const BenchArgs& args) {
  const cpu::Profile profile = cpu::parse_profile("[cli] bench: --profile", args.profile);
  Network network = open_network(args.what);
  ThreadPool pool(thread_count(args.threads));
  const double peak = cpu::measure_fma_peak(pool);
  const BenchJob job{network.graph, network.params, args.batch, profile, peak, pool};
  JobTime forward = time_forward(job);
  std::optional<JobTime> train;
  if (args.train) train = time_training_step(job);
  const BenchReport report{.what = args.what,
                           .network = std::move(network),
                           .threads = pool.threads(),
                           .batch = args.batch,
                           .profile = profile,
                           .fma_peak = peak,
                           .forward = std::move(forward),
                           .train = std::move(train),
                           .memory = peak_memory()};
  args.json ? print_report_json(report) : print_report(report);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto args = std::make_shared<BenchArgs>();
  auto* command = app.add_subcommand("bench", "How fast this machine runs a network.");
  command->add_option("what", args->what, "model (folder, run or name), or CONFIG.toml")
      ->required();
  command->add_option("--batch", args->batch, "images at a time; of a step with --train")
      ->check(whole_number())
      ->check(CLI::Range(1, kMaxBenchBatch));
  command->add_flag("--train", args->train, "measure training steps too");
  command->add_option("--profile", args->profile,
                      "f32, or f32-direct: every row as the graph has it, without Winograd");
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "print it as JSON");
  command->footer(
      "GFLOP/s: effective counts convolutions as computed directly, real what the chosen\n"
      "algorithms multiply. The peak is measured now, on as many threads; at the limit all 3x3\n"
      "convolutions of stride 1 would run at it with a quarter of their multiply-adds.");
  command->callback([args] { run_bench(*args); });
}

}  // namespace ddpm::cli
