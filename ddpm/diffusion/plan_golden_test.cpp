#include <gtest/gtest.h>

#include "ddpm/diffusion/golden_test.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/plan_interpreter_test.h"

namespace ddpm {
namespace {

// The goldens advise 1e-9 relative for double with double tables. (Their tables are less exact than
// ours, by up to 1e-12 of 1 - alpha_bar at t = 1, and their numbers have 12 digits.)
constexpr double kTol = 1e-9;

Vector network(const Vector& x, double time) {
  Vector out = x;
  for (double& value : out) value = golden::model(value, time);
  return out;
}

ModelView view_of(const golden::value& c) {
  return {.prediction = parse_prediction(golden::text(c.at("prediction"))),
          .variance = parse_variance(golden::text(c.at("variance"))),
          .limit = c.at("clip").as_bool() ? Limit::clip() : Limit::no_limit()};
}

// Paper's times of the golden run. Where the run's spacing is one of ours, our function must give
// the same.
std::vector<int> times_of(const golden::value& c, int T) {
  auto times = golden::list<int>(c.at("network_times"));
  for (int& t : times) ++t;
  if (golden::text(c.at("spacing")) == "uniform") {
    EXPECT_EQ(times, spaced_times(T, static_cast<int>(times.size()), Spacing::uniform));
  }
  return times;
}

Plan plan_of(const golden::value& c) {
  const Schedule s = golden::schedule(c);
  ModelView view = view_of(c);
  if (golden::text(c.at("eps_from")) == "raw") view.eps_from = EpsFrom::raw;
  const std::vector<int> times = times_of(c, s.T());
  return golden::text(c.at("sampler")) == "ddpm"
             ? ddpm_plan(s, times, view)
             : ddim_plan(s, times, c.at("eta").to_number<double>(), view);
}

void expect_trajectory(const golden::value& c) {
  const auto steps = golden::list<int>(c.at("steps_recorded"));
  const auto states = golden::list<Vector>(c.at("x"));
  Vector x(6);
  for (int i = 0; i < 6; ++i) x[i] = golden::start(i);
  std::size_t seen = 0;
  run(plan_of(c), network, golden::noise, x, [&](int row, const Vector& state, const Vector&) {
    if (seen == steps.size() || row != steps[seen]) return;
    for (std::size_t i = 0; i < 6; ++i) {
      golden::expect_close(state[i], states[seen][i], kTol,
                           golden::text(c.at("id")) + ", row " + std::to_string(row));
    }
    ++seen;
  });
  EXPECT_EQ(seen, steps.size());
}

TEST(PlanGolden, TrajectoriesAreThoseOfDiffusersAndOpenAi) {
  const auto file = golden::load("trajectories.json");
  for (const auto& c : file.at("runs").as_array()) expect_trajectory(c);
  EXPECT_EQ(file.at("runs").as_array().size(), 20);
}

// One row of the full ancestral plan against OpenAI's p_mean_variance at x_t of q_sample.
struct RowCase {
  const golden::value& c;
  ModelView view = view_of(c);
  Schedule s = golden::schedule(c);
  Plan plan = ddpm_plan(s, spaced_times(s.T(), s.T(), Spacing::uniform), view);

  double want(const char* key, std::size_t i) const {
    return c.at(key).as_array()[i].to_number<double>();
  }

  void expect_element(std::size_t i, int k, int t) const {
    const std::string what = s.spec() + " t = " + std::to_string(t) + " k = " + std::to_string(k);
    const Row& row = plan[s.T() - t];
    Vector x = {std::sqrt(s.alpha_bar(t)) * golden::x0(k) +
                std::sqrt(s.one_minus_alpha_bar(t)) * golden::eps(k)};
    const double x0 = run_row(row, 0, network, [](int, int) { return 0; }, x)[0];
    golden::expect_close(x0, want("pred_xstart", i), kTol, what);
    // OpenAI takes an output that means mu as the mean even where x0 is clipped; ours goes through
    // x0.
    const bool clipped = view.limit.kind == Limit::Kind::clip && std::abs(x0) == 1;
    if (view.prediction != Prediction::mu || !clipped) {
      golden::expect_close(x[0], want("mean", i), kTol, what);
    }
    if (t == 1)
      return;  // OpenAI adds noise of a clipped variance there and then masks it; ours has none
    const double c_z = row.updates[0].c_z;
    golden::expect_close(std::log(c_z * c_z), want("log_variance", i), kTol, what);
  }
};

TEST(PlanGolden, AncestralRowsAreOpenAisMeanAndVariance) {
  const auto file = golden::load("openai_tables.json");
  int elements = 0;
  for (const auto& c : file.at("p_mean_variance").as_array()) {
    const RowCase row_case{c};
    const auto times = golden::list<int>(c.at("t"));
    const auto flat = golden::list<int>(c.at("flat_index"));
    for (std::size_t i = 0; i < flat.size(); ++i, ++elements) {
      row_case.expect_element(i, flat[i], times[flat[i] / 48]);
    }
  }
  EXPECT_EQ(elements, 3 * 16);
}

}  // namespace
}  // namespace ddpm
