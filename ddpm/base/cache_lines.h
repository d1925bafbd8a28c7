// Arrays that begin on a cache line, so that no vector register is loaded from two; large
// ones on a huge page, so that going through them seldom waits for an address to be translated.
#pragma once

#include <cstddef>
#include <vector>

namespace ddpm {

/// Throws std::bad_alloc. `bytes` as when it was allocated.
void* allocate_lines(std::size_t bytes);
void free_lines(void* p, std::size_t bytes);

template <class T>
struct CacheLineAllocator {
  using value_type = T;

  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}

  T* allocate(std::size_t n) { return static_cast<T*>(allocate_lines(n * sizeof(T))); }
  void deallocate(T* p, std::size_t n) { free_lines(p, n * sizeof(T)); }
  bool operator==(const CacheLineAllocator&) const { return true; }
};

template <class T>
using LineVector = std::vector<T, CacheLineAllocator<T>>;
using Floats = LineVector<float>;

}  // namespace ddpm
