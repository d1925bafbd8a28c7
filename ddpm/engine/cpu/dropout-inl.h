// Dropout's random words, many Philox blocks at a time, and its mask.
#if defined(DDPM_ENGINE_CPU_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_DROPOUT_INL_H_
#undef DDPM_ENGINE_CPU_DROPOUT_INL_H_
#else
#define DDPM_ENGINE_CPU_DROPOUT_INL_H_
#endif

#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void philox(const PhiloxInput& first, std::size_t blocks, std::uint32_t* words) {
  PhiloxInput input = first;
  for (std::size_t b = 0; b < blocks; ++b, ++input.counter[0], words += 4) {
    const auto block = philox4x32(input.counter, input.key);
    std::copy(block.begin(), block.end(), words);
  }
}

#else

using D64 = hn::CappedTag<std::uint64_t, kPhiloxSlack>;
using V64 = hn::Vec<D64>;

// The rounds of Salmon et al. on one block a lane. A word is the low half of its lane; the high
// half holds what is left of products and is never read.
struct PhiloxLanes {
  V64 c0, c1, c2, c3;

  HWY_INLINE void round(std::uint32_t k0, std::uint32_t k1) {
    const D64 d;
    const V64 p0 = multiply(c0, 0xD2511F53), p1 = multiply(c2, 0xCD9E8D57);
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
    c1 = p1;
    c3 = p0;
  }

  static HWY_INLINE V64 multiply(V64 word, std::uint32_t by) {
    const hn::Repartition<std::uint32_t, D64> d32;
    return hn::MulEven(hn::BitCast(d32, word), hn::Set(d32, by));
  }

  HWY_INLINE void store(std::uint32_t* words) const {
    const D64 d;
    const V64 low = hn::Set(d, 0xFFFFFFFF);
    const V64 a = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
    const V64 b = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
    hn::StoreInterleaved2(a, b, d, reinterpret_cast<std::uint64_t*>(words));
  }
};

void philox(const PhiloxInput& first, std::size_t blocks, std::uint32_t* words) {
  const D64 d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t b = 0; b < blocks; b += lanes, words += 4 * lanes) {
    const auto block = first.counter[0] + static_cast<std::uint32_t>(b);
    PhiloxLanes p{hn::Iota(d, block), hn::Set(d, first.counter[1]), hn::Set(d, first.counter[2]),
                  hn::Set(d, first.counter[3])};
    std::uint32_t k0 = first.key[0], k1 = first.key[1];
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9, k1 += 0xBB67AE85) p.round(k0, k1);
    p.store(words);
  }
}

#endif

void dropout(const std::uint32_t* words, std::uint32_t threshold, float gain, const float* x,
             float* y, int n) {
  const hn::RebindToUnsigned<D> d;
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const auto dropped = hn::Lt(hn::LoadU(d, words + i), hn::Set(d, threshold));
    store(hn::IfThenZeroElse(hn::RebindMask(D(), dropped), hn::Mul(load(x + i), all(gain))), y + i);
  }
  for (; i < n; ++i) y[i] = words[i] >= threshold ? x[i] * gain : 0.0f;
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_DROPOUT_INL_H_
