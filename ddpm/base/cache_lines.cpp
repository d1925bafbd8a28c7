#include "ddpm/base/cache_lines.h"

#include <sys/mman.h>

#include <new>

namespace ddpm {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;

std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes < kHugePage ? kLine : kHugePage};
}

}  // namespace

void* allocate_lines(std::size_t bytes) {
  void* p = ::operator new(bytes, alignment(bytes));
  // A wish: a kernel without huge pages refuses it, and ordinary ones do.
  if (bytes >= kHugePage) ::madvise(p, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return p;
}

void free_lines(void* p, std::size_t bytes) { ::operator delete(p, alignment(bytes)); }

}  // namespace ddpm
