#include "ddpm/train/held_out.h"

#include <algorithm>

#include "ddpm/base/philox.h"
#include "ddpm/engine/engine.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kSeed = 0;

}  // namespace

HeldOutImages::HeldOutImages(const Dataset& data, int count, const Schedule& schedule)
    : data_(data),
      count_(count),
      T_(schedule.T()),
      order_(kSeed, data.size()),
      bytes_(data.shape().size()),
      x0_(bytes_.size()),
      eps_(bytes_.size()) {}

int HeldOutImages::load(int i) {
  const auto number = static_cast<std::uint64_t>(i);
  const std::size_t image = order_.at(number);
  data_.load(image, bytes_);
  bytes_to_floats(bytes_, x0_);
  fill_normal({.seed = kSeed, .purpose = Purpose::eval_noise, .image = number}, eps_);
  t_ = evaluation_time(i, count_, T_);
  return data_.label(image).value_or(kNoLabel);
}

int evaluation_time(int i, int count, int T) {
  const double u = uniform(
      {.seed = kSeed, .purpose = Purpose::eval_time, .image = static_cast<std::uint64_t>(i)});
  return std::min(T, 1 + static_cast<int>((i + u) * T / count));
}

}  // namespace ddpm
