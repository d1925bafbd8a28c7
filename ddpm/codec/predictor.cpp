#include "ddpm/codec/predictor.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {

Predictor::Predictor(const CodecModel& model, Denoiser& denoiser)
    : model_(model), denoiser_(denoiser) {
  if (model.shape.size() > kMaxStepSize) {
    throw Error(ExitCode::bad_input,
                "[codec] model: got images of {} numbers, expected at most {}; try a model of "
                "smaller ones, whose tiles cover images of any size",
                model.shape.size(), kMaxStepSize);
  }
  Shape out = model.shape;
  if (is_learned(model.view.variance)) out.c *= 2;
  if (denoiser.shape() == model.shape && denoiser.out_shape() == out) return;
  throw Error("[codec] model: got a network of {} elements for items of {}",
              denoiser.shape().size(), model.shape.size());
}

void Predictor::x0(int t, std::span<const float> x, std::span<float> x0, std::span<float> v) {
  const std::size_t n = model_.shape.size(), out = denoiser_.out_shape().size();
  DDPM_CHECK(x.size() % n == 0 && x0.size() == x.size() && (v.empty() || v.size() == x.size()));
  const Linear read = x0_from(model_.schedule, t, model_.view.prediction);
  const bool wants_v = !v.empty() && out > n;
  const auto batch = static_cast<std::size_t>(denoiser_.max_batch());
  for (std::size_t done = 0; done < x.size() / n; done += batch) {
    const std::size_t count = std::min(batch, x.size() / n - done);
    out_.resize(count * out);
    const std::vector<double> time(count, network_time(t));
    denoiser_.predict(x.subspan(done * n, count * n), time, out_);
    for (std::size_t i = 0; i < count * n; ++i) {
      const std::size_t place = i / n * out + i % n, to = done * n + i;
      const double value = read.x * x[to] + read.out * out_[place];
      const double spread = wants_v ? out_[place + n] : 0;
      if (!std::isfinite(value) || !std::isfinite(spread)) {
        throw Error(ExitCode::numeric, "[codec] model: got {} and variance {} at t = {}", value,
                    spread, t);
      }
      x0[to] = static_cast<float>(std::clamp(value, -1.0, 1.0));
      if (wants_v) v[to] = static_cast<float>(spread);
    }
    calls_ += static_cast<std::int64_t>(count);
  }
}

}  // namespace ddpm
