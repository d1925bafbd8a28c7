#include "ddpm/metrics/report.h"

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// N - 1 rank of each covariance, and Chong & Forsyth's and everybody's practice.
constexpr std::int64_t kFewImages = 10000;
// Beyond this, eigenvectors take minutes.
constexpr int kMaxErrorDims = 2048;

// What a distance is taken of.
struct Side {
  Statistics statistics;
  const Features* features;  // that they are of; null when they were given
};

std::optional<Side> side_of(const std::optional<Features>& features,
                            const std::optional<Statistics>& given, const Recipe& recipe,
                            ThreadPool& pool) {
  if (given) return Side{*given, nullptr};
  if (!features) return {};
  return Side{statistics_like(recipe, *features, pool), &*features};
}

std::string few_images(const Report& r, const char* which, std::int64_t n) {
  return fmt::format(
      "N is too small: {} set has {} images; {} is biased upwards by about 1/N, and fewer than {} "
      "are not comparable to published values",
      which, n, is_fid(r) ? "FID" : "FD", kFewImages);
}

void note_counts(Report& r) {
  if (!r.fid) return;
  if (r.n_generated > 0 && r.n_generated < kFewImages) {
    r.notes.push_back(few_images(r, "the generated", r.n_generated));
  }
  if (r.n_reference > 0 && r.n_reference < kFewImages) {
    r.notes.push_back(few_images(r, "the reference", r.n_reference));
  }
  if (r.fid->doubt > 0) {
    r.notes.push_back(fmt::format(
        "a covariance is singular (rank {} of {}: N <= dimensions, or features that "
        "never change); the value is exact, but other programs' rounding moves theirs by "
        "up to {:.2g}",
        r.fid->rank, r.dims, r.fid->doubt));
  }
}

bool float32_means(const Recipe& recipe, const Side& a, const Side& b) {
  return recipe.float32_mean && a.statistics.float32_mean && b.statistics.float32_mean;
}

// FID and sFID; the means of `recipe` go into the mean term alone, in float32 where both are.
FrechetDistance distance(const Side& a, const Side& b, const Recipe& recipe, ThreadPool& pool) {
  FrechetDistance d = frechet_distance(a.statistics, b.statistics, pool);
  if (float32_means(recipe, a, b)) {
    d.mean_term = float32_mean_term(a.statistics.mean, b.statistics.mean);
  }
  return d;
}

std::optional<InfluenceVariance> influences_of(const Side& g, const Side& r, ThreadPool& pool) {
  // Of files that don't say how many images they are of nothing can be said.
  if (g.statistics.dims() > kMaxErrorDims || g.statistics.count + r.statistics.count == 0) {
    return {};
  }
  return influence_variance(g.features, g.statistics, r.features, r.statistics, pool);
}

void note_fixed(Report& report, const ImageSet& set, const Statistics& statistics) {
  if (statistics.count > 0) return;
  report.notes.push_back(fmt::format(
      "{} does not say of how many images it is: standard errors hold it fixed", set.name));
}

void score_fid(Report& report, const ImageSet& g, const ImageSet& r, const Recipe& recipe,
               ThreadPool& pool) {
  const auto sg = side_of(g.features, g.statistics, recipe, pool);
  const auto sr = side_of(r.features, r.statistics, recipe, pool);
  if (!sg || !sr) return;
  report.dims = sg->statistics.dims();
  report.fid = distance(*sg, *sr, recipe, pool);
  report.float32_means = float32_means(recipe, *sg, *sr);
  const auto influences = influences_of(*sg, *sr, pool);
  if (influences) {
    report.fid_standard_error =
        frechet_standard_error(*influences, sg->statistics.count, sr->statistics.count);
    note_fixed(report, g, sg->statistics);
    note_fixed(report, r, sr->statistics);
  }
  if (recipe.infinity && sg->features && sg->features->rows() >= kMinAtInfinity) {
    report.fid_infinity =
        frechet_at_infinity(*sg->features, sr->statistics, recipe.seed, pool, influences);
  } else if (recipe.infinity) {
    report.notes.push_back(
        fmt::format("no {}-infinity: it needs the features of at least {} generated images",
                    is_fid(report) ? "FID" : "FD", kMinAtInfinity));
  }
}

void score_spatial(Report& report, const ImageSet& g, const ImageSet& r, const Recipe& recipe,
                   ThreadPool& pool) {
  if (!recipe.spatial) return;
  const auto sg = side_of(g.spatial, g.spatial_statistics, recipe, pool);
  const auto sr = side_of(r.spatial, r.spatial_statistics, recipe, pool);
  if (!sg || !sr) {
    if (is_fid(report))
      report.notes.push_back("no sFID: it needs the `spatial` values of both sets");
    return;
  }
  report.sfid = distance(*sg, *sr, recipe, pool);
  if (const auto v = influences_of(*sg, *sr, pool)) {
    report.sfid_standard_error =
        frechet_standard_error(*v, sg->statistics.count, sr->statistics.count);
  }
}

