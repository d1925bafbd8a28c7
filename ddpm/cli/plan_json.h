// A plan as JSON, docs/plan_format.md.
#pragma once

#include "ddpm/diffusion/plan.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {

/// The member `rows`.
Json plan_rows_json(const Plan& plan);

}  // namespace ddpm::cli
