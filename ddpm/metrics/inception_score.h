// Inception Score (Salimans et al. 2016, arXiv:1606.03498): exp of the mean divergence of
// p(class | image) from p(class).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ddpm/metrics/features.h"

namespace ddpm {

/// How the images are parted; the score is the mean over the parts.
enum class Splitting {
  even,            // torch-fidelity: part i is rows [i N / S, (i + 1) N / S)
  drop_remainder,  // dgm-eval: parts of N / S rows each, what is left over is not used
  rows,            // guided-diffusion: `splits` rows a part, the last may be shorter
};

struct InceptionScoreOptions {
  Splitting splitting = Splitting::even;
  int splits = 10;                              // tfgan: 1
  std::optional<std::uint32_t> shuffle = 2020;  // RandomState(seed).permutation(N) first
  bool float32 = false;  // guided-diffusion, openai: probabilities rounded to float32
};

struct InceptionScore {
  double mean = 0;                  // over the parts
  std::optional<double> deviation;  // over the parts, ddof 0; none of a single part
  double standard_error = 0;        // of the mean, to the first order, from the images' divergences
  std::vector<double> parts;
  std::int64_t underflows = 0;  // float32 probabilities of 0, where their program prints NaN
};

/// `logits` [N, classes]. Throws Error (usage) when there are fewer images than parts.
InceptionScore inception_score(const Features& logits, const InceptionScoreOptions& options);

}  // namespace ddpm
