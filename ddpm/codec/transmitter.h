// Sending a sample of a normal distribution that only the sender knows (the paper's Algorithms 3
// and 4): relative entropy coding with randomness that both sides have. docs/compression.md
// compares the ways; docs/format.md, "Transmitted steps", fixes their bits.
//
// One step: the sender has q = N(mean_q, variance), both have p = N(mean_p, variance). With
// u = (mean_q - mean_p) / sqrt(variance), a sample of q is mean_p + sqrt(variance) z for z of
// N(u, 1). An index is sent from which both sides make the same z, which looks like a draw from
// N(0, 1) to those who don't know u.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ddpm/entropy/bits.h"

namespace ddpm {

enum class Transmitter : std::uint8_t {
  hadamard = 0,  // a few columns of random Hadamard bases; the default
  pfr = 1,       // Poisson functional representation in chunks (Theis et al. 2022, DiffC)
  greedy = 2,    // the best of 2^14 normal vectors a chunk (DDCM)
  ideal = 3,     // samples q truly, counts the bits of the KL divergence, can't be received
};

/// "hadamard", ...; Error that lists the names.
Transmitter parse_transmitter(const std::string& name);
std::string name_of(Transmitter transmitter);

/// The atoms that `hadamard` chooses from: the more there are, the more of its bits an index
/// delivers and the longer the search takes.
enum class Codebook : std::uint8_t {
  small,  // 64 bases, each of signs of its own: of the codec's tables of formats 1 and 2
  large,  // 64 to 1024 bases, of signs that are products of 64 rows
};

/// Which randomness a step uses; no two steps of a file share a key.
struct StepKey {
  std::uint64_t seed = 0;
  std::uint64_t item = 0;  // image or tile, below 2^44
  std::uint32_t step = 0;  // number of the step, sub-steps counted
  Codebook codebook = Codebook::large;
};

/// KL(N(u, 1) | N(0, 1)) = |u|^2 / (2 ln 2) bits.
double kl_bits(std::span<const float> u);

/// Elements of u and z that a step can have.
inline constexpr std::size_t kMaxStepSize = std::size_t{1} << 18;

/// Appends the index of a z that u asks for, and makes z. `budget`: bits that both sides agree on,
/// 0..65535; hadamard and greedy write at most that many, pfr about 3 more for each 14. Budget 0
/// writes nothing: z is noise that both sides know. u, z: [n], n <= kMaxStepSize, u finite. Returns
/// the bits written; for ideal, the KL divergence and nothing is written.
double send(Transmitter transmitter, const StepKey& key, int budget, std::span<const float> u,
            BitWriter& writer, std::span<float> z);

/// The z that send() made, to the bit. need_more: the index is cut short; corrupt: no sender writes
/// it; unsupported: ideal. z is then untouched.
Result<void> receive(Transmitter transmitter, const StepKey& key, int budget, BitReader& reader,
                     std::span<float> z);

}  // namespace ddpm
