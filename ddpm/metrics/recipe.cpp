#include "ddpm/metrics/recipe.h"

#include <fmt/ranges.h>

#include <map>
#include <ranges>

#include "ddpm/base/error.h"
#include "ddpm/base/suggest.h"

namespace ddpm {
namespace {

Recipe torch_fidelity() {
  Recipe r{.name = "torch-fidelity", .float32_mean = true, .infinity = false, .spatial = false};
  r.density_coverage = false;
  r.alpha = Alpha::drop;
  r.subsets.shrink = false;
  r.subsets.float32 = true;
  r.neighbours.type = DistanceType::float32;
  return r;
}

Recipe pytorch_fid() {
  return {.name = "pytorch-fid",
          .infinity = false,
          .spatial = false,
          .inception_score = false,
          .kid = false,
          .precision_recall = false,
          .density_coverage = false,
          .pipeline = InputPipeline::pytorch_fid,
          .alpha = Alpha::drop};
}

Recipe clean_fid() {
  Recipe r = pytorch_fid();
  r.name = "clean-fid";
  r.float32_mean = r.kid = true;
  r.subsets.reference_first = r.subsets.float32 = true;
  r.pipeline = InputPipeline::clean_fid;
  return r;
}

Recipe guided_diffusion() {
  Recipe r = pytorch_fid();
  r.name = "guided-diffusion";
  r.float32_mean = r.spatial = r.inception_score = r.precision_recall = true;
  r.pipeline = InputPipeline::torch_fidelity;
  r.is = inception_score_like("guided-diffusion");
  r.neighbours.type = DistanceType::float16;
  return r;
}

Recipe tfgan() {
  Recipe r = pytorch_fid();
  r.name = "tfgan";
  r.inception_score = r.kid = true;
  r.is = inception_score_like("tfgan");
  r.subsets = {.sampling = KidSampling::blocks, .subset_size = 1024};
  r.pipeline = InputPipeline::ddpm;
  return r;
}

std::string describe(const InceptionScoreOptions& o) {
  std::string parts;
  switch (o.splitting) {
    case Splitting::even:
      parts = o.splits == 1 ? "one split" : fmt::format("{} even splits", o.splits);
      break;
    case Splitting::drop_remainder:
      parts = fmt::format("{} splits of N/{} rows", o.splits, o.splits);
      break;
    case Splitting::rows:
      parts = fmt::format("splits of {} rows", o.splits);
      break;
  }
  return fmt::format(
      "IS({}, {}, {} softmax)", parts,
      o.shuffle ? fmt::format("shuffled by RandomState({})", *o.shuffle) : "not shuffled",
      o.float32 ? "float32" : "float64");
}

std::string describe(const KidOptions& o) {
  if (o.sampling == KidSampling::blocks) {
    return fmt::format("KID(cubic kernel, blocks of at most {}, float64)", o.subset_size);
  }
  return fmt::format("KID(cubic kernel, {} subsets of {}{}, RandomState({}), {} first, {})",
                     o.subsets, o.shrink ? "at most " : "", o.subset_size, o.seed,
                     o.reference_first ? "reference" : "generated",
                     o.float32 ? "float32 products" : "float64");
}

std::string describe(const NeighbourOptions& o, const char* name) {
  constexpr const char* kTypes[] = {"float64", "float32", "float16"};
  return fmt::format("{}(k={}, {}, {} distances)", name, o.k,
                     o.strict ? "<" : "<=", kTypes[static_cast<int>(o.type)]);
}

}  // namespace

Recipe distance_alone() {
  return {.infinity = false,
          .spatial = false,
          .inception_score = false,
          .kid = false,
          .precision_recall = false,
          .density_coverage = false};
}

InceptionScoreOptions inception_score_like(std::string_view name) {
  static const std::map<std::string, InceptionScoreOptions, std::less<>> kLike = {
      {"torch-fidelity", {}},
      {"openai", {.shuffle = {}, .float32 = true}},
      {"dgm-eval", {.splitting = Splitting::drop_remainder}},
      {"guided-diffusion",
       {.splitting = Splitting::rows, .splits = 5000, .shuffle = {}, .float32 = true}},
      {"tfgan", {.splits = 1, .shuffle = {}}}};
  if (const auto found = kLike.find(name); found != kLike.end()) return found->second;
  throw Error("[metrics] is: got {}, expected one of {}; try --is torch-fidelity", name,
              fmt::join(kLike | std::views::keys, ", "));
}

std::vector<std::string> recipe_names() {
  return {"ddpm", "torch-fidelity", "pytorch-fid", "clean-fid", "guided-diffusion", "tfgan"};
}

Recipe recipe_like(std::string_view name) {
  if (name == "ddpm") return {};
  if (name == "torch-fidelity") return torch_fidelity();
  if (name == "pytorch-fid") return pytorch_fid();
  if (name == "clean-fid") return clean_fid();
  if (name == "guided-diffusion") return guided_diffusion();
  if (name == "tfgan") return tfgan();
  const std::string near = nearest(name, recipe_names());
  throw Error("[metrics] like: got {}, expected one of {}; try --like {}", name,
              fmt::join(recipe_names(), ", "), near.empty() ? "torch-fidelity" : near);
}

std::string describe(const Recipe& r) {
  std::string line = fmt::format("{}: FD({} means, N-1 covariances in float64, exact root)", r.name,
                                 r.float32_mean ? "float32" : "float64");
  if (r.infinity) {
    line += fmt::format(" FD-infinity(15 subsets from min(5000, N/10) to N, line in 1/N, seed {})",
                        r.seed);
  }
  if (r.spatial) line += " sFID(the same of 2023 spatial values)";
  if (r.inception_score) line += " " + describe(r.is);
  if (r.kid) line += " " + describe(r.subsets);
  if (r.precision_recall) line += " " + describe(r.neighbours, "P&R");
  if (r.density_coverage) line += " " + describe(r.dense, "D&C");
  return line;
}

}  // namespace ddpm
