#include "ddpm/engine/guided.h"

#include <algorithm>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// a + weight (b - a) for the first `mean` elements of every image; the rest is b's. a, b: the same
// images, of the sizes given; out may be b.
void mix(std::span<const float> a, std::size_t a_size, std::span<const float> b, std::size_t b_size,
         std::size_t mean, double weight, std::span<float> out) {
  for (std::size_t image = 0; image * b_size < b.size(); ++image) {
    const std::span<const float> low = a.subspan(image * a_size, a_size);
    const std::span<const float> high = b.subspan(image * b_size, b_size);
    const std::span<float> to = out.subspan(image * b_size, b_size);
    for (std::size_t i = 0; i < mean; ++i) {
      to[i] = static_cast<float>(low[i] + weight * (static_cast<double>(high[i]) - low[i]));
    }
    std::copy(high.begin() + static_cast<std::ptrdiff_t>(mean), high.end(),
              to.begin() + static_cast<std::ptrdiff_t>(mean));
  }
}

template <class T>
std::vector<T> twice(std::span<const T> values) {
  std::vector<T> both(values.begin(), values.end());
  both.insert(both.end(), values.begin(), values.end());
  return both;
}

class Guided : public Denoiser {
 public:
  Guided(Denoiser& network, double weight) : network_(network), weight_(weight) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
               std::span<float> out) override {
    if (weight_ == 0 || label.empty()) return network_.predict(x, time, {}, out);
    if (weight_ == 1) return network_.predict(x, time, label, out);
    // First those without labels, then the same images with them.
    std::vector<int> labels(time.size(), kNoLabel);
    labels.insert(labels.end(), label.begin(), label.end());
    both_.resize(2 * out.size());
    network_.predict(twice(x), twice(time), labels, both_);
    const std::span<const float> pair = both_;
    const std::size_t size = out_shape().size();
    mix(pair.first(out.size()), size, pair.subspan(out.size()), size, shape().size(), weight_, out);
  }

  Shape shape() const override { return network_.shape(); }
  Shape out_shape() const override { return network_.out_shape(); }
  int max_batch() const override {
    return weight_ == 0 || weight_ == 1 ? network_.max_batch() : network_.max_batch() / 2;
  }

 private:
  Denoiser& network_;
  double weight_;
  std::vector<float> both_;
};

class Autoguided : public Denoiser {
 public:
  Autoguided(Denoiser& strong, Denoiser& weak, double weight)
      : strong_(strong), weak_(weak), weight_(weight) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
               std::span<float> out) override {
    strong_.predict(x, time, label, out);
    if (weight_ == 1) return;
    const std::size_t weak_size = weak_.out_shape().size();
    weak_out_.resize(time.size() * weak_size);
    weak_.predict(x, time, label, weak_out_);
    mix(weak_out_, weak_size, out, out_shape().size(), shape().size(), weight_, out);
  }

  Shape shape() const override { return strong_.shape(); }
  Shape out_shape() const override { return strong_.out_shape(); }
  int max_batch() const override { return std::min(strong_.max_batch(), weak_.max_batch()); }

 private:
  Denoiser &strong_, &weak_;
  double weight_;
  std::vector<float> weak_out_;
};

}  // namespace

std::unique_ptr<Denoiser> make_guided(Denoiser& network, double weight) {
  return std::make_unique<Guided>(network, weight);
}

std::unique_ptr<Denoiser> make_autoguided(Denoiser& strong, Denoiser& weak, double weight) {
  const Shape a = strong.shape(), b = weak.shape();
  if (a != b) {
    throw Error(
        "[engine] autoguidance: got models of [{}, {}, {}] and [{}, {}, {}], expected one shape",
        a.c, a.h, a.w, b.c, b.h, b.w);
  }
  return std::make_unique<Autoguided>(strong, weak, weight);
}

}  // namespace ddpm
