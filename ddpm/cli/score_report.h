// How `ddpm metrics` says its scores.
#pragma once

#include "ddpm/metrics/report.h"

namespace ddpm::cli {

/// Lines on standard output, notes on standard error. Scores in features of other networks than
/// Inception are a Frechet distance (FD), never called FID.
void print_scores(const Report& report, const Recipe& recipe, const std::string& how);

/// One document, schema ddpm.metrics/1; what was not computed is null.
void print_scores_as_json(const Report& report, const Recipe& recipe, const std::string& how);

}  // namespace ddpm::cli
