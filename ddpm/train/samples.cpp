#include "ddpm/train/samples.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "ddpm/engine/runner.h"

namespace ddpm {

namespace {

int columns_of(int count, int num_classes) {
  if (num_classes > 0) return (count + num_classes - 1) / num_classes;
  return grid_columns(static_cast<std::size_t>(count));
}

}  // namespace

std::optional<Image> sample_grid(const Plan& plan, Denoiser& denoiser, int count,
                                 std::uint64_t seed, int num_classes, const StopRequest& stop) {
  const int columns = columns_of(count, num_classes);
  const Shape shape = denoiser.shape();
  const std::size_t n = shape.size();
  const int batch = std::min(count, denoiser.max_batch());
  const RowObserver go_on = [&](int, std::span<const float>, std::span<const float>) {
    return !stop || !stop();
  };
  std::vector<float> x(batch * n);
  std::vector<int> label(num_classes > 0 ? count : 0);
  for (int i = 0; i < static_cast<int>(label.size()); ++i) label[i] = i / columns;
  std::vector<Image> images;
  for (int first = 0; first < count; first += batch) {
    const int size = std::min(batch, count - first);
    const std::span<float> some = std::span(x).first(size * n);
    const auto image = static_cast<std::uint64_t>(first);
    start_noise(seed, image, shape, some);
    const std::span<const int> labels =
        label.empty() ? std::span<const int>() : std::span(label).subspan(first, size);
    if (!run_plan(plan, denoiser, some, philox_noise(seed, image), go_on, labels)) {
      return std::nullopt;
    }
    std::ranges::move(images_from_floats(some, shape), std::back_inserter(images));
  }
  return image_grid(images, columns);
}

}  // namespace ddpm
