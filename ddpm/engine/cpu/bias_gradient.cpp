#include "ddpm/engine/cpu/bias_gradient.h"

#include <algorithm>

namespace ddpm::cpu {

void bias_gradient(const View& dy, int first_image, int images, float* scratch,
                   std::span<float> bias) {
  double* total = reinterpret_cast<double*>(scratch);
  double* of_image = total + dy.width();
  std::fill_n(total, dy.width(), 0.0);
  for (int n = first_image; n < first_image + images; ++n) {
    kernels().sum(dy.image(n), of_image, dy.pixels(), dy.width(), dy.stride());
    for (int c = 0; c < dy.width(); ++c) total[c] += of_image[c];
  }
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = static_cast<float>(total[c]);
}

}  // namespace ddpm::cpu