// Numbers of different networks, or of one that was fed differently, say nothing of one another.
void check_makers(Report& report, const ImageSet& g, const ImageSet& r) {
  report.made_by = g.made_by.empty() ? r.made_by : g.made_by;
  if (same_maker(g, r)) return;
  if (g.made_by.empty() || r.made_by.empty()) {
    const std::string& silent = g.made_by.empty() ? g.name : r.name;
    report.notes.push_back(fmt::format(
        "{} does not say what made its features: the scores mean nothing unless it was {}", silent,
        report.made_by));
    return;
  }
  throw Error(ExitCode::bad_input,
              "[metrics] {} has features of {}, but {} of {}, expected the same network, input and "
              "weights; try to make both anew",
              g.name, g.made_by, r.name, r.made_by);
}

std::optional<int> dims_of(const ImageSet& set) {
  if (set.features) return set.features->dims();
  return set.statistics ? std::optional(set.statistics->dims()) : std::nullopt;
}

// What the scores check too, but can't name the set of.
void check_sizes(const ImageSet& g, const ImageSet& r) {
  for (const ImageSet* set : {&g, &r}) {
    if (!set->features || set->features->rows() > 1) continue;
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: got 1 image, expected at least 2; try thousands for a score that means "
        "something",
        set->name);
  }
  if (const auto a = dims_of(g), b = dims_of(r); a && b && *a != *b) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] {} has {} features an image and {} {}, expected the same network for both; "
        "try to make both anew",
        g.name, *a, r.name, *b);
  }
}

void score_logits(Report& report, const ImageSet& g, const Recipe& recipe) {
  if (!recipe.inception_score) return;
  if (!g.logits) {
    report.notes.push_back("no Inception Score: it needs the `logits` of the generated images");
    return;
  }
  report.inception_score = inception_score(*g.logits, recipe.is);
  if (report.inception_score->underflows > 0) {
    report.notes.push_back(
        fmt::format("{} float32 probabilities are 0: {} would print nan; here 0 log 0 is 0",
                    report.inception_score->underflows, recipe.name));
  }
}

void score_neighbours(Report& report, const Features& g, const Features& r, const Recipe& recipe,
                      ThreadPool& pool) {
  std::vector<NeighbourOptions> wanted;
  if (recipe.precision_recall) wanted.push_back(recipe.neighbours);
  if (recipe.density_coverage) wanted.push_back(recipe.dense);
  if (wanted.empty()) return;
  // At once: most of the time goes into distances, and both need the same ones.
  const std::vector<NeighbourScores> scores = all_neighbour_scores(g, r, wanted, pool);
  if (recipe.precision_recall) report.neighbours = scores.front();
  if (recipe.density_coverage) report.dense = scores.back();
}

}  // namespace

bool is_fid(const Report& report) {
  return report.made_by.empty() || report.made_by.starts_with("inception:");
}

bool same_maker(const ImageSet& a, const ImageSet& b) {
  constexpr std::string_view kClassifier = "classifier:";
  if (!a.made_by.starts_with(kClassifier) || !b.made_by.starts_with(kClassifier)) {
    return a.made_by == b.made_by;
  }
  const auto without_name = [](const std::string& text) {
    const std::size_t space = text.find(' ');
    return space == std::string::npos ? std::string_view(text)
                                      : std::string_view(text).substr(space);
  };
  return without_name(a.made_by) == without_name(b.made_by);
}

std::int64_t ImageSet::count() const {
  if (features) return features->rows();
  if (logits) return logits->rows();
  return statistics ? statistics->count : 0;
}

Statistics statistics_like(const Recipe& recipe, const Features& features, ThreadPool& pool) {
  Statistics s = statistics(features, pool);
  if (recipe.float32_mean && !features.is_double()) {
    s.mean = float32_mean(features);
    s.float32_mean = true;
  }
  return s;
}

Recipe followed(Recipe recipe, const Report& report) {
  recipe.float32_mean = report.float32_means;
  recipe.infinity = report.fid_infinity.has_value();
  recipe.spatial = report.sfid.has_value();
  recipe.inception_score = report.inception_score.has_value();
  recipe.kid = report.kid.has_value();
  recipe.precision_recall = report.neighbours.has_value();
  recipe.density_coverage = report.dense.has_value();
  return recipe;
}

Report score(const ImageSet& g, const ImageSet& r, const Recipe& recipe, ThreadPool& pool) {
  Report report{.n_generated = g.count(), .n_reference = r.count()};
  check_makers(report, g, r);
  check_sizes(g, r);
  score_fid(report, g, r, recipe, pool);
  score_spatial(report, g, r, recipe, pool);
  score_logits(report, g, recipe);
  if (g.features && r.features) {
    if (recipe.kid) {
      report.kid = kernel_distance(*g.features, *r.features, recipe.subsets, pool);
      if (recipe.subsets.sampling == KidSampling::numpy_subsets &&
          report.kid->subset_size < recipe.subsets.subset_size) {
        report.notes.push_back(fmt::format("N is too small: KID subsets have {} images, not {}",
                                           report.kid->subset_size, recipe.subsets.subset_size));
      }
    }
    score_neighbours(report, *g.features, *r.features, recipe, pool);
  } else if (recipe.kid || recipe.precision_recall) {
    report.notes.push_back("KID, precision and recall need the features of both sets");
  }
  if (!report.fid && !report.inception_score) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] got {} and {} with nothing to compare, expected features or statistics in "
        "both; try images, or files that ddpm metrics --save-features wrote",
        g.name, r.name);
  }
  note_counts(report);
  return report;
}

}  // namespace ddpm
