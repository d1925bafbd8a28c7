// The trajectories of diffusers' schedulers once more, through the float runner.
#include <gtest/gtest.h>

#include "ddpm/diffusion/schedulers_golden_test.h"
#include "ddpm/engine/runner.h"

namespace ddpm {
namespace {

using golden::value;

// The goldens' network on images of [3, 1, 2].
class GoldenDenoiser : public Denoiser {
 public:
  explicit GoldenDenoiser(const value& c) : case_(c) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    for (std::size_t n = 0; n < time.size(); ++n) {
      const auto image = x.subspan(6 * n, 6);
      const Vector values = golden::outputs(case_, {image.begin(), image.end()}, time[n]);
      std::ranges::transform(values, out.begin() + static_cast<long>(n * values.size()),
                             [](double v) { return static_cast<float>(v); });
    }
  }
  Shape shape() const override { return {3, 1, 2}; }
  Shape out_shape() const override {
    return {case_.at("learned_variance_output").as_bool() ? 6 : 3, 1, 2};
  }
  int max_batch() const override { return 2; }

 private:
  const value& case_;
};

// The goldens' README: single precision meets x_f64 within 3 max(err_tables, err_f32), at least
// 5e-6, of max(1, |x|). Both were measured with diffusers, whose state in float32 is ours.
double tolerance(const value& c) {
  return std::max(5e-6, 3 * std::max(golden::real(c, "err_tables"), golden::real(c, "err_f32")));
}

// Two images of a batch, alike.
void expect_trajectory(const value& c) {
  const Plan plan = golden::plan_of(c);
  const auto steps = golden::list<int>(c.at("steps_recorded"));
  const auto states = golden::list<Vector>(c.at("x_f64"));
  const std::vector<int> draws = golden::draws_before(plan);
  GoldenDenoiser denoiser(c);
  std::vector<float> x(12);
  for (int i = 0; i < 6; ++i) x[i + 6] = x[i] = static_cast<float>(golden::start(i));
  const NoiseSource noise = [&](int, int row, std::span<float> z) {
    for (int i = 0; i < 6; ++i) z[i] = static_cast<float>(golden::noise(draws[row], i));
  };
  std::size_t seen = 0;
  run_plan(plan, denoiser, x, noise, [&](int row, std::span<const float> state, auto) {
    if (seen == steps.size() || row != steps[seen]) return true;
    for (std::size_t i = 0; i < 12; ++i) {
      golden::expect_close(state[i], states[seen][i % 6], tolerance(c), fmt::format("row {}", row));
    }
    ++seen;
    return true;
  });
  EXPECT_EQ(seen, steps.size());
}

TEST(RunPlan, ReproducesDiffusersTrajectoriesInSinglePrecision) {
  for (const value& c : golden::scheduler_cases()) {
    SCOPED_TRACE(golden::text(c.at("id")));
    expect_trajectory(c);
  }
}

}  // namespace
}  // namespace ddpm
