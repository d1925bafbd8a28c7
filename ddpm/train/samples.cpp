#include "ddpm/train/samples.h"

#include <algorithm>
#include <vector>

#include "ddpm/engine/runner.h"

namespace ddpm {

std::optional<Image> sample_grid(const Plan& plan, Denoiser& denoiser, int count,
                                 std::uint64_t seed, const StopRequest& stop) {
  const Shape shape = denoiser.shape();
  const std::size_t n = shape.size();
  const int batch = std::min(count, denoiser.max_batch());
  const RowObserver go_on = [&](int, std::span<const float>, std::span<const float>) {
    return !stop || !stop();
  };
  std::vector<float> x(batch * n);
  std::vector<Image> images;
  for (int first = 0; first < count; first += batch) {
    const int size = std::min(batch, count - first);
    const std::span<float> some = std::span(x).first(size * n);
    const auto image = static_cast<std::uint64_t>(first);
    start_noise(seed, image, shape, some);
    if (!run_plan(plan, denoiser, some, philox_noise(seed, image), go_on)) return std::nullopt;
    for (int k = 0; k < size; ++k) {
      images.push_back(image_from_floats(some.subspan(k * n, n), shape));
    }
  }
  int columns = 1;
  while (columns * columns < count) ++columns;
  return image_grid(images, columns);
}

}  // namespace ddpm
