// `ddpm nll`, `ddpm progressive` and `ddpm interpolate`, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/image/png.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A model of 20 steps on 8 x 8 squares.
class Nll : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    train();
  }

  Words words(Words more) const {
    Words all = {"nll", "runs/tiny", "images-idx3-ubyte"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Json json(const Words& more) const {
    Words all = words(more);
    all.push_back("--json");
    return json_of(all);
  }

  std::string text(const Words& more) const { return good(words(more)).out; }
};

TEST_F(Nll, TellsTheBoundTermByTerm) {
  const Json j = json({});
  EXPECT_EQ(j.find("schema")->text, "ddpm.nll/1");
  EXPECT_EQ(number(j, "n_images"), 24);
  ASSERT_EQ(j.find("terms")->items.size(), 20U);
  double sum = number(j, "prior_bits_per_dim");
  for (const Json& term : j.find("terms")->items) {
    sum += number(term, "bits_per_dim");
    EXPECT_GE(number(term, "x0_mse"), 0);
    EXPECT_GT(number(term, "eps_mse"), 0);
  }
  const Json& first = j.find("terms")->items.front();
  EXPECT_EQ(number(first, "t"), 1);
  EXPECT_NEAR(number(first, "bits_per_dim"), number(j, "decoder_bits_per_dim"), 1e-13);
  EXPECT_NEAR(sum, number(j, "bits_per_dim"), 1e-12 * sum);  // sums in another order
  EXPECT_GT(number(j, "standard_error"), 0);
  const std::string report = text({});
  EXPECT_THAT(report, HasSubstr("images        24 of 24\n"));
  EXPECT_THAT(report, HasSubstr(fmt::format("bits/dim      {:.4f} +- ", sum)));
  for (const char* part : {"L_T", "sum L_t", "L_0", "rate", "distortion"}) {
    EXPECT_THAT(report, HasSubstr(part));
  }
}

TEST_F(Nll, BatchAndThreadsChangeNothing) {
  const Words one = words({"--json", "--batch", "1", "--threads", "1", "-n", "3"});
  const Words many = words({"--json", "--batch", "7", "--threads", "3", "-n", "3"});
  EXPECT_EQ(ddpm(one).out, ddpm(many).out);
  const Words ode_one = words({"--json", "--ode", "--batch", "1", "--threads", "1", "-n", "3"});
  const Words ode_many = words({"--json", "--ode", "--batch", "3", "--threads", "3", "-n", "3"});
  EXPECT_EQ(ddpm(ode_one).out, ddpm(ode_many).out);
}

TEST_F(Nll, SweepHasTheBoundsThatStepsGives) {
  const Json sweep = json({"--sweep-steps", "-n", "4", "--plot", "sweep.png"});
  ASSERT_EQ(sweep.find("sweep")->items.size(), 2U);  // 10 and all 20
  const Json ten = json({"--steps", "10", "-n", "4"});
  EXPECT_EQ(number(sweep.find("sweep")->items[0], "bits_per_dim"), number(ten, "bits_per_dim"));
  EXPECT_EQ(number(sweep.find("sweep")->items[1], "bits_per_dim"), number(sweep, "bits_per_dim"));
  EXPECT_EQ(number(ten, "steps"), 10);
  EXPECT_EQ(ten.find("terms")->items.size(), 10U);
  EXPECT_EQ(number(ten.find("terms")->items.back(), "t"), 20);  // both ends of the section
  EXPECT_EQ(read_png(folder_ / "sweep.png").value().channels, 3);
  EXPECT_THAT(text({"--sweep-steps", "-n", "4"}), HasSubstr("steps            bits/dim"));
  EXPECT_EQ(number(json({"--steps", "ddim5", "-n", "2"}), "steps"), 5);
}

TEST_F(Nll, EstimateIsNearTheWholeAndHasItsDecoder) {
  const Json whole = json({}), estimate = json({"--estimate", "8"});
  EXPECT_EQ(number(estimate, "decoder_bits_per_dim"), number(whole, "decoder_bits_per_dim"));
  EXPECT_EQ(number(estimate, "prior_bits_per_dim"), number(whole, "prior_bits_per_dim"));
  EXPECT_NE(number(estimate, "bits_per_dim"), number(whole, "bits_per_dim"));
  EXPECT_NEAR(number(estimate, "bits_per_dim"), number(whole, "bits_per_dim"),
              4 * (number(estimate, "standard_error") + number(whole, "standard_error")));
  EXPECT_EQ(estimate.find("method")->text, "estimate");
}

TEST_F(Nll, DecodersDifferAsTheirTails) {
  const Json exact = json({"-n", "4"}), tanh = json({"-n", "4", "--decoder", "tanh"});
  EXPECT_NE(number(exact, "decoder_bits_per_dim"), number(tanh, "decoder_bits_per_dim"));
  EXPECT_EQ(number(exact, "rate_bits_per_dim"), number(tanh, "rate_bits_per_dim"));
}

TEST_F(Nll, CsvHasALineAnImage) {
  text({"-n", "3", "--csv", "images.csv", "--plot", "terms.png"});
  const std::string csv = bytes("images.csv");
  EXPECT_EQ(std::ranges::count(csv, '\n'), 4);
  EXPECT_THAT(csv, testing::StartsWith("image,bits_per_dim,prior_bits_per_dim,"));
  EXPECT_EQ(read_png(folder_ / "terms.png").value().channels, 3);
  text({"-n", "2", "--ode", "--csv", "flow.csv"});
  EXPECT_THAT(bytes("flow.csv"), testing::StartsWith("image,bits_per_dim,evaluations\n0,"));
}

// The tiny model's network is nearly untrained: fitted variances cannot cost more than fixed ones.
TEST_F(Nll, FitVarianceKeepsOptimalVariancesInDdpmJson) {
  const fs::path folder = folder_ / "runs/tiny/checkpoints/step-00000004";
  const Json before =
      value_or_throw(parse_json(bytes("runs/tiny/checkpoints/step-00000004/ddpm.json"), "f"));
  const Json fixed = json({"--fit-variance"});
  const Json after =
      value_or_throw(parse_json(bytes("runs/tiny/checkpoints/step-00000004/ddpm.json"), "f"));
  EXPECT_EQ(after.find("variance")->text, "optimal");
  EXPECT_EQ(after.find("mean_eps_squared")->items.size(), 20U);
  EXPECT_EQ(after.find("eps_error")->items.size(), 20U);
  for (std::size_t i = 0; i < before.keys.size(); ++i) {
    EXPECT_EQ(*after.find(before.keys[i]), before.items[i]) << before.keys[i];
  }
  const Json optimal = json({});
  EXPECT_EQ(optimal.find("variance")->text, "optimal");
  EXPECT_NE(number(optimal, "rate_bits_per_dim"), number(fixed, "rate_bits_per_dim"));
  EXPECT_EQ(ddpm({"sample", "runs/tiny", "-n", "1", "--plan", "ddpm:20"}).code, 0);
  EXPECT_EQ(number(json({"--steps", "5"}), "steps"), 5);
}

// VDM, App. I: the ends stay, and the schedule is one that every command and config reads.
TEST_F(Nll, FitScheduleSaysOneThatCanBeTrainedOn) {
  const std::string spec = json({"--fit-schedule", "5"}).find("fitted_schedule")->text;
  EXPECT_THAT(text({"--fit-schedule", "5"}), HasSubstr("schedule      " + spec + "\n"));
  EXPECT_THAT(spec, testing::StartsWith("logsnr:20,knots="));
  const Schedule fitted = Schedule::parse(spec), before = Schedule::parse("linear:20");
  EXPECT_NEAR(fitted.snr(1), before.snr(1), 1e-9 * before.snr(1));
  EXPECT_NEAR(fitted.snr(20), before.snr(20), 1e-9 * before.snr(20));
  EXPECT_EQ(ddpm({"plan", spec, "--plan", "ddpm:20"}).code, 0);
  EXPECT_EQ(json({}).find("fitted_schedule"), nullptr);
}

TEST_F(Nll, WrongWaysAreNamed) {
  expect_error({"nll", "runs/tiny", "nowhere"}, 3, "nowhere");
  expect_error({"nll", "nothing", "images-idx3-ubyte"}, 3, "nothing");
  expect_error(words({"--decoder", "tan"}), 2, "tan");
  expect_error(words({"--steps", "21"}), 2, "21");
  expect_error(words({"--steps", "ten"}), 2, "ten");
  expect_error(words({"--ode", "--steps", "5"}), 2, "--ode");
  expect_error(words({"--estimate", "3", "--fit-variance"}), 2, "--fit-variance");
  expect_error(words({"--estimate", "3", "--fit-schedule", "5"}), 2, "--fit-schedule");
  expect_error(words({"--fit-schedule", "1"}), 2, "--fit-schedule");
  expect_error(words({"--ode", "--plot", "a.png"}), 2, "has no terms");
  expect_error(words({"--plot", "no/folder.png"}), 2, "mkdir");
  expect_error(words({"-n", "0"}), 2, "--count");
  folder_.write("large-idx3-ubyte", idx_images(2, 16));
  expect_error({"nll", "runs/tiny", "large-idx3-ubyte"}, 2, "16");
}

TEST_F(Nll, ProgressiveDrawsItsFiguresAndTheCurve) {
  const Outcome outcome = ddpm({"progressive", "runs/tiny", "images-idx3-ubyte", "-n", "5",
                                "--rows", "3", "--frames", "4", "-o", "p", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json j = value_or_throw(parse_json(outcome.out, "stdout"));
  EXPECT_EQ(j.find("files")->items.size(), 4U);
  for (const char* name : {"denoising.png", "shared.png", "rate_distortion.png"}) {
    EXPECT_TRUE(read_png(folder_ / "p" / name).has_value()) << name;
  }
  const std::string csv = bytes("p/rate_distortion.csv");
  EXPECT_THAT(csv, testing::StartsWith("reverse_step,t,rate_bits_per_dim,rmse,psnr_db\n1,20,"));
  EXPECT_EQ(std::ranges::count(csv, '\n'), 21);
  const Json nll = json({"-n", "5"});
  EXPECT_NEAR(number(j.find("rate_distortion")->items.back(), "rate_bits_per_dim"),
              number(nll, "rate_bits_per_dim"), 1e-12);
  const Outcome table = ddpm(
      {"progressive", "runs/tiny", "images-idx3-ubyte", "-n", "2", "--steps", "10", "-o", "p"});
  EXPECT_THAT(table.out, HasSubstr("reverse step       t  rate (bits/dim)"));
  EXPECT_EQ(ddpm({"progressive", "runs/tiny", "-o", "pictures"}).out,
            "pictures/denoising.png\npictures/shared.png\n");
  expect_error({"progressive", "runs/tiny", "--steps", "21"}, 2, "--steps 21");
}

TEST_F(Nll, InterpolateMixesTwoImages) {
  const Words numbers = {"interpolate", "runs/tiny", "0", "5", "--data", "images-idx3-ubyte"};
  const auto with = [&](Words more) {
    Words all = numbers;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  ASSERT_EQ(ddpm(with({"-o", "shared.png"})).code, 0);
  ASSERT_EQ(ddpm(with({"-o", "own.png", "--independent-noise"})).code, 0);
  EXPECT_NE(bytes("shared.png"), bytes("own.png"));
  const Outcome outcome = ddpm(with({"--at", "5,20", "--mixes", "3", "--json"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Json j = value_or_throw(parse_json(outcome.out, "stdout"));
  EXPECT_EQ(j.find("t")->items.size(), 2U);
  EXPECT_EQ(j.find("lambda")->items[1].real(), 0.25);
  expect_error(with({"--at", "21"}), 2, "expected times in 1..20");
  expect_error({"interpolate", "runs/tiny", "0", "24", "--data", "images-idx3-ubyte"}, 2, "0..23");
  expect_error({"interpolate", "runs/tiny", "0", "1"}, 3, "0");
}

}  // namespace
}  // namespace ddpm::test
