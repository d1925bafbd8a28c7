#include "ddpm/entropy/bin_model.h"

#include <bit>

namespace ddpm {
namespace {

constexpr std::int64_t kFar = std::int64_t{1} << 40;
constexpr std::int64_t kHalfBin = 1 << 15;
constexpr int kWindow = 12;

std::int64_t floor_q16(std::int64_t q16) { return q16 >> 16; }

// The one of first..last with below(symbol) <= slot < below(symbol + 1).
template <class Below>
std::int64_t find_symbol(std::uint32_t slot, std::int64_t first, std::int64_t last, Below below) {
  DDPM_CHECK(slot < kWhole, "{}", slot);
  while (first < last) {
    const std::int64_t middle = first + (last - first + 1) / 2;
    if (below(middle) <= slot) {
      first = middle;
    } else {
      last = middle - 1;
    }
  }
  return first;
}

}  // namespace

BinModel::BinModel(const CdfTable& cdf, std::int64_t mean_q16, std::uint32_t scale_q16,
                   std::int64_t first, std::int64_t last)
    : cdf_(cdf), mean_q16_(mean_q16), first_(first), last_(last) {
  DDPM_CHECK(floor_q16(mean_q16) > -kFar && floor_q16(mean_q16) < kFar, "mean {}", mean_q16);
  DDPM_CHECK(1 <= scale_q16 && scale_q16 < 1U << 31, "scale {}", scale_q16);
  DDPM_CHECK(-kFar < first && first <= last && last < kFar && last - first < 65536, "{}..{}", first,
             last);
  reach_q16_ = std::int64_t{cdf.reach()} * scale_q16;
  reciprocal_ = (std::int64_t{1} << 48) / scale_q16;
}

// z = distance / scale: within the reach the product is below 24 * 2^48.
std::uint32_t BinModel::below(std::int64_t symbol) const {
  if (symbol <= first_) return 0;
  if (symbol > last_) return kWhole;
  const auto shared = static_cast<std::uint64_t>(kWhole - (last_ - first_ + 1));
  const auto symbols = static_cast<std::uint32_t>(symbol - first_);
  const std::int64_t distance = symbol * 65536 - kHalfBin - mean_q16_;
  if (distance <= -reach_q16_) return symbols;
  if (distance >= reach_q16_) return symbols + static_cast<std::uint32_t>(shared);
  const std::uint64_t share = cdf_.at(distance * reciprocal_ >> 24);
  return symbols + static_cast<std::uint32_t>(shared * share >> 32);
}

std::int64_t BinModel::find(std::uint32_t slot) const {
  return find_symbol(slot, first_, last_, [this](std::int64_t k) { return below(k); });
}

MixtureModel::MixtureModel(const NormalMixture& mixture, std::int64_t mean_q16, std::int64_t first,
                           std::int64_t last)
    : mean_q16_(mean_q16), first_(first), last_(last) {
  DDPM_CHECK(floor_q16(mean_q16) > -kFar && floor_q16(mean_q16) < kFar, "mean {}", mean_q16);
  DDPM_CHECK(-kFar < first && first <= last && last < kFar && last - first < 256, "{}..{}", first,
             last);
  const std::size_t scales = mixture.scales_q16.size();
  DDPM_CHECK(scales <= parts_.size() && mixture.weights_q15.size() == scales, "{}", scales);
  std::uint64_t all = 0;
  for (std::size_t k = 0; k < scales; ++k) {
    const std::int64_t scale = mixture.scales_q16[k], weight = mixture.weights_q15[k];
    DDPM_CHECK(1 <= scale && scale < std::int64_t{1} << 31, "scale {}", scale);
    all += static_cast<std::uint64_t>(weight);
    if (weight == 0) continue;
    parts_[count_++] = {(std::int64_t{1} << 48) / scale, CdfTable::normal().reach() * scale,
                        static_cast<std::uint64_t>(weight)};
  }
  DDPM_CHECK(all == 1 << 15, "weights {}", all);
}

std::uint32_t MixtureModel::below(std::int64_t symbol) const {
  if (symbol <= first_) return 0;
  if (symbol > last_) return kWhole;
  const std::int64_t distance = symbol * 65536 - kHalfBin - mean_q16_;
  std::uint64_t share = 0;  // 2^47 times it
  for (std::size_t k = 0; k < count_; ++k) {
    const Part& part = parts_[k];
    if (distance <= -part.reach_q16) continue;
    share += part.weight_q15 * (distance >= part.reach_q16
                                    ? std::uint64_t{1} << 32
                                    : CdfTable::normal().at(distance * part.reciprocal >> 24));
  }
  const auto shared = static_cast<std::uint64_t>(kWhole - (last_ - first_ + 1));
  return static_cast<std::uint32_t>(symbol - first_) +
         static_cast<std::uint32_t>(shared * (share >> 15) >> 32);
}

std::int64_t MixtureModel::find(std::uint32_t slot) const {
  return find_symbol(slot, first_, last_, [this](std::int64_t k) { return below(k); });
}

WindowModel::WindowModel(const CdfTable& cdf, std::int64_t mean_q16, std::uint32_t scale_q16)
    : bins_(cdf, mean_q16, scale_q16, floor_q16(mean_q16 - kWindow * std::int64_t{scale_q16}) - 1,
            floor_q16(mean_q16 + kWindow * std::int64_t{scale_q16}) + 2) {}

// The distance from the escape, plus 1, in Elias's gamma code: its bits after the highest, and how
// many they are. Pushed backwards, since the symbol is popped first.
void WindowModel::push(Rans& rans, std::int64_t value) const {
  std::int64_t symbol = value;
  if (value <= bins_.first() || value >= bins_.last()) {
    symbol = value <= bins_.first() ? bins_.first() : bins_.last();
    const std::int64_t distance = value < symbol ? symbol - value : value - symbol;
    DDPM_CHECK(distance < std::int64_t{UINT32_MAX}, "{}", value);
    const auto number = static_cast<std::uint32_t>(distance + 1);
    const int bits = static_cast<int>(std::bit_width(number)) - 1;
    rans.push_bits(number & ~(1U << bits), bits);
    rans.push_bits(static_cast<std::uint32_t>(bits), 5);
  }
  rans.push(bins_.interval(symbol));
}

std::int64_t WindowModel::pop(Rans& rans) const {
  const std::int64_t symbol = bins_.find(rans.peek());
  rans.pop(bins_.interval(symbol));
  if (symbol != bins_.first() && symbol != bins_.last()) return symbol;
  const int bits = static_cast<int>(rans.pop_bits(5));
  const std::int64_t number = std::int64_t{1} << bits | rans.pop_bits(bits);
  return symbol == bins_.first() ? symbol - (number - 1) : symbol + (number - 1);
}

}  // namespace ddpm
