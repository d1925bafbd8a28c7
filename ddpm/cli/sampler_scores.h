// What `ddpm bench-samplers` measured, and the forms it takes: table, CSV, JSON, picture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ddpm/image/image.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {

struct SamplerScore {
  std::string sampler, plan;  // dpmpp,order=3 and dpmpp:20,order=3
  int calls = 0;
  double seconds = 0;                              // to draw an image
  std::optional<double> distance, standard_error;  // none without a reference
};

/// What all rows have in common.
struct SamplerStudy {
  std::string model, data;  // data: the reference, "" for none
  std::string score;        // "FID" or "FD in classifier:NAME"; "" without a reference
  std::int64_t count = 0;   // images a plan
  std::uint64_t seed = 0;
};

/// One row as a line of words.
std::string sampler_line(const SamplerScore& row, const SamplerStudy& study);

/// Lines on standard output.
void print_sampler_table(const std::vector<SamplerScore>& rows, const SamplerStudy& study);

/// With a line of names; words are quoted, as plans have commas. What was not measured is empty.
std::string sampler_csv(const std::vector<SamplerScore>& rows);

Json sampler_json(const std::vector<SamplerScore>& rows);

/// Score (where there is one) above time, both against calls, a line a sampler.
Image sampler_picture(const std::vector<SamplerScore>& rows, const SamplerStudy& study);

}  // namespace ddpm::cli
