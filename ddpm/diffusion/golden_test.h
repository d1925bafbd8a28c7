// Golden numbers of the reference implementations: tests/golden/diffusion/README.md says how they
// were made.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm::golden {

using boost::json::value;

/// A file of tests/golden/diffusion. Boost.JSON reads doubles to within an ulp, far below every
/// tolerance here.
inline value load(const std::string& file) {
  std::ifstream in(DDPM_SOURCE_DIR "/tests/golden/diffusion/" + file);
  if (!in) throw std::runtime_error("no golden file " + file);
  return boost::json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

template <class T>
std::vector<T> list(const value& v) {
  return boost::json::value_to<std::vector<T>>(v);
}

inline std::string text(const value& v) { return std::string(v.as_string()); }

inline Schedule schedule(const value& v) { return Schedule::parse(text(v.at("spec"))); }

// The formulas of the goldens' inputs.
inline double x0(int k) { return ((37 * k + 11) % 256) / 127.5 - 1; }
inline double eps(int k) { return 1.1 * std::sin(0.53 * k + 0.2) + 0.3 * std::cos(1.9 * k); }
inline double start(int i) { return 1.4 * std::sin(0.8 * i + 0.25); }
inline double noise(int draw, int i) { return 1.2 * std::sin(1.7 * draw + 0.9 * i + 0.3); }

/// The network of the goldens; `time` as networks are fed.
inline double model(double x, double time) {
  return 0.3 * x * std::cos(time / 300) + 0.1 * std::sin(3 * x + time / 100);
}

/// |got - want| <= tolerance * max(1, |want|).
inline void expect_close(double got, double want, double tolerance, const std::string& what) {
  EXPECT_NEAR(got, want, tolerance * std::max(1.0, std::abs(want))) << what;
}

}  // namespace ddpm::golden
