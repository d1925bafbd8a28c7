// Where a run went wrong: the first tensor with a NaN or an Inf.
#pragma once

#include <string>

#include "ddpm/engine/engine.h"

namespace ddpm {

/// Name of the first tensor of `params` with a value that is not finite; "" = all are finite.
std::string first_not_finite(const Params& params);

/// What is not finite in the learner, in words, looked for in its weights, then moments, averages
/// and this step's gradients: "weight conv_in.weight"; "" = nothing.
std::string first_bad_tensor(Learner& learner, bool with_gradients);

/// Euclidean norm over all values, in double.
double global_norm(const Params& params);

}  // namespace ddpm
