// Arrays of floats that begin on a cache line, so that no vector of them lies across two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace ddpm::cpu {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kLine{64};

  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}

  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kLine)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kLine); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};

using Floats = std::vector<float, CacheLineAllocator<float>>;

}  // namespace ddpm::cpu
