// Draws samples batch by batch into an output, with progress, and so that a killed process can be
// gone on from.
#pragma once

#include "ddpm/cli/sample_output.h"
#include "ddpm/cli/sample_trace.h"
#include "ddpm/engine/runner.h"

namespace ddpm::cli {

struct SampleJob {
  const Plan& plan;
  Denoiser& denoiser;
  std::uint64_t seed = 0, first = 0;
  std::int64_t count = 0;
  std::vector<int> labels;       // as SampleOutputSpec's
  int preview = 0;               // show x0 on a terminal every so many network calls; 0: don't
  SampleTrace* trace = nullptr;  // of images of the first batch
};

/// Adds what the output lacks of images first .. first + count. Image i depends on (seed, i) alone.
/// A signal leaves the output such that the same command goes on there, and throws Interrupted.
void draw_samples(const SampleJob& job, SampleOutput& output);

}  // namespace ddpm::cli
