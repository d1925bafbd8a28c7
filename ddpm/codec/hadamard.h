// Sparse sums of structured atoms as transmitted noise. Turbo-DDCM (Vaisman et al. 2025,
// arXiv:2511.06424) sends the best few of a codebook of normal vectors; here the codebook is 64 to
// 1024 random orthogonal bases of +-1 sums, whose correlations with u are fast transforms and whose
// values are integers, exact on every machine.
#pragma once

#include <span>

#include "ddpm/codec/transmitter.h"

namespace ddpm {

/// How many atoms a budget pays for: the most with atoms + subset_bits(codebook, atoms) <= budget.
/// n: elements of the step.
int hadamard_atoms(Codebook codebook, std::size_t n, int budget);

/// Bits of so many atoms.
int hadamard_bits(Codebook codebook, std::size_t n, int atoms);

/// send() and receive() of transmitter.h. `z` of send_hadamard holds the shared noise before.
void send_hadamard(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
                   std::span<float> z);
Result<void> receive_hadamard(const StepKey& key, int budget, BitReader& reader,
                              std::span<float> z);

}  // namespace ddpm
