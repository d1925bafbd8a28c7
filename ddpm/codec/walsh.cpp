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

// The signs of kWidth elements from i on: bits of a word.
struct Signs {
  explicit Signs(const std::uint32_t* words) : words_(words) {}

  HWY_INLINE V apply(V v, std::size_t i) const {
    const V word = hn::Set(kD, static_cast<std::int32_t>(words_[i / 32] >> i % 32));
    return hn::IfThenElse(hn::TestBit(word, bit_), hn::Neg(v), v);
  }

 private:
  const std::uint32_t* words_;
  V bit_ = hn::Shl(hn::Set(kD, 1), hn::Iota(kD, 0));
};
struct NoSigns {
  HWY_INLINE V apply(V v, std::size_t /*i*/) const { return v; }
};

// y = the stages within vectors of x with signs.
template <class S>
void stages_within_vectors(const S& signs, const std::int32_t* x, std::int32_t* y, std::size_t n) {
  [[maybe_unused]] const Swap by_1(1 % kWidth), by_2(2 % kWidth), by_4(4 % kWidth),
      by_8(8 % kWidth);
  for (std::size_t i = 0; i < n; i += kWidth) {
    V v = signs.apply(hn::LoadU(kD, x + i), i);
    if constexpr (kWidth > 1) v = by_2(by_1(v));
    if constexpr (kWidth > 4) v = by_4(v);
    if constexpr (kWidth > 8) v = by_8(v);
    hn::StoreU(v, kD, y + i);
  }
}

HWY_INLINE void butterfly(V& a, V& b) {
  const V sum = hn::Add(a, b);
  b = hn::Sub(a, b);
  a = sum;
}

void stage(std::int32_t* x, std::size_t n, std::size_t half) {
  for (std::size_t block = 0; block < n; block += 2 * half) {
    for (std::size_t i = block; i < block + half; i += kWidth) {
      V a = hn::LoadU(kD, x + i), b = hn::LoadU(kD, x + i + half);
      butterfly(a, b);
      hn::StoreU(a, kD, x + i);
      hn::StoreU(b, kD, x + i + half);
    }
  }
}

// The stages of half, 2 half and 4 half. Eight variables, since an array would live in memory.
void three_stages(std::int32_t* x, std::size_t n, std::size_t half) {
  for (std::size_t block = 0; block < n; block += 8 * half) {
    for (std::size_t i = block; i < block + half; i += kWidth) {
      const auto at = [&](std::size_t k) { return x + i + k * half; };
      V a = hn::LoadU(kD, at(0)), b = hn::LoadU(kD, at(1)), c = hn::LoadU(kD, at(2));
      V d = hn::LoadU(kD, at(3)), e = hn::LoadU(kD, at(4)), f = hn::LoadU(kD, at(5));
      V g = hn::LoadU(kD, at(6)), h = hn::LoadU(kD, at(7));
      butterfly(a, b), butterfly(c, d), butterfly(e, f), butterfly(g, h);
      butterfly(a, c), butterfly(b, d), butterfly(e, g), butterfly(f, h);
      butterfly(a, e), butterfly(b, f), butterfly(c, g), butterfly(d, h);
      hn::StoreU(a, kD, at(0)), hn::StoreU(b, kD, at(1)), hn::StoreU(c, kD, at(2));
      hn::StoreU(d, kD, at(3)), hn::StoreU(e, kD, at(4)), hn::StoreU(f, kD, at(5));
      hn::StoreU(g, kD, at(6)), hn::StoreU(h, kD, at(7));
    }
  }
}

void stages_across_vectors(std::int32_t* x, std::size_t n) {
  std::size_t half = kWidth;
  for (; 4 * half < n; half *= 8) three_stages(x, n, half);
  for (; half < n; half *= 2) stage(x, n, half);
}

void transform(std::int32_t* x, std::size_t n) {
  stages_within_vectors(NoSigns(), x, x, n);
  stages_across_vectors(x, n);
}

void signed_transform(const std::uint32_t* signs, const std::int32_t* x, std::int32_t* y,
                      std::size_t n) {
  stages_within_vectors(Signs(signs), x, y, n);
  stages_across_vectors(y, n);
}

void flip(const std::uint32_t* words, std::int32_t* x, std::size_t n) {
  const Signs signs(words);
  for (std::size_t i = 0; i < n; i += kWidth) {
    hn::StoreU(signs.apply(hn::LoadU(kD, x + i), i), kD, x + i);
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
HWY_EXPORT(signed_transform);
HWY_EXPORT(flip);
HWY_EXPORT(find_near);

void walsh_hadamard(std::span<std::int32_t> x) {
  DDPM_CHECK(x.size() >= 32 && std::has_single_bit(x.size()), "{}", x.size());
  HWY_DYNAMIC_DISPATCH(transform)(x.data(), x.size());
}

void signed_walsh_hadamard(std::span<const std::uint32_t> signs, std::span<const std::int32_t> x,
                           std::span<std::int32_t> y) {
  DDPM_CHECK(x.size() >= 32 && std::has_single_bit(x.size()), "{}", x.size());
  DDPM_CHECK(y.size() == x.size() && x.size() == 32 * signs.size(), "{} {} {}", x.size(), y.size(),
             signs.size());
  HWY_DYNAMIC_DISPATCH(signed_transform)(signs.data(), x.data(), y.data(), x.size());
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
