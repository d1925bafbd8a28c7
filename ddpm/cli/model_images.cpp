#include "ddpm/cli/model_images.h"

#include "ddpm/base/error.h"
#include "ddpm/cli/options.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/runner.h"

namespace ddpm::cli {
namespace {

class ModelImages : public ImageSource {
 public:
  ModelImages(Model model, std::int64_t count, const std::string& plan, std::uint64_t seed,
              bool round, ThreadPool& pool)
      : model_(std::move(model)),
        count_(count),
        seed_(seed),
        round_(round),
        plan_name_(plan),
        plan_(parse_plan(plan, model_.schedule, model_.view)),
        denoiser_(cpu::make_denoiser(model_.graph, model_.params, kMaxBatch, pool)) {}

  std::int64_t size() const override { return count_; }
  std::string description() const override {
    return fmt::format("{} samples of {} ({}, seed {})", count_, model_.folder.string(), plan_name_,
                       seed_);
  }

  std::vector<Planes> load(std::int64_t first, int n) override {
    DDPM_CHECK(n <= kMaxBatch, "{}", n);
    const Shape shape = denoiser_->shape();
    std::vector<float> x(n * shape.size());
    const auto number = static_cast<std::uint64_t>(first);
    start_noise(seed_, number, shape, x);
    run_plan(plan_, *denoiser_, x, philox_noise(seed_, number), {}, labels(first, n));
    std::vector<Planes> images;
    for (int i = 0; i < n; ++i) {
      images.push_back(
          planes_of_sample(std::span(x).subspan(i * shape.size(), shape.size()), shape, round_));
    }
    return images;
  }

 private:
  // Classes in turn, so that all are drawn equally often.
  std::vector<int> labels(std::int64_t first, int n) const {
    const int classes = model_.config.num_classes;
    std::vector<int> all;
    for (std::int64_t i = first; classes > 0 && i < first + n; ++i) {
      all.push_back(static_cast<int>(i % classes));
    }
    return all;
  }

  Model model_;
  std::int64_t count_;
  std::uint64_t seed_;
  bool round_;
  std::string plan_name_;
  Plan plan_;
  std::unique_ptr<Denoiser> denoiser_;
};

}  // namespace

std::unique_ptr<ImageSource> model_images(Model model, std::int64_t count, const std::string& plan,
                                          std::uint64_t seed, bool round, ThreadPool& pool) {
  const Shape shape = image_shape(model);
  if (shape.c != 1 && shape.c != 3) {
    throw Error(ExitCode::bad_input,
                "[cli] metrics: {} makes images of {} channels, expected 1 or 3",
                model.folder.string(), shape.c);
  }
  return std::make_unique<ModelImages>(std::move(model), count, plan, seed, round, pool);
}

}  // namespace ddpm::cli
