#include "ddpm/metrics/inception_score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/metrics/numpy_random.h"

namespace ddpm {
namespace {

struct Part {
  int first, last;
};

std::vector<Part> parts_of(int n, const InceptionScoreOptions& o) {
  std::vector<Part> parts;
  const std::int64_t wide = n;
  if (o.splitting == Splitting::rows) {
    for (int first = 0; first < n; first += o.splits) {
      parts.push_back({first, std::min(first + o.splits, n)});
    }
    return parts;
  }
  if (n < o.splits) {
    throw Error(
        "[metrics] inception_score: got {} images, expected at least one for each of {} "
        "splits: N is too small; try --splits {}",
        n, o.splits, n);
  }
  for (int i = 0; i < o.splits; ++i) {
    const bool even = o.splitting == Splitting::even;
    const int first = even ? static_cast<int>(wide * i / o.splits) : n / o.splits * i;
    const int last = even ? static_cast<int>(wide * (i + 1) / o.splits) : n / o.splits * (i + 1);
    parts.push_back({first, last});
  }
  return parts;
}

// p and log p of one image; softmax with the maximum taken out.
struct Probabilities {
  std::vector<double> p, log_p;
  std::int64_t underflows = 0;

  void set(const Features& logits, int row, bool float32) {
    const int classes = logits.dims();
    p.resize(classes);
    log_p.resize(classes);
    logits.row(row, p.data());
    const double largest = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (int c = 0; c < classes; ++c) {
      log_p[c] = p[c] - largest;
      p[c] = exact::exp(log_p[c]);
      sum += p[c];
    }
    const double log_sum = exact::log(sum);
    for (int c = 0; c < classes; ++c) {
      p[c] /= sum;
      log_p[c] -= log_sum;
      if (!float32) continue;
      p[c] = static_cast<float>(p[c]);
      underflows += p[c] == 0 ? 1 : 0;
      log_p[c] = p[c] == 0 ? 0 : exact::log(p[c]);  // then p log p is 0
    }
  }
};

struct PartScore {
  double score, variance;  // variance of the score's estimate
};

PartScore score_part(const Features& logits, const std::vector<int>& order, Part part, bool float32,
                     Probabilities& row) {
  const int n = part.last - part.first;
  std::vector<double> q(logits.dims());
  for (int i = part.first; i < part.last; ++i) {
    row.set(logits, order[i], float32);
    for (std::size_t c = 0; c < q.size(); ++c) q[c] += row.p[c];
  }
  for (double& v : q) v = v > 0 ? exact::log(v / n) : 0;
  row.underflows = 0;
  double sum = 0, squares = 0;
  for (int i = part.first; i < part.last; ++i) {
    row.set(logits, order[i], float32);
    double divergence = 0;
    for (std::size_t c = 0; c < q.size(); ++c) divergence += row.p[c] * (row.log_p[c] - q[c]);
    sum += divergence;
    squares += divergence * divergence;
  }
  const double mean = sum / n, score = exact::exp(mean);
  return {score, score * score * std::max(squares / n - mean * mean, 0.0) / n};
}

}  // namespace

InceptionScore inception_score(const Features& logits, const InceptionScoreOptions& options) {
  DDPM_CHECK(options.splits >= 1 && logits.rows() >= 1);
  std::vector<int> order(logits.rows());
  std::iota(order.begin(), order.end(), 0);
  if (options.shuffle) order = NumpyRandom(*options.shuffle).permutation(logits.rows());
  InceptionScore out;
  Probabilities row;
  double variance = 0;
  for (const Part part : parts_of(logits.rows(), options)) {
    row.underflows = 0;
    const PartScore p = score_part(logits, order, part, options.float32, row);
    out.parts.push_back(p.score);
    out.mean += p.score;
    variance += p.variance;
    out.underflows += row.underflows;
  }
  const auto n = static_cast<double>(out.parts.size());
  out.mean /= n;
  double squares = 0;
  for (const double s : out.parts) squares += (s - out.mean) * (s - out.mean);
  if (out.parts.size() > 1) out.deviation = std::sqrt(squares / n);
  out.standard_error = std::sqrt(variance) / n;
  return out;
}

}  // namespace ddpm
