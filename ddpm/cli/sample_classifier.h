// The classifier that guides `ddpm sample`.
#pragma once

#include <string>

#include "ddpm/net/classifier.h"

namespace ddpm::cli {

/// Reads --classifier `name`. Throws Error (usage) that names what does not fit `model`, called
/// `model_name`: it sees clean images, other images, another forward process, other classes.
Classifier open_guide(const std::string& name, const Model& model, const std::string& model_name);

}  // namespace ddpm::cli
