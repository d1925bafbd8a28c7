#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

std::vector<int> slice_sizes(int batch) {
  DDPM_CHECK(batch >= 1);
  const int count = std::clamp(batch / 16, 1, 8);
  std::vector<int> sizes(count);
  for (int i = 0; i < count; ++i) sizes[i] = (i + 1) * batch / count - i * batch / count;
  return sizes;
}

}  // namespace ddpm
