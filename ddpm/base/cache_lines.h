// Arrays that begin on a cache line, so that no vector register is loaded from two; large
// ones on a huge page, so that going through them seldom waits for an address to be translated.
#pragma once

#include <cstddef>
#include <memory>
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

/// n numbers that nothing has set: what first writes them should also be who works on them.
template <class T>
class LineArray {
 public:
  explicit LineArray(std::size_t n) : data_(CacheLineAllocator<T>().allocate(n), {n}) {}
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  struct Free {
    std::size_t n;
    void operator()(T* p) const { CacheLineAllocator<T>().deallocate(p, n); }
  };
  std::unique_ptr<T[], Free> data_;
};

}  // namespace ddpm
