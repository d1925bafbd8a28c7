#include "ddpm/codec/walsh.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/codec/walsh.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include <bit>

#include "ddpm/base/error.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<std::int32_t, 16>;
using V = hn::Vec<D>;
constexpr D kD;
constexpr std::size_t kWidth = hn::MaxLanes(D());

// Stages within a vector: every lane and the one whose number differs in a bit.
struct Swap {
  HWY_INLINE explicit Swap(std::int32_t bit)
      : other(hn::IndicesFromVec(kD, hn::Xor(hn::Iota(kD, 0), hn::Set(kD, bit)))),
        second(hn::TestBit(hn::Iota(kD, 0), hn::Set(kD, bit))) {}

  HWY_INLINE V operator()(V x) const {
    return hn::Add(hn::TableLookupLanes(x, other), hn::IfThenElse(second, hn::Neg(x), x));
  }

  decltype(hn::IndicesFromVec(D(), hn::Iota(D(), 0))) other;
  hn::Mask<D> second;
};

void stages_within_vectors(std::int32_t* x, std::size_t n) {
  if constexpr (kWidth > 1) {
    const Swap by_1(1), by_2(2), by_4(4 % kWidth), by_8(8 % kWidth);
    for (std::size_t i = 0; i < n; i += kWidth) {
      V v = by_2(by_1(hn::LoadU(kD, x + i)));
      if constexpr (kWidth > 4) v = by_4(v);
      if constexpr (kWidth > 8) v = by_8(v);
      hn::StoreU(v, kD, x + i);
    }
  }
}

void stage(std::int32_t* x, std::size_t n, std::size_t half) {
  for (std::size_t block = 0; block < n; block += 2 * half) {
    for (std::size_t i = block; i < block + half; i += kWidth) {
      const V a = hn::LoadU(kD, x + i), b = hn::LoadU(kD, x + i + half);
      hn::StoreU(hn::Add(a, b), kD, x + i);
      hn::StoreU(hn::Sub(a, b), kD, x + i + half);
    }
  }
}

// The stages of `half` and of 2 half.
void two_stages(std::int32_t* x, std::size_t n, std::size_t half) {
  for (std::size_t block = 0; block < n; block += 4 * half) {
    for (std::size_t i = block; i < block + half; i += kWidth) {
      std::int32_t *const p0 = x + i, *const p1 = p0 + half, *const p2 = p1 + half;
      std::int32_t* const p3 = p2 + half;
      const V a = hn::LoadU(kD, p0), b = hn::LoadU(kD, p1);
      const V c = hn::LoadU(kD, p2), d = hn::LoadU(kD, p3);
      const V sum_ab = hn::Add(a, b), difference_ab = hn::Sub(a, b);
      const V sum_cd = hn::Add(c, d), difference_cd = hn::Sub(c, d);
      hn::StoreU(hn::Add(sum_ab, sum_cd), kD, p0);
      hn::StoreU(hn::Add(difference_ab, difference_cd), kD, p1);
      hn::StoreU(hn::Sub(sum_ab, sum_cd), kD, p2);
      hn::StoreU(hn::Sub(difference_ab, difference_cd), kD, p3);
    }
  }
}

void transform(std::int32_t* x, std::size_t n) {
  stages_within_vectors(x, n);
  std::size_t half = kWidth;
  for (; 2 * half < n; half *= 4) two_stages(x, n, half);
  if (half < n) stage(x, n, half);
}

void flip(const std::uint32_t* signs, std::int32_t* x, std::size_t n) {
  const V bit = hn::Shl(hn::Set(kD, 1), hn::Iota(kD, 0));
  for (std::size_t i = 0; i < n; i += kWidth) {
    const V word = hn::Set(kD, static_cast<std::int32_t>(signs[i / 32] >> i % 32));
    const V v = hn::LoadU(kD, x + i);
    hn::StoreU(hn::IfThenElse(hn::TestBit(word, bit), hn::Neg(v), v), kD, x + i);
  }
}

std::size_t find_near(const std::int32_t* x, std::size_t n, std::size_t from, std::int32_t target,
                      std::int32_t most) {
  const V wanted = hn::Set(kD, target), limit = hn::Set(kD, most);
  const V before = hn::Set(kD, static_cast<std::int32_t>(from) - 1);
  for (std::size_t i = from / kWidth * kWidth; i < n; i += kWidth) {
    const V miss = hn::Abs(hn::Sub(hn::Abs(hn::LoadU(kD, x + i)), wanted));
    const V place = hn::Iota(kD, static_cast<std::int32_t>(i));
    const auto near = hn::AndNot(hn::Gt(miss, limit), hn::Gt(place, before));
    const std::intptr_t lane = hn::FindFirstTrue(kD, near);
    if (lane >= 0) return i + static_cast<std::size_t>(lane);
  }
  return n;
}

}  // namespace ddpm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(transform);
HWY_EXPORT(flip);
HWY_EXPORT(find_near);

void walsh_hadamard(std::span<std::int32_t> x) {
  DDPM_CHECK(x.size() >= 32 && std::has_single_bit(x.size()), "{}", x.size());
  HWY_DYNAMIC_DISPATCH(transform)(x.data(), x.size());
}

void flip_signs(std::span<const std::uint32_t> signs, std::span<std::int32_t> x) {
  DDPM_CHECK(x.size() == 32 * signs.size(), "{} {}", x.size(), signs.size());
  HWY_DYNAMIC_DISPATCH(flip)(signs.data(), x.data(), x.size());
}

std::size_t next_near(std::span<const std::int32_t> x, std::size_t from, std::int32_t target,
                      std::int32_t most) {
  DDPM_CHECK(x.size() % 32 == 0, "{}", x.size());
  return HWY_DYNAMIC_DISPATCH(find_near)(x.data(), x.size(), from, target, most);
}

}  // namespace ddpm
#endif  // HWY_ONCE
