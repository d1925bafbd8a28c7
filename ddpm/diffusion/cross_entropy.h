// The loss of a classifier, and what guidance by one needs: log p(label | x) in closed form.
#pragma once

#include <span>

namespace ddpm {

/// -log softmax(logits)[label] in nats; d_logits = the derivative of scale times it, scale
/// (softmax - one_hot). 0 <= label < logits.size(). Finite for finite logits, however far apart.
/// Guidance by a classifier (Dhariwal & Nichol 2021, Algorithm 1) follows it with scale = -1.
double cross_entropy(std::span<const float> logits, int label, double scale,
                     std::span<float> d_logits);

/// Index of the largest; the first of equal ones.
int largest(std::span<const float> logits);

}  // namespace ddpm
