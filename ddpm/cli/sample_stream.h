// Samples as one file of any length, written as they come and resumed where a process was killed:
// FILE.part grows, FILE.part.json says how far it is good.
#pragma once

#include "ddpm/cli/sample_output.h"

namespace ddpm::cli {

/// float32 [N, C, H, W] in [-1, 1], not clipped.
std::unique_ptr<SampleOutput> make_npy_output(const SampleOutputSpec& spec);

/// As guided-diffusion's evaluator reads it: `arr_0` uint8 [N, H, W, C] and, where there are
/// classes, `arr_1` int64 [N].
std::unique_ptr<SampleOutput> make_npz_output(const SampleOutputSpec& spec);

}  // namespace ddpm::cli
