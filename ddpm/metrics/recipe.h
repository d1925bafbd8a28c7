// Every switch of the scores in one place, and the programs whose settings they can take.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ddpm/image/resize_float.h"
#include "ddpm/metrics/image_source.h"
#include "ddpm/metrics/inception_score.h"
#include "ddpm/metrics/kid.h"
#include "ddpm/metrics/neighbours.h"

namespace ddpm {

struct Recipe {
  std::string name = "ddpm";
  bool float32_mean = false;  // FID's means as NumPy takes them of float32 rows
  bool infinity = true;       // FID-infinity as well
  std::uint64_t seed = 0;     // of its subsets
  bool spatial = true;        // sFID as well
  bool inception_score = true, kid = true, precision_recall = true, density_coverage = true;
  InceptionScoreOptions is;
  KidOptions subsets;
  NeighbourOptions neighbours;                             // precision and recall
  NeighbourOptions dense{.k = 5, .strict = true};          // density and coverage
  InputPipeline pipeline = InputPipeline::torch_fidelity;  // how Inception is fed
  Alpha alpha = Alpha::refuse;                             // of images that are not opaque
};

/// Ours ("ddpm"), or what the program of that name does: torch-fidelity, pytorch-fid, clean-fid,
/// guided-diffusion, tfgan. Scores that it does not have are off. Throws Error for another name.
Recipe recipe_like(std::string_view name);

/// The Inception Score of a program: torch-fidelity, openai (Salimans et al., and TTUR's),
/// dgm-eval, guided-diffusion, tfgan. Throws Error for another name.
InceptionScoreOptions inception_score_like(std::string_view name);

/// The distance of the features (FID for Inception's) and its standard error, nothing else.
Recipe distance_alone();

/// The names that recipe_like() knows.
std::vector<std::string> recipe_names();

/// The whole recipe in one line, to be pasted into a paper; without the scores that are off.
std::string describe(const Recipe& recipe);

}  // namespace ddpm
