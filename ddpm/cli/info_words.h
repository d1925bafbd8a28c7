// What `ddpm info` says alike of models and classifiers.
#pragma once

#include <string>
#include <vector>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {

/// Names in files we read may be any UTF-8, control characters included.
std::string one_line(const std::string& text);

/// "linear:1000", or "1000 given betas".
std::string schedule_name(const Schedule& schedule);

/// ": 0 Bag, 1 Coat"; "" for no names.
std::string names_of_classes(const std::vector<std::string>& names);
Json json_class_names(const std::vector<std::string>& names);

}  // namespace ddpm::cli
