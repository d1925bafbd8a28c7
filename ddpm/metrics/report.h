// All scores of one set of images against another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"
#include "ddpm/metrics/fid.h"
#include "ddpm/metrics/fid_infinity.h"
#include "ddpm/metrics/recipe.h"
#include "ddpm/metrics/statistics.h"

namespace ddpm {

/// What is known of a set of images: features, or only their statistics.
struct ImageSet {
  std::string name;                                          // a file's, for messages
  std::string made_by;                                       // network, input, weights; "" = given
  std::optional<Features> features;                          // [N, d]
  std::optional<Features> spatial;                           // sFID's
  std::optional<Features> logits;                            // Inception Score's
  std::optional<Statistics> statistics, spatial_statistics;  // where a file has those

  std::int64_t count() const;  // images; 0 when unknown
};

/// Scores that were computed. A missing one is explained in `notes`, unless the recipe has it off.
struct Report {
  std::optional<FrechetDistance> fid, sfid;
  std::optional<double> fid_standard_error, sfid_standard_error;
  std::optional<FrechetAtInfinity> fid_infinity;
  std::optional<InceptionScore> inception_score;
  std::optional<Kid> kid;
  std::optional<NeighbourScores> neighbours, dense;
  bool float32_means = false;  // FID's, as the recipe may want them: of both sets
  std::int64_t n_generated = 0, n_reference = 0;
  int dims = 0;
  std::string made_by;             // ImageSet's, of whichever says it
  std::vector<std::string> notes;  // what a reader of the numbers must know
};

/// Whether the features are Inception's, so that the distance may be called FID. Features that
/// nobody named may be: whoever gives them knows.
bool is_fid(const Report& report);

/// Whether one network made both, from the same input, with the same weights. A classifier's name
/// is its folder's and does not matter.
bool same_maker(const ImageSet& a, const ImageSet& b);

/// A set that has features and statistics gives its statistics to FID and sFID, its features to the
/// rest: guided-diffusion's references are such. Throws Error (bad_input) when the sets do not fit
/// together (other networks or inputs made them), or neither features nor statistics are there for
/// any score.
Report score(const ImageSet& generated, const ImageSet& reference, const Recipe& recipe,
             ThreadPool& pool);

/// The recipe as far as it was followed: without the scores that are missing.
Recipe followed(Recipe recipe, const Report& report);

/// Of features, with the means of `recipe`.
Statistics statistics_like(const Recipe& recipe, const Features& features, ThreadPool& pool);

}  // namespace ddpm
