#include "ddpm/engine/runner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

// What a row reads and writes: [n, C, H, W] each.
class Registers {
 public:
  Registers(const Plan& plan, std::span<float> x) : x_(x) {
    for (const Row& row : plan) {
      for (const Update& update : row.updates) {
        use(update.dst);
        for (const Term& term : update.terms) use(term.reg);
      }
    }
    use(Reg::x0);
    use(Reg::eps);
  }

  std::span<float> operator[](Reg reg) {
    return reg == Reg::x ? x_ : std::span(values_[static_cast<std::size_t>(reg)]);
  }

  // Before a call: x0 and eps grow older. Where no row reads an age, nothing is kept of it.
  void age() {
    for (const auto& regs : {kX0, kEps}) {
      for (std::size_t i = regs.size() - 1; i > 0; --i) {
        if (!of(regs[i]).empty()) of(regs[i]).swap(of(regs[i - 1]));
      }
    }
  }

 private:
  std::vector<float>& of(Reg reg) { return values_[static_cast<std::size_t>(reg)]; }

  // An age needs the younger ones to pass through.
  void use(Reg reg) {
    if (reg == Reg::x) return;
    of(reg).resize(x_.size());
    for (const auto& regs : {kX0, kEps}) {
      const auto found = std::ranges::find(regs, reg);
      for (auto it = regs.begin(); found != regs.end() && it != found; ++it) {
        of(*it).resize(x_.size());
      }
    }
  }

  std::span<float> x_;
  std::array<std::vector<float>, kRegs> values_;
};

// One run: the state and its work space.
class Run {
 public:
  Run(const Plan& plan, Denoiser& denoiser, std::span<float> x, const NoiseSource& noise,
      std::span<const int> label)
      : denoiser_(denoiser),
        noise_(noise),
        label_(label),
        image_(denoiser.shape().size()),
        learned_(denoiser.out_shape().size() == 2 * image_),
        registers_(plan, x),
        out_(x.size() * (learned_ ? 2 : 1)),
        result_(x.size()),
        z_(x.size()) {
    DDPM_CHECK(x.size() % image_ == 0);
    DDPM_CHECK(learned_ || denoiser.out_shape().size() == image_);
    if (plan.initial_scale == 1) return;
    for (float& value : x) value = static_cast<float>(plan.initial_scale * value);
  }

  void execute(const Row& row, int index) {
    if (row.time) call(row);
    const bool noisy = std::ranges::any_of(
        row.updates, [](const Update& update) { return update.c_z != 0 || update.snr > 0; });
    if (noisy) draw(index);
    for (const Update& update : row.updates) apply(update);
  }

  std::span<const float> x0() { return registers_[Reg::x0]; }

 private:
  std::size_t images() const { return z_.size() / image_; }

  void call(const Row& row) {
    const std::span<const float> x = registers_[Reg::x];
    std::span<const float> in = x;
    if (row.c_in != 1) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        result_[i] = static_cast<float>(row.c_in * x[i]);
      }
      in = result_;
    }
    denoiser_.predict(in, std::vector<double>(images(), *row.time), label_, out_);
    registers_.age();
    for (std::size_t n = 0; n < images(); ++n) read_output(row, n);
  }

  // x0 and eps of image n.
  void read_output(const Row& row, std::size_t n) {
    const std::span<const float> x = part(registers_[Reg::x], n);
    const std::span<const float> out = std::span(out_).subspan(n * (learned_ ? 2 : 1) * image_);
    const std::span<float> x0 = part(registers_[Reg::x0], n), eps = part(registers_[Reg::eps], n);
    const double scale = row.limit.kind == Limit::Kind::quantile ? threshold(row, x, out) : 0;
    for (std::size_t i = 0; i < image_; ++i) {
      double clean = row.r_x * x[i] + row.r_out * out[i];
      if (row.limit.kind == Limit::Kind::clip) {
        clean = std::clamp(clean, -row.limit.range, row.limit.range);
      } else if (row.limit.kind == Limit::Kind::quantile) {
        clean = std::clamp(clean, -scale, scale) / scale;
      }
      x0[i] = static_cast<float>(clean);
      eps[i] = static_cast<float>(row.e_x * x[i] + row.e_out * out[i] + row.e_x0 * clean);
    }
  }

  // The quantile of |x0| over an image, between order statistics as torch.quantile, in [1, range].
  double threshold(const Row& row, std::span<const float> x, std::span<const float> out) const {
    std::vector<double> sizes(image_);
    for (std::size_t i = 0; i < image_; ++i) {
      sizes[i] = std::abs(row.r_x * x[i] + row.r_out * out[i]);
    }
    const double place = row.limit.quantile * static_cast<double>(image_ - 1);
    const auto below = static_cast<std::ptrdiff_t>(place);
    const auto at = sizes.begin() + below;
    std::ranges::nth_element(sizes, at);
    const double low = *at;
    const double high = at + 1 == sizes.end() ? low : *std::min_element(at + 1, sizes.end());
    const double value = low + (place - static_cast<double>(below)) * (high - low);
    return std::clamp(value, 1.0, row.limit.range);
  }

  void draw(int index) {
    for (std::size_t n = 0; n < images(); ++n) noise_(static_cast<int>(n), index, part(z_, n));
  }

  void apply(const Update& update) {
    std::vector<std::pair<double, const float*>> terms;
    for (const Term& term : update.terms) {
      terms.emplace_back(term.c, registers_[term.reg].data());
    }
    for (std::size_t i = 0; i < result_.size(); ++i) {
      double sum = 0;
      for (const auto& [c, values] : terms) sum += c * values[i];
      if (update.c_z != 0) sum += update.c_z * variance_factor(update, i) * z_[i];
      result_[i] = static_cast<float>(sum);
    }
    const std::span<float> dst = registers_[update.dst];
    if (update.snr > 0) {
      for (std::size_t n = 0; n < images(); ++n) {
        correct(update.snr, part(result_, n), part(z_, n), part(dst, n));
      }
    } else {
      std::ranges::copy(result_, dst.begin());
    }
  }

  double variance_factor(const Update& update, std::size_t i) const {
    if (update.z_v == 0) return 1;
    DDPM_CHECK(learned_);
    const std::size_t n = i / image_;
    return exact::exp(update.z_v * out_[(2 * n + 1) * image_ + i % image_]);
  }

  // x += h g + sqrt(2 h) z, h = 2 (snr |z| / |g|)^2. Sums run in index order.
  static void correct(double snr, std::span<const float> g, std::span<const float> z,
                      std::span<float> x) {
    double g2 = 0, z2 = 0;
    for (const float value : g) g2 += static_cast<double>(value) * value;
    for (const float value : z) z2 += static_cast<double>(value) * value;
    if (g2 == 0) return;
    const double h = 2 * snr * snr * z2 / g2, root = std::sqrt(2 * h);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(x[i] + h * g[i] + root * z[i]);
    }
  }

  // What belongs to image n.
  std::span<float> part(std::span<float> values, std::size_t n) const {
    return values.subspan(n * image_, image_);
  }

  Denoiser& denoiser_;
  const NoiseSource& noise_;
  std::span<const int> label_;
  std::size_t image_;  // elements of an image
  bool learned_;       // whether the output has variance channels
  Registers registers_;
  std::vector<float> out_, result_, z_;
};

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
              const RowObserver& observer, std::span<const int> label) {
  Run run(plan, denoiser, x, noise, label);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const int index = static_cast<int>(i);
    run.execute(plan[i], index);
    if (observer && !observer(index, x, run.x0())) return false;
  }
  return true;
}

}  // namespace ddpm
