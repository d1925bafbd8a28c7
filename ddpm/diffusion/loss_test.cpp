#include "ddpm/diffusion/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/golden_test.h"

namespace ddpm {
namespace {

constexpr Prediction kAll[] = {Prediction::eps, Prediction::x0, Prediction::v, Prediction::mu,
                               Prediction::score};

// One image of a golden case: what OpenAI's training loss saw.
struct Image {
  std::vector<double> x0, eps, out;  // out: the goldens' model at x_t

  Image(const Schedule& s, int t, int first, int n) {
    for (int k = first; k < first + n; ++k) {
      x0.push_back(golden::x0(k));
      eps.push_back(golden::eps(k));
      const double x_t =
          std::sqrt(s.alpha_bar(t)) * x0.back() + std::sqrt(s.one_minus_alpha_bar(t)) * eps.back();
      out.push_back(golden::model(x_t, network_time(t)));
    }
  }
};

std::vector<float> floats(const std::vector<double>& x) { return {x.begin(), x.end()}; }

double loss_in_double(const Schedule& s, int t, Prediction p, const Image& image) {
  const Target to = target_of(s, t, p);
  double sum = 0;
  for (std::size_t i = 0; i < image.out.size(); ++i) {
    const double target = to.x0 * image.x0[i] + to.eps * image.eps[i];
    sum += (target - image.out[i]) * (target - image.out[i]);
  }
  return sum / static_cast<double>(image.out.size());
}

template <class Check>
void for_each_golden(Check check) {
  const auto file = golden::load("openai_tables.json");
  for (const auto& c : file.at("losses").as_array()) {
    const Schedule s = golden::schedule(c);
    const Prediction p = parse_prediction(golden::text(c.at("prediction")));
    const auto times = golden::list<int>(c.at("t"));
    const int n = 48;
    for (int b = 0; b < static_cast<int>(times.size()); ++b) {
      check(c, s, p, times[b], b, Image(s, times[b], b * n, n));
    }
  }
}

TEST(Loss, AgreesWithOpenAi) {
  int cases = 0;
  for_each_golden(
      [&](const auto& c, const Schedule& s, Prediction p, int t, int b, const Image& image) {
        ++cases;
        const double want = c.at("loss").as_array()[b].template to_number<double>();
        const std::string what =
            s.spec() + " " + std::string(to_string(p)) + " t = " + std::to_string(t);
        golden::expect_close(loss_in_double(s, t, p, image), want, 1e-9,
                             what);  // as the goldens advise

        // In float: x0, eps, target and out are rounded, 2^-24 each of values below 3, so a
        // difference (below 4) is off by at most 2^-24 * 12 and its square by 8 times that.
        std::vector<float> target(image.out.size()), d_out(image.out.size());
        make_target(s, t, p, floats(image.x0), floats(image.eps), target);
        const double loss = simple_loss(target, floats(image.out), 1, d_out);
        EXPECT_NEAR(loss, want, 8 * 12 * 0x1p-24) << what;
      });
  EXPECT_EQ(cases, 36);
}

TEST(Loss, DerivativeAgreesWithOpenAi) {
  int cases = 0;
  for_each_golden(
      [&](const auto& c, const Schedule& s, Prediction p, int t, int b, const Image& image) {
        const auto* golden_d_out = c.as_object().if_contains("d_out");
        if (!golden_d_out) return;
        ++cases;
        const std::size_t n = image.out.size();
        std::vector<float> target(n), d_out(n);
        make_target(s, t, p, floats(image.x0), floats(image.eps), target);
        simple_loss(target, floats(image.out), 0.25, d_out);  // the mean over the 4 images
        for (std::size_t i = 0; i < n; ++i) {
          const double want = golden_d_out->as_array()[b * n + i].template to_number<double>();
          EXPECT_NEAR(d_out[i], want, 2.0 / n / 4 * 12 * 0x1p-24 + 0x1p-24 * std::abs(want)) << i;
        }
      });
  EXPECT_EQ(cases, 4);
}

// The loss is quadratic in every output, so its central difference is its derivative. With out and
// the step h = 1/4 on a grid of 2^-10, out +- h is exact, and 48 squares below 16 round to 2^-53 *
// 16 in the mean; d_out itself is a float below 1.
TEST(Loss, DerivativeIsTheCentralDifference) {
  const Schedule s = Schedule::linear();
  const Image image(s, 300, 0, 48);
  std::vector<float> out = floats(image.out), target(48), d_out(48), unused(48);
  for (float& value : out) value = std::round(value * 1024) / 1024;
  for (const Prediction p : kAll) {
    make_target(s, 300, p, floats(image.x0), floats(image.eps), target);
    const double scale = 0.5;
    simple_loss(target, out, scale, d_out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float kept = out[i], h = 0.25F;
      out[i] = kept + h;
      const double up = simple_loss(target, out, 1, unused);
      out[i] = kept - h;
      const double down = simple_loss(target, out, 1, unused);
      out[i] = kept;
      EXPECT_NEAR(d_out[i], scale * (up - down) / (2 * h), 0x1p-24) << to_string(p) << ' ' << i;
    }
  }
}

TEST(Loss, IsZeroWithZeroDerivativeAtTheTarget) {
  const std::vector<float> target = {1, -2, 3};
  std::vector<float> d_out = {9, 9, 9};
  EXPECT_EQ(simple_loss(target, target, 1, d_out), 0);
  EXPECT_EQ(d_out, std::vector<float>(3, 0.0F));
}

TEST(Loss, ByHand) {
  const std::vector<float> target = {1, 2}, out = {3, 1};
  std::vector<float> d_out(2);
  EXPECT_EQ(simple_loss(target, out, 0.5, d_out), (4 + 1) / 2.0);
  EXPECT_EQ(d_out, (std::vector<float>{1, -0.5F}));
}

TEST(Loss, WrongLengthsAreBugs) {
  const Schedule s = Schedule::linear(10);
  std::vector<float> two(2), three(3), none;
  EXPECT_THROW(make_target(s, 1, Prediction::eps, two, three, three), BugError);
  EXPECT_THROW(make_target(s, 1, Prediction::eps, three, three, two), BugError);
  EXPECT_THROW(simple_loss(two, three, 1, three), BugError);
  EXPECT_THROW(simple_loss(three, three, 1, two), BugError);
  EXPECT_THROW(simple_loss(none, none, 1, none), BugError);
}

}  // namespace
}  // namespace ddpm
