// Counter-based noise: every random number is a function of its key alone, never of threads,
// batches or order. Philox4x32-10 of Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3". The layout of counter and key is part of the file formats: docs/format.md, "Noise".
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace ddpm {

/// The Philox4x32-10 block function.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// What a stream of numbers is for; streams of different purposes are independent. Values are never
/// reused.
enum class Purpose : std::uint8_t {
  init_weights = 1,  // image = index of the parameter
  data_order = 2,    // image = 0, step = epoch
  flip = 3,          // image = position in the data order
  train_time = 4,
  train_noise = 5,
  dropout = 6,  // lane = index of the dropout layer
  eval_time = 7,
  eval_noise = 8,
  sample_start = 9,  // x_T
  sample_step = 10,  // z of a sampler's row; step = the row's number
  forward_chain = 11,
  score_subset = 12,     // step = number of the subset
  bound_noise = 13,      // eps of a term of the bound; step = t
  bound_time = 14,       // where the estimate's times lie
  flow_dequantise = 15,  // uniform noise of a level's width
  flow_probe = 16,       // signs of Hutchinson's directions; lane = direction
  shift = 17,            // image = position in the data order
  label_dropout = 18,    // image = position in the data order
  codec_start = 20,      // x_T that both sides of a codec know
  codec_noise = 21,      // noise of a transmitted step that both sides know
  codec_atoms = 22,      // signs of a codebook; lane = block or row
  codec_candidate = 23,  // candidates of a codebook; lane = chunk
  codec_arrival = 24,    // exponential arrival times of the candidates; lane = chunk
  codec_deal = 25,       // which elements a chunk has
  codec_sample = 26,     // what only the sender of an ideal channel draws
  codec_feed = 27,       // words for a chain whose seed is too small
};

/// Names one stream of numbers.
struct NoiseKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::sample_start;
  std::uint64_t image = 0;  // below 2^44
  std::uint32_t step = 0;
  std::uint32_t lane = 0;  // below 2^12
};

/// What philox4x32() is called with for a block of the stream; counter[0] is the block's number.
struct PhiloxInput {
  std::array<std::uint32_t, 4> counter;
  std::array<std::uint32_t, 2> key;
};
PhiloxInput philox_input(const NoiseKey& key, std::uint32_t block);

/// Words 4 * block .. 4 * block + 3 of the stream.
std::array<std::uint32_t, 4> random_block(const NoiseKey& key, std::uint32_t block);

/// Element i is the (4 * first_block + i)-th standard normal of the stream (Box-Muller over word
/// pairs, docs/format.md).
void fill_normal(const NoiseKey& key, std::span<float> out, std::uint32_t first_block = 0);

/// The i-th number of the stream, uniform in [0, 1) with 53 bits.
double uniform(const NoiseKey& key, std::uint32_t i = 0);

/// Uniform integer in [0, n), n >= 1, without modulo bias beyond 2^-53.
std::uint64_t uniform_below(const NoiseKey& key, std::uint64_t n, std::uint32_t i = 0);

}  // namespace ddpm
