#include "ddpm/engine/runner.h"

#include <algorithm>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// The registers of one run, [n, C, H, W] each.
struct Registers {
  std::span<float> x;
  std::vector<float> x0, eps;

  std::span<const float> operator[](Reg reg) const {
    switch (reg) {
      case Reg::x0:
        return x0;
      case Reg::eps:
        return eps;
      case Reg::x:
        break;
    }
    return x;
  }
};

double limited(double x0, const Limit& limit) {
  return limit.kind == Limit::Kind::clip ? std::clamp(x0, -limit.range, limit.range) : x0;
}

void read_output(const Row& row, std::span<const float> out, Registers& r) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double x = r.x[i], o = out[i];
    const double x0 = limited(row.r_x * x + row.r_out * o, row.limit);
    r.x0[i] = static_cast<float>(x0);
    r.eps[i] = static_cast<float>(row.e_x * x + row.e_out * o + row.e_x0 * x0);
  }
}

void call_network(const Row& row, Denoiser& denoiser, Registers& r, std::vector<float>& scratch,
                  std::vector<float>& out) {
  const std::size_t images = out.size() / denoiser.shape().size();
  const std::vector<double> time(images, *row.time);
  std::span<const float> in = r.x;
  if (row.c_in != 1) {
    scratch.resize(r.x.size());
    for (std::size_t i = 0; i < scratch.size(); ++i)
      scratch[i] = static_cast<float>(row.c_in * r.x[i]);
    in = scratch;
  }
  denoiser.predict(in, time, out);
  read_output(row, out, r);
}

void apply(const Update& update, Registers& r, std::span<const float> z) {
  std::vector<float> result(r.x.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    double sum = 0;
    for (const Term& term : update.terms) sum += term.c * r[term.reg][i];
    if (update.c_z != 0) sum += update.c_z * z[i];
    result[i] = static_cast<float>(sum);
  }
  switch (update.dst) {
    case Reg::x:
      std::copy(result.begin(), result.end(), r.x.begin());
      return;
    case Reg::x0:
      r.x0 = std::move(result);
      return;
    case Reg::eps:
      r.eps = std::move(result);
      return;
  }
}

}  // namespace

NoiseSource philox_noise(std::uint64_t seed, std::uint64_t first_image) {
  return [=](int image, int row, std::span<float> z) {
    fill_normal({.seed = seed,
                 .purpose = Purpose::sample_step,
                 .image = first_image + image,
                 .step = static_cast<std::uint32_t>(row)},
                z);
  };
}

void start_noise(std::uint64_t seed, std::uint64_t first_image, Shape shape, std::span<float> x) {
  for (std::size_t n = 0; n < x.size() / shape.size(); ++n) {
    fill_normal({.seed = seed, .purpose = Purpose::sample_start, .image = first_image + n},
                x.subspan(n * shape.size(), shape.size()));
  }
}

bool run_plan(const Plan& plan, Denoiser& denoiser, std::span<float> x, const NoiseSource& noise,
              const RowObserver& observer) {
  const std::size_t image_size = denoiser.shape().size();
  DDPM_CHECK(x.size() % image_size == 0);
  Registers r{x, std::vector<float>(x.size()), std::vector<float>(x.size())};
  std::vector<float> out(x.size()), scratch, z(x.size());
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const Row& row = plan[i];
    const int index = static_cast<int>(i);
    if (row.time) call_network(row, denoiser, r, scratch, out);
    for (const Update& update : row.updates) {
      if (update.c_z != 0) {
        for (std::size_t n = 0; n < x.size() / image_size; ++n) {
          noise(static_cast<int>(n), index, std::span(z).subspan(n * image_size, image_size));
        }
      }
      apply(update, r, z);
    }
    if (observer && !observer(index, x, r.x0)) return false;
  }
  return true;
}

}  // namespace ddpm
