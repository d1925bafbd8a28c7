#include "ddpm/codec/candidates.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/zipf_code.h"

namespace ddpm {
namespace {

constexpr int kChunkBits = 14, kSpareBits = 2;

// `budget` bits over as few chunks as hold them, as evenly as whole bits allow; no more chunks than
// elements.
std::vector<int> chunk_bits(int budget, std::size_t n) {
  const int chunks = static_cast<int>(std::min<std::size_t>((budget + kChunkBits - 1) / kChunkBits,
                                                            std::min<std::size_t>(n, 4096)));
  budget = std::min(budget, chunks * kChunkBits);
  std::vector<int> bits(chunks);
  for (int i = 0; i < chunks; ++i) bits[i] = budget * (i + 1) / chunks - budget * i / chunks;
  return bits;
}

// A random order of the elements (Fisher and Yates); chunk c of C has places c, c + C, ...
std::vector<std::uint32_t> dealt(const StepKey& key, std::size_t n) {
  const NoiseKey stream{key.seed, Purpose::codec_deal, key.item, key.step};
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (auto i = static_cast<std::uint32_t>(n) - 1; i > 0; --i) {
    std::swap(order[i], order[uniform_below(stream, i + 1, i)]);
  }
  return order;
}

// One chunk's elements and candidates.
class Chunk {
 public:
  Chunk(const StepKey& key, std::span<const std::uint32_t> order, std::uint32_t number,
        std::size_t chunks)
      : key_(key), number_(number) {
    for (std::size_t i = number; i < order.size(); i += chunks) elements_.push_back(order[i]);
    candidate_.resize(elements_.size());
  }

  std::span<const float> candidate(std::uint32_t k) {
    const auto blocks = static_cast<std::uint32_t>((elements_.size() + 3) / 4);
    fill_normal({key_.seed, Purpose::codec_candidate, key_.item, key_.step, number_}, candidate_,
                k * blocks);
    return candidate_;
  }

  // <u, candidate k>
  double product(std::span<const float> u, std::uint32_t k) {
    double sum = 0;
    const auto z = candidate(k);
    for (std::size_t i = 0; i < z.size(); ++i) sum += double{u[elements_[i]]} * z[i];
    return sum;
  }

  void write(std::uint32_t k, std::span<float> z) {
    const auto values = candidate(k);
    for (std::size_t i = 0; i < values.size(); ++i) z[elements_[i]] = values[i];
  }

  // The time between arrivals k - 1 and k: exponential with mean 1.
  double gap(std::uint32_t k) const {
    return -exact::log(
        1 - uniform({key_.seed, Purpose::codec_arrival, key_.item, key_.step, number_}, k));
  }

 private:
  StepKey key_;
  std::uint32_t number_;
  std::vector<std::uint32_t> elements_;
  std::vector<float> candidate_;
};

std::uint32_t best_of_pfr(Chunk& chunk, std::span<const float> u, int bits) {
  double time = 0, least = std::numeric_limits<double>::infinity();
  std::uint32_t best = 0;
  for (std::uint32_t k = 0; k < 1U << bits; ++k) {
    time += chunk.gap(k);
    const double score = exact::log(time) - chunk.product(u, k);
    if (score < least) least = score, best = k;
  }
  return best;
}

std::uint32_t best_of_greedy(Chunk& chunk, std::span<const float> u, int bits) {
  double most = -std::numeric_limits<double>::infinity();
  std::uint32_t best = 0;
  for (std::uint32_t k = 0; k < 1U << bits; ++k) {
    const double score = chunk.product(u, k);
    if (score > most) most = score, best = k;
  }
  return best;
}

// The arrival that wins follows nearly a power law (Li and El Gamal 2018, Eq. (24)); the constant
// is log2(e) / e + 1.
ZipfCode pfr_code(int bits) { return {bits + kSpareBits, 1 / (bits + 1.5307378454)}; }

void for_chunks(const StepKey& key, int budget, std::size_t n,
                const std::function<void(Chunk&, int bits)>& body) {
  const std::vector<int> bits = chunk_bits(budget, n);
  if (bits.empty()) return;
  const std::vector<std::uint32_t> order = dealt(key, n);
  for (std::uint32_t c = 0; c < bits.size(); ++c) {
    Chunk chunk(key, order, c, bits.size());
    body(chunk, bits[c]);
  }
}

// Indices first, so that z stays untouched when they are cut short.
template <class Take>
Result<void> receive_indices(const StepKey& key, int budget, std::span<float> z, Take take) {
  std::vector<std::uint32_t> indices;
  for (const int bits : chunk_bits(budget, z.size())) {
    Result<std::uint32_t> index = take(bits);
    if (!index) return tl::unexpected(std::move(index).error());
    indices.push_back(*index);
  }
  fill_normal({key.seed, Purpose::codec_noise, key.item, key.step}, z);
  std::size_t c = 0;
  for_chunks(key, budget, z.size(), [&](Chunk& chunk, int) { chunk.write(indices[c++], z); });
  return {};
}

}  // namespace

void send_pfr(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
              std::span<float> z) {
  for_chunks(key, budget, z.size(), [&](Chunk& chunk, int bits) {
    const std::uint32_t k = best_of_pfr(chunk, u, bits + kSpareBits);
    pfr_code(bits).put(k + 1, writer);
    chunk.write(k, z);
  });
}

Result<void> receive_pfr(const StepKey& key, int budget, BitReader& reader, std::span<float> z) {
  return receive_indices(key, budget, z, [&](int bits) -> Result<std::uint32_t> {
    auto k = pfr_code(bits).take(reader);
    if (!k) return tl::unexpected(std::move(k).error());
    return *k - 1;
  });
}

void send_greedy(const StepKey& key, int budget, std::span<const float> u, BitWriter& writer,
                 std::span<float> z) {
  for_chunks(key, budget, z.size(), [&](Chunk& chunk, int bits) {
    const std::uint32_t k = best_of_greedy(chunk, u, bits);
    writer.put(k, bits);
    chunk.write(k, z);
  });
}

Result<void> receive_greedy(const StepKey& key, int budget, BitReader& reader, std::span<float> z) {
  return receive_indices(key, budget, z, [&](int bits) -> Result<std::uint32_t> {
    auto k = reader.take(bits);
    if (!k) return tl::unexpected(std::move(k).error());
    return static_cast<std::uint32_t>(*k);
  });
}

}  // namespace ddpm
