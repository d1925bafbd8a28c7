// ddpm metrics GENERATED REFERENCE: FID and its relatives.
#include <fmt/ranges.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/version.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/image_set.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/metrics/report.h"

namespace ddpm::cli {
namespace {

struct MetricsArgs {
  std::vector<std::string> inputs, features_from;
  std::string like = "ddpm", save_stats;
  std::optional<int> kid_subsets, kid_subset_size, splits, k;
  std::uint64_t seed = 0;
  int threads = 0;
  bool json = false;
};

Recipe recipe_of(const MetricsArgs& args) {
  Recipe r = recipe_like(args.like);
  if (args.kid_subsets) r.subsets.subsets = *args.kid_subsets;
  if (args.kid_subset_size) {
    r.subsets.subset_size = *args.kid_subset_size;
    r.subsets.shrink = false;  // who names a size wants that size
  }
  if (args.splits) {
    r.is.splits = *args.splits;
    if (r.is.splitting == Splitting::rows) r.is.splitting = Splitting::even;
  }
  if (args.k) r.neighbours.k = r.dense.k = *args.k;
  const bool changed = args.kid_subsets || args.kid_subset_size || args.splits || args.k;
  if (changed && args.like != "ddpm") r.name += ", changed";
  return r;
}

std::string recipe_line(const Recipe& recipe, const Report& r) {
  const auto count = [](std::int64_t n) { return n > 0 ? fmt::format("{}", n) : std::string("?"); };
  return fmt::format("{}; given features, {} dimensions, N = {} / {}; ddpm {}", describe(recipe),
                     r.dims, count(r.n_generated), count(r.n_reference), kVersion);
}

Json real_or_null(std::optional<double> value) { return value ? json_real(*value) : Json(); }

Json count_or_null(std::int64_t n) { return n > 0 ? json_integer(n) : Json(); }

void add_share(std::map<std::string, Json>& out, const std::string& name,
               const std::optional<NeighbourScores>& scores, Share NeighbourScores::* share) {
  out[name] = scores ? json_real(((*scores).*share).value) : Json();
  out[name + "_se"] = scores ? json_real(((*scores).*share).standard_error) : Json();
}

void print_as_json(const Report& r, const Recipe& recipe) {
  std::map<std::string, Json> out;
  out["fid"] = r.fid ? json_real(r.fid->value()) : Json();
  out["fid_se"] = real_or_null(r.fid_standard_error);
  out["fid_doubt"] = r.fid ? json_real(r.fid->doubt) : Json();
  out["sfid"] = r.sfid ? json_real(r.sfid->value()) : Json();
  out["fid_infinity"] = r.fid_infinity ? json_real(r.fid_infinity->value) : Json();
  out["fid_infinity_se"] = r.fid_infinity ? json_real(r.fid_infinity->standard_error) : Json();
  out["fid_infinity_slope"] = r.fid_infinity ? json_real(r.fid_infinity->slope) : Json();
  out["is_mean"] = r.inception_score ? json_real(r.inception_score->mean) : Json();
  out["is_std"] = r.inception_score ? json_real(r.inception_score->deviation) : Json();
  out["is_se"] = r.inception_score ? json_real(r.inception_score->standard_error) : Json();
  out["kid_mean"] = r.kid ? json_real(r.kid->mean) : Json();
  out["kid_std"] = r.kid ? json_real(r.kid->deviation) : Json();
  out["kid_se"] = r.kid ? json_real(r.kid->standard_error) : Json();
  add_share(out, "precision", r.neighbours, &NeighbourScores::precision);
  add_share(out, "recall", r.neighbours, &NeighbourScores::recall);
  add_share(out, "density", r.dense, &NeighbourScores::density);
  add_share(out, "coverage", r.dense, &NeighbourScores::coverage);
  out["n_generated"] = count_or_null(r.n_generated);
  out["n_reference"] = count_or_null(r.n_reference);
  out["features"] = json_string("given");
  out["weights_fingerprint"] = Json();
  out["recipe"] = json_string(recipe_line(recipe, r));
  std::vector<Json> notes;
  for (const std::string& note : r.notes) notes.push_back(json_string(note));
  out["notes"] = json_list(std::move(notes));
  print_json("ddpm.metrics/1", std::move(out));
}

void put_share(const char* name, const Share& share) {
  put_line("{:<13} {:.6g} +- {:.2g}", name, share.value, share.standard_error);
}

void put_fid(const Report& r) {
  if (r.fid) {
    const std::string error =
        r.fid_standard_error ? fmt::format(" +- {:.2g}", *r.fid_standard_error) : "";
    put_line("FID           {:.10g}{}", r.fid->value(), error);
  }
  if (r.sfid) put_line("sFID          {:.10g}", r.sfid->value());
  if (r.fid_infinity) {
    put_line("FID-infinity  {:.10g} +- {:.2g}  (FID = {:.6g} + {:.6g} / N over N = {}..{})",
             r.fid_infinity->value, r.fid_infinity->standard_error, r.fid_infinity->value,
             r.fid_infinity->slope, r.fid_infinity->sizes.front(), r.fid_infinity->sizes.back());
  }
}

void print_text(const Report& r, const Recipe& recipe) {
  put_fid(r);
  if (r.inception_score) {
    put_line("IS            {:.10g} +- {:.2g}  (over splits {:.3g})", r.inception_score->mean,
             r.inception_score->standard_error, r.inception_score->deviation);
  }
  if (r.kid) {
    put_line("KID           {:.10g} +- {:.2g}  (over subsets {:.3g})", r.kid->mean,
             r.kid->standard_error, r.kid->deviation);
  }
  if (r.neighbours) {
    put_share("precision", r.neighbours->precision);
    put_share("recall", r.neighbours->recall);
  }
  if (r.dense) {
    put_share("density", r.dense->density);
    put_share("coverage", r.dense->coverage);
  }
  put_line("recipe        {}", recipe_line(recipe, r));
  for (const std::string& note : r.notes) print_warning(note);
}

std::vector<std::string> inputs_of(const MetricsArgs& args) {
  if (!args.inputs.empty() && !args.features_from.empty()) {
    throw Error("[cli] metrics: got {} and --features-from, expected one of them",
                args.inputs.front());
  }
  const auto& inputs = args.features_from.empty() ? args.inputs : args.features_from;
  const std::size_t wanted = args.save_stats.empty() ? 2 : 1;
  if (inputs.size() != wanted) {
    throw Error("[cli] metrics: got {}, expected {}; try ddpm metrics {}",
                counted(std::ssize(inputs), "input"),
                wanted == 2 ? "GENERATED and REFERENCE" : "one with --save-stats",
                wanted == 2 ? "a.npy b.npy" : "a.npy --save-stats a.npz");
  }
  return inputs;
}

void save_statistics(const std::string& input, const std::string& out, ThreadPool& pool) {
  check_output_file(out);
  const ImageSet set = open_image_set(input);
  if (!set.features && !set.statistics) {
    throw Error(ExitCode::bad_input, "[cli] metrics: {} has no features", set.name);
  }
  auto arrays = to_arrays(set.features ? statistics(*set.features, pool) : *set.statistics);
  std::optional<Statistics> spatial = set.spatial_statistics;
  if (set.spatial) spatial = statistics(*set.spatial, pool);
  if (spatial) {
    auto more = to_arrays(*spatial);
    arrays["mu_s"] = std::move(more["mu"]);
    arrays["sigma_s"] = std::move(more["sigma"]);
  }
  write_file_atomic(out, write_npz(arrays));
}

void run_metrics(const MetricsArgs& args) {
  const std::vector<std::string> inputs = inputs_of(args);
  const Recipe recipe = recipe_of(args);
  ThreadPool pool(thread_count(args.threads));
  if (!args.save_stats.empty()) {
    save_statistics(inputs[0], args.save_stats, pool);
    if (args.json) return print_json("ddpm.metrics/1", {{"path", json_string(args.save_stats)}});
    return put_line("{}", args.save_stats);
  }
  const ImageSet generated = open_image_set(inputs[0]), reference = open_image_set(inputs[1]);
  const Report report = score(generated, reference, recipe, args.seed, pool);
  if (args.json) return print_as_json(report, recipe);
  print_text(report, recipe);
}

CLI::Option* add_count(CLI::App* command, const char* name, std::optional<int>& value,
                       const char* help) {
  return command->add_option(name, value, help)
      ->check(whole_number())
      ->check(CLI::Range(1, 1 << 20));
}

}  // namespace

void add_metrics(CLI::App& app) {
  auto args = std::make_shared<MetricsArgs>();
  auto* command = app.add_subcommand("metrics", "FID, KID, Inception Score, precision and recall.");
  command->add_option("inputs", args->inputs,
                      "GENERATED REFERENCE: features (.npy, .npz, a folder of .npy shards) or "
                      "statistics (.npz with mu and sigma)");
  command->add_option("--features-from", args->features_from, "the same two, by an option")
      ->expected(1, 2);
  command->add_option(
      "--like", args->like,
      fmt::format("every switch as that program has it: {}", fmt::join(recipe_names(), ", ")));
  add_count(command, "--kid-subsets", args->kid_subsets, "subsets of KID (100)");
  add_count(command, "--kid-subset-size", args->kid_subset_size,
            "images a subset of KID (1000, or N where that is less)");
  add_count(command, "--splits", args->splits, "splits of the Inception Score (10)");
  add_count(command, "--k", args->k,
            "neighbours of precision and recall (3), density and coverage (5)");
  command->add_option("--save-stats", args->save_stats,
                      "write the statistics of the one input to this .npz, as pytorch-fid does");
  add_seed(*command, args->seed);
  add_threads(*command, args->threads);
  command->add_flag("--json", args->json, "print it as JSON");
  command->callback([args] { run_metrics(*args); });
}

}  // namespace ddpm::cli
