#include "ddpm/metrics/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/metrics/formula_for_test.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

template <class Action>
std::string message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "no error";
}

// np.mean and np.cov (ddof 1) of the same features; sums of 300 products, so 1e-14.
TEST(Statistics, AreNumPysMeanAndCovariance) {
  ThreadPool pool(2);
  const Statistics s = statistics(x1(), pool);
  EXPECT_NEAR(s.mean[0], 0.24318240841229757, 1e-14);
  EXPECT_NEAR(s.mean[3], 0.23250786046187083, 1e-14);
  EXPECT_NEAR(s.covariance.at(0, 0), 0.41613125108044735, 1e-14);
  EXPECT_NEAR(s.covariance.at(0, 1), 0.17296841846232996, 1e-14);
  EXPECT_NEAR(s.covariance.at(3, 0), -0.042676657242275755, 1e-14);
  EXPECT_EQ(s.count, 300);
}

TEST(Statistics, InFloat32AddRowsOneByOne) {
  const float big = 16777216;  // 2^24: adding 1 to it is lost in float
  const Features f(1, std::vector<float>{big, 1, 1, 1});
  EXPECT_EQ(float32_mean(f)[0], big / 4);
  ThreadPool pool(1);
  EXPECT_EQ(statistics(f, pool).mean[0], (16777216.0 + 3) / 4);
}

TEST(Statistics, NeedTwoImages) {
  ThreadPool pool(1);
  EXPECT_THAT(message([&] { statistics(x1().slice(0, 1), pool); }),
              HasSubstr("got 1 image, expected at least 2"));
}

TEST(Statistics, ComeBackFromAFileBitForBit) {
  ThreadPool pool(1);
  const Statistics s = statistics(x1(), pool);
  const auto arrays = parse_npz(write_npz(to_arrays(s)), "s.npz", {"mu", "sigma", "n"});
  EXPECT_EQ(from_arrays(arrays.value(), "s.npz").value(), s);
}

TEST(Statistics, OfPytorchFidHaveNoCount) {
  ThreadPool pool(1);
  auto arrays = to_arrays(statistics(x1(), pool));
  arrays.erase("n");
  EXPECT_EQ(from_arrays(arrays, "s.npz").value().count, 0);
  arrays["mu_s"] = arrays["mu"];
  arrays["sigma_s"] = arrays["sigma"];
  EXPECT_EQ(from_arrays(arrays, "s.npz", "_s").value(), from_arrays(arrays, "s.npz").value());
  EXPECT_FALSE(from_arrays({}, "s.npz").has_value());
}

TEST(Statistics, RefuseBrokenArraysByName) {
  ThreadPool pool(1);
  const auto good = to_arrays(statistics(x1(), pool));
  const auto edited = [&](std::size_t i, double value) {
    auto arrays = good;
    std::vector<double> sigma;
    for (std::size_t k = 0; k < 256; ++k) sigma.push_back(k == i ? value : good.at("sigma").at(k));
    arrays["sigma"] = npy_f64({16, 16}, sigma);
    return message([&] { from_arrays(arrays, "s.npz"); });
  };
  EXPECT_THAT(edited(1, 0.5), HasSubstr("`sigma`[1, 0] is 0.17"));
  EXPECT_THAT(edited(1, 0.5), HasSubstr("expected a symmetric covariance"));
  EXPECT_THAT(edited(0, -1), HasSubstr("`sigma`[0, 0] is -1, expected variances >= 0"));
  EXPECT_THAT(edited(7, std::numeric_limits<double>::quiet_NaN()),
              HasSubstr("`sigma` has nan at position 7"));
  auto arrays = good;
  arrays["mu"] = npy_f64({15}, std::vector<double>(15));
  EXPECT_THAT(message([&] { from_arrays(arrays, "s.npz"); }),
              HasSubstr("`mu` has shape (15) and `sigma` (16, 16), expected (d) and (d, d)"));
  arrays.erase("mu");
  EXPECT_THAT(message([&] { from_arrays(arrays, "s.npz"); }), HasSubstr("s.npz: got no `mu`"));
}

TEST(Features, RefuseWhatAreNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message([&] { Features(2, std::vector<float>{0, 1, 2, nan}, "a.npy"); }),
              HasSubstr("a.npy: got nan in row 1, column 1, expected finite features"));
  EXPECT_THAT(message([&] { to_features(npy_f32({4}, std::vector<float>(4)), "a.npy"); }),
              HasSubstr("got float32 of shape (4), expected features"));
  EXPECT_THAT(message([&] { to_features(npy_f32({0, 4}, {}), "a.npy"); }),
              HasSubstr("got 0 images with 4 features"));
  EXPECT_THAT(message([&] { to_features({NpyType::u8, {1, 1}, "x"}, "a.npy"); }),
              HasSubstr("got uint8"));
  EXPECT_THAT(message([&] { concatenate({x1(), formula_features(1, 2, 5, 1, 0)}); }),
              HasSubstr("got 16 and 5 features"));
}

TEST(Shards, PartTheImages) {
  for (const std::int64_t n : {0, 1, 7, 10, 1000}) {
    std::int64_t next = 0;
    for (int i = 0; i < 7; ++i) {
      const ShardRange range = shard_range(n, i, 7);
      EXPECT_EQ(range.first, next);
      EXPECT_LE(range.last - range.first, n / 7 + 1);
      next = range.last;
    }
    EXPECT_EQ(next, n);
  }
  EXPECT_THROW(shard_range(5, 2, 2), Error);
  EXPECT_THROW(shard_range(5, -1, 2), Error);
}

}  // namespace
}  // namespace ddpm
