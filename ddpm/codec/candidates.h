// Searches among normal vectors that both sides can draw: slow, and the references that the
// Hadamard transmitter is measured against. Elements are dealt to chunks at random; each chunk has
// a codebook of its own of at most 2^16 vectors.
#pragma once

#include <span>

#include "ddpm/codec/transmitter.h"

namespace ddpm {

/// The Poisson functional representation (Li and El Gamal 2018) cut off at 2^c candidates, as DiffC
/// (Vonderfecht and Liu 2025) has it: 14 bits a chunk and 2 spare. `budget` is the KL divergence
/// that the sender expects. `z` of send_pfr holds the shared noise before.
void send_pfr(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
              std::span<float> z);
Result<void> receive_pfr(const StepKey& key, int budget, BitReader& reader, std::span<float> z);

/// The candidate with the largest <u, z> (DDCM, Ohayon et al. 2025), at most 14 bits a chunk.
void send_greedy(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
                 std::span<float> z);
Result<void> receive_greedy(const StepKey& key, int budget, BitReader& reader, std::span<float> z);

}  // namespace ddpm
