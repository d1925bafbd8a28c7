#include "ddpm/codec/zipf_code.h"

#include <algorithm>
#include <bit>
#include <numbers>

#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

// Huffman's lengths: join the two lightest groups, all of whose members get a bit longer. Of equal
// weights the later group counts as lighter.
std::vector<int> huffman_lengths(const std::vector<double>& weights) {
  struct Group {
    double weight;
    std::vector<std::size_t> members;
  };
  std::vector<Group> groups;
  for (std::size_t i = 0; i < weights.size(); ++i) groups.push_back({weights[i], {i}});
  std::vector<int> lengths(weights.size());
  while (groups.size() > 1) {
    std::stable_sort(groups.begin(), groups.end(),
                     [](const Group& a, const Group& b) { return a.weight > b.weight; });
    Group last = std::move(groups.back());
    groups.pop_back();
    Group& joined = groups.back();
    joined.weight += last.weight;
    joined.members.insert(joined.members.end(), last.members.begin(), last.members.end());
    for (const std::size_t member : joined.members) ++lengths[member];
  }
  return lengths;
}

std::uint32_t reversed(std::uint32_t code, int length) {
  std::uint32_t result = 0;
  for (int i = 0; i < length; ++i) result |= (code >> i & 1) << (length - 1 - i);
  return result;
}

}  // namespace

// The sum of 1 / k over n .. 2 n - 1 is nearly ln 2 + 1 / 4 n + 1 / 16 n^2; k^-decay hardly varies.
ZipfCode::ZipfCode(int bits, double decay) : bits_(bits), codes_(bits + 1) {
  DDPM_CHECK(0 <= bits && bits <= 30 && decay > 0, "{} bits, decay {}", bits, decay);
  constexpr double kLn2 = std::numbers::ln2;
  std::vector<double> weights;
  for (int j = 0; j <= bits; ++j) {
    const double h = 1.0 / (1U << j), numbers = j < bits ? kLn2 + h / 4 + h * h / 16 : h;
    weights.push_back(numbers * exact::exp(-j * decay * kLn2));
  }
  lengths_ = huffman_lengths(weights);
  // Canonical codes: shorter first, then by power.
  std::uint32_t code = 0;
  for (int length = 1; length <= bits; ++length) {
    for (int j = 0; j <= bits; ++j) {
      if (lengths_[j] == length) codes_[j] = reversed(code++, length);
    }
    code <<= 1;
  }
}

void ZipfCode::put(std::uint32_t k, BitWriter& writer) const {
  DDPM_CHECK(1 <= k && k <= 1U << bits_, "{}", k);
  const int power = static_cast<int>(std::bit_width(k)) - 1;
  writer.put(codes_[power], lengths_[power]);
  if (power < bits_) writer.put(k & ~(1U << power), power);
}

Result<std::uint32_t> ZipfCode::take(BitReader& reader) const {
  std::uint32_t code = 0;
  for (int length = 0; length <= bits_; ++length) {
    for (int power = 0; power <= bits_; ++power) {
      if (lengths_[power] != length || codes_[power] != code) continue;
      auto low = reader.take(power < bits_ ? power : 0);
      if (!low) return tl::unexpected(std::move(low).error());
      return 1U << power | static_cast<std::uint32_t>(*low);
    }
    auto bit = reader.take(1);
    if (!bit) return tl::unexpected(std::move(bit).error());
    code |= static_cast<std::uint32_t>(*bit) << length;
  }
  return fail(FailureCode::corrupt, "[codec] index: got bits that start no number");
}

}  // namespace ddpm
