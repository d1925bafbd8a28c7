#include "ddpm/cli/train_scorer.h"

#include "ddpm/base/error.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/score_input.h"

namespace ddpm::cli {
namespace {

// What the loop draws, as a source of images: bytes, as PNGs of the samples have.
class DrawnImages : public ImageSource {
 public:
  DrawnImages(std::int64_t count, Shape shape, const DrawSamples& draw)
      : count_(count), shape_(shape), draw_(draw) {}

  std::int64_t size() const override { return count_; }
  std::string description() const override { return "samples"; }

  std::vector<Planes> load(std::int64_t first, int n) override {
    const std::vector<float> x = draw_(first, n);
    std::vector<Planes> images;
    for (int i = 0; i < n; ++i) {
      const std::size_t size = shape_.size();
      images.push_back(planes_of_sample(std::span(x).subspan(i * size, size), shape_, true));
    }
    return images;
  }

 private:
  std::int64_t count_;
  Shape shape_;
  const DrawSamples& draw_;
};

class FeatureScorer : public Scorer {
 public:
  FeatureScorer(const RunConfig& config, ThreadPool& pool, const std::function<void()>& check)
      : shape_(config.shape()),
        pool_(pool),
        recipe_(distance_alone()),
        inputs_({.features = config.train.score_features, .recipe = recipe_}, pool) {
    const auto held_out = dataset_images(open_dataset(
        config.data.eval, {.width = shape_.w, .height = shape_.h, .channels = shape_.c}));
    Progress progress("features", held_out->size());
    reference_ = inputs_.extract_from(*held_out, [&](std::int64_t done) {
      progress.update(done, config.data.eval);
      check();
    });
    progress.finish();
  }

  std::string name() const override {
    const bool fid = is_fid(Report{.made_by = reference_.made_by});
    return fmt::format("{} ({})", fid ? "FID" : "FD", reference_.made_by);
  }

  double score(std::int64_t count, const DrawSamples& draw) override {
    DrawnImages images(count, shape_, draw);
    const ImageSet drawn = inputs_.extract_from(images, [](std::int64_t) {});
    return ddpm::score(drawn, reference_, recipe_, pool_).fid->value();
  }

  int dims() const { return reference_.features->dims(); }

 private:
  Shape shape_;
  ThreadPool& pool_;
  Recipe recipe_;
  ScoreInputs inputs_;
  ImageSet reference_;
};

}  // namespace

std::unique_ptr<Scorer> make_train_scorer(const RunConfig& config, ThreadPool& pool,
                                          const std::function<void()>& check) {
  if (const int c = config.shape().c; c != 1 && c != 3) {
    throw Error("[cli] train: got score_every = {} and images of {} channels, expected 1 or 3",
                config.train.score_every, c);
  }
  auto scorer = std::make_unique<FeatureScorer>(config, pool, check);
  if (config.train.score_count <= scorer->dims()) {
    print_warning(fmt::format(
        "[train] score_count = {} is no more than the {} features: the score is far above that of "
        "many samples, and good for comparing checkpoints only",
        config.train.score_count, scorer->dims()));
  }
  return scorer;
}

}  // namespace ddpm::cli
