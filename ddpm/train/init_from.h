// Weights that training begins with instead of new ones.
#pragma once

#include <string>

#include "ddpm/net/classifier.h"
#include "ddpm/net/model.h"

namespace ddpm {

/// Takes the weights of the model `name` (see model_folder()), whose network has the same tensors.
/// Its times, prediction and classes may be others. Throws Error (bad_input) that names the first
/// tensor that differs.
void take_weights(const std::string& name, Model& model);

/// The same between classifiers.
void take_weights(const std::string& name, Classifier& classifier);

}  // namespace ddpm
