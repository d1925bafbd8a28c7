#include "ddpm/metrics/report.h"

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// N - 1 rank of each covariance, and Chong & Forsyth's and everybody's practice.
constexpr std::int64_t kFewImages = 10000;
// Beyond this, eigenvectors take minutes.
constexpr int kMaxErrorDims = 2048;

std::optional<Statistics> statistics_of(const std::optional<Features>& features,
                                        const std::optional<Statistics>& given, bool float32_mean,
                                        ThreadPool& pool) {
  if (!features) return given;
  Statistics s = statistics(*features, pool);
  if (float32_mean && !features->is_double()) {
    s.mean = ddpm::float32_mean(*features);
    s.float32_mean = true;
  }
  return s;
}

std::string few_images(const Report& r, const char* which, std::int64_t n) {
  return fmt::format(
      "N is too small: {} set has {} images; {} is biased upwards by about 1/N, and fewer than {} "
      "are not comparable to published values",
      which, n, is_fid(r) ? "FID" : "FD", kFewImages);
}

void note_counts(Report& r) {
  if (r.n_generated > 0 && r.n_generated < kFewImages) {
    r.notes.push_back(few_images(r, "the generated", r.n_generated));
  }
  if (r.n_reference > 0 && r.n_reference < kFewImages) {
    r.notes.push_back(few_images(r, "the reference", r.n_reference));
  }
  if (r.fid && r.fid->doubt > 0) {
    r.notes.push_back(fmt::format(
        "a covariance is singular (rank {} of {}: N <= dimensions, or features that "
        "never change); the value is exact, but other programs' rounding moves theirs by "
        "up to {:.2g}",
        r.fid->rank, r.dims, r.fid->doubt));
  }
}

// FID and sFID; the means of `recipe` go into the mean term alone, in float32 where both are.
FrechetDistance distance(const Statistics& a, const Statistics& b, bool float32_mean,
                         ThreadPool& pool) {
  FrechetDistance d = frechet_distance(a, b, pool);
  if (float32_mean && a.float32_mean && b.float32_mean)
    d.mean_term = float32_mean_term(a.mean, b.mean);
  return d;
}

std::optional<InfluenceVariance> influences_of(const std::optional<Features>& g,
                                               const Statistics& sg,
                                               const std::optional<Features>& r,
                                               const Statistics& sr, ThreadPool& pool) {
  // Of files that don't say how many images they are of nothing can be said.
  if (sg.dims() > kMaxErrorDims || sg.count + sr.count == 0) return {};
  return influence_variance(g ? &*g : nullptr, sg, r ? &*r : nullptr, sr, pool);
}

void note_fixed(Report& report, const ImageSet& set, const Statistics& statistics) {
  if (statistics.count > 0) return;
  report.notes.push_back(fmt::format(
      "{} does not say of how many images it is: standard errors hold it fixed", set.name));
}

void score_fid(Report& report, const ImageSet& g, const ImageSet& r, const Recipe& recipe,
               std::uint64_t seed, ThreadPool& pool) {
  const auto sg = statistics_of(g.features, g.statistics, recipe.float32_mean, pool);
  const auto sr = statistics_of(r.features, r.statistics, recipe.float32_mean, pool);
  if (!sg || !sr) return;
  report.dims = sg->dims();
  report.fid = distance(*sg, *sr, recipe.float32_mean, pool);
  const auto influences = influences_of(g.features, *sg, r.features, *sr, pool);
  if (influences) {
    report.fid_standard_error = frechet_standard_error(*influences, sg->count, sr->count);
    note_fixed(report, g, *sg);
    note_fixed(report, r, *sr);
  }
  if (recipe.infinity && g.features && g.features->rows() >= kMinAtInfinity) {
    report.fid_infinity = frechet_at_infinity(*g.features, *sr, seed, pool, influences);
  } else if (recipe.infinity) {
    report.notes.push_back(
        fmt::format("no {}-infinity: it needs the features of at least {} generated images",
                    is_fid(report) ? "FID" : "FD", kMinAtInfinity));
  }
}

void score_spatial(Report& report, const ImageSet& g, const ImageSet& r, const Recipe& recipe,
                   ThreadPool& pool) {
  if (!recipe.spatial) return;
  const auto sg = statistics_of(g.spatial, g.spatial_statistics, recipe.float32_mean, pool);
  const auto sr = statistics_of(r.spatial, r.spatial_statistics, recipe.float32_mean, pool);
  if (!sg || !sr) return;
  report.sfid = distance(*sg, *sr, recipe.float32_mean, pool);
  if (const auto v = influences_of(g.spatial, *sg, r.spatial, *sr, pool)) {
    report.sfid_standard_error = frechet_standard_error(*v, sg->count, sr->count);
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

void score_logits(Report& report, const ImageSet& g, const Recipe& recipe) {
  if (!recipe.inception_score || !g.logits) return;
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

Report score(const ImageSet& g, const ImageSet& r, const Recipe& recipe, std::uint64_t seed,
             ThreadPool& pool) {
  Report report{.n_generated = g.count(), .n_reference = r.count()};
  check_makers(report, g, r);
  score_fid(report, g, r, recipe, seed, pool);
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
    throw Error(ExitCode::bad_input,
                "[metrics] {} and {}: nothing to compare, expected features or statistics in both",
                g.name, r.name);
  }
  note_counts(report);
  return report;
}

}  // namespace ddpm
