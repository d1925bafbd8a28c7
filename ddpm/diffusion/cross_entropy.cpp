#include "ddpm/diffusion/cross_entropy.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {

double cross_entropy(std::span<const float> logits, int label, double scale,
                     std::span<float> d_logits) {
  DDPM_CHECK(0 <= label && static_cast<std::size_t>(label) < logits.size() &&
                 d_logits.size() == logits.size(),
             "{} of {}, {}", label, logits.size(), d_logits.size());
  const double top = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float x : logits) sum += exact::exp(x - top);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double p = exact::exp(logits[i] - top) / sum;
    d_logits[i] = static_cast<float>(scale * (p - (static_cast<int>(i) == label ? 1 : 0)));
  }
  return exact::log(sum) - (logits[label] - top);
}

int largest(std::span<const float> logits) {
  return static_cast<int>(std::ranges::max_element(logits) - logits.begin());
}

}  // namespace ddpm
