// For tests: features made of a hash, and tests/golden/metrics.
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "ddpm/base/file.h"
#include "ddpm/base/formula_for_test.h"
#include "ddpm/metrics/features.h"

namespace ddpm {

inline std::vector<float> formula_values(std::uint32_t seed, int rows, int dims, float scale,
                                         float shift) {
  std::vector<float> out;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < dims; ++j) {
      const float next = 0.5f * formula_value(seed, i * dims + (j + 1) % dims);
      out.push_back(scale * (formula_value(seed, i * dims + j) + next) + shift);
    }
  }
  return out;
}

inline Features formula_features(std::uint32_t seed, int rows, int dims, float scale, float shift) {
  return {dims, formula_values(seed, rows, dims, scale, shift)};
}

inline Features x1() { return formula_features(101, 300, 16, 1, 0.25f); }       // generated
inline Features x2() { return formula_features(102, 200, 16, 1.25f, 0.125f); }  // reference

inline Features formula_logits() {
  std::vector<float> out;
  for (int i = 0; i < 2000; ++i) out.push_back(4.0f * formula_value(103, i));
  return {10, out};
}

/// As an array of doubles holds them.
inline Features widened(const Features& f) {
  std::vector<double> out;
  for (int i = 0; i < f.rows(); ++i) {
    for (int j = 0; j < f.dims(); ++j) out.push_back(f.at(i, j));
  }
  return {f.dims(), out};
}

/// The numbers after `name` in scores.txt.
inline std::vector<double> golden_scores(const std::string& name) {
  static const std::string text =
      value_or_throw(read_file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/metrics/scores.txt"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first != name) continue;
    std::vector<double> values;
    for (double x; words >> x;) values.push_back(x);
    return values;
  }
  throw BugError("no golden " + name);
}

}  // namespace ddpm
