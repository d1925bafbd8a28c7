// Rows that read the sample's time or label: embeddings, their tables' gradient, the division by
// the time.
#include <algorithm>
#include <cmath>

#include "ddpm/base/exact.h"
#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {
namespace {

double condition_of(const Run& run, int image, bool of_label) {
  return of_label ? run.label[image] : run.time[image];
}

// Sines and cosines of the angles, in float32 as diffusers computes them: angles and results each
// rounded to float.
class SinusoidRow : public RowOp {
 public:
  explicit SinusoidRow(const RowContext& c)
      : y_(c.out), flip_(c.node.a.flip_sin_to_cos), of_label_(c.node.a.of_label) {}

  void run(const Run& run, ThreadPool&) override {
    const int half = y_.shape.c / 2;
    for (int n = 0; n < run.images; ++n) {
      const float scale = scale_of(condition_of(run, n, of_label_));
      float* sines = y_.image(n) + (flip_ ? half : 0);
      float* cosines = y_.image(n) + (flip_ ? 0 : half);
      for (int i = 0; i < half; ++i) {
        const float angle = angle_of(scale, frequencies_[i]);
        sines[i] = static_cast<float>(exact::sin(angle));
        cosines[i] = static_cast<float>(exact::cos(angle));
      }
      std::fill(y_.image(n) + y_.shape.c, y_.image(n) + y_.width(), 0.0f);
    }
  }

 protected:
  virtual float scale_of(double time) const = 0;
  virtual float angle_of(float scale, float frequency) const = 0;

  View y_;
  bool flip_, of_label_;
  std::vector<float> frequencies_;
};

class TimeEmbeddingRow : public SinusoidRow {
 public:
  explicit TimeEmbeddingRow(const RowContext& c) : SinusoidRow(c) {
    const int half = y_.shape.c / 2;
    const auto scale = static_cast<float>(half - c.node.a.freq_shift);
    constexpr auto kLogPeriod = static_cast<float>(-9.210340371976184);  // -log(10000)
    for (int i = 0; i < half; ++i) {
      const float exponent = kLogPeriod * static_cast<float>(i) / scale;
      frequencies_.push_back(static_cast<float>(exact::exp(exponent)));
    }
  }

 private:
  float scale_of(double time) const override { return static_cast<float>(time); }
  float angle_of(float time, float frequency) const override { return time * frequency; }
};

// The logarithm has an end where our processes have a time: 0. diffusers makes NaN of it.
constexpr double kLeastTime = 1e-3;

// Beyond it no angle of float32 has digits left.
constexpr float kMostFrequency = 1e4f;

class FourierRow : public SinusoidRow {
 public:
  explicit FourierRow(const RowContext& c) : SinusoidRow(c), name_(c.node.param + ".weight") {
    frequencies_.assign(y_.shape.c / 2, 0.0f);
  }

  void pack(const Params& params, ThreadPool&) override {
    std::ranges::transform(params.tensor(name_), frequencies_.begin(), [](float w) {
      return std::isnan(w) ? 0.0f : std::clamp(w, -kMostFrequency, kMostFrequency);
    });
  }

 private:
  float scale_of(double time) const override {
    return static_cast<float>(exact::log(static_cast<float>(std::max(time, kLeastTime))));
  }
  float angle_of(float log_time, float frequency) const override {
    constexpr auto kPi = static_cast<float>(3.141592653589793);
    return log_time * frequency * 2 * kPi;
  }

  std::string name_;
};

// Which row of the table an image has.
std::size_t row_of(const Run& run, int image, const Attributes& a) {
  const double value = condition_of(run, image, a.of_label);
  return static_cast<std::size_t>(value < 0 ? a.null_row : value);
}

class EmbeddingRow : public RowOp {
 public:
  explicit EmbeddingRow(const RowContext& c)
      : y_(c.out), a_(c.node.a), name_(c.node.param + ".weight") {}

  void pack(const Params& params, ThreadPool&) override {
    const auto table = params.tensor(name_);
    table_.assign(table.begin(), table.end());
  }

  void run(const Run& run, ThreadPool&) override {
    for (int n = 0; n < run.images; ++n) {
      const float* from = table_.data() + row_of(run, n, a_) * y_.shape.c;
      float* y = std::copy_n(from, y_.shape.c, y_.image(n));
      std::fill(y, y_.image(n) + y_.width(), 0.0f);
    }
  }

 private:
  View y_;
  Attributes a_;
  std::string name_;
  std::vector<float> table_;
};

// Added image by image, in order, so that the sum of a slice is one fixed computation.
class EmbeddingDwRow : public RowOp {
 public:
  explicit EmbeddingDwRow(const RowContext& c)
      : dy_(c.in[0]), a_(c.node.a), name_(c.node.param + ".weight") {}

  void run(const Run& run, ThreadPool&) override {
    int n = 0;
    for (std::size_t s = 0; s < run.slices.size(); ++s) {
      const std::span<float> table = run.gradients[s]->tensor(name_);
      std::fill(table.begin(), table.end(), 0.0f);
      for (const int end = n + run.slices[s]; n < end; ++n) {
        float* row = table.data() + row_of(run, n, a_) * dy_.shape.c;
        for (int c = 0; c < dy_.shape.c; ++c) row[c] += dy_.image(n)[c];
      }
    }
  }

 private:
  View dy_;
  Attributes a_;
  std::string name_;
};

class DivideByTimeRow : public RowOp {
 public:
  explicit DivideByTimeRow(const RowContext& c) : x_(c.in[0]), y_(c.out) {}

  void run(const Run& run, ThreadPool& pool) override {
    const int width = y_.width();
    pool.run(run.images, [&](int n, int) {
      const auto time = static_cast<float>(std::max(run.time[n], kLeastTime));
      for (int p = 0; p < y_.pixels(); ++p) {
        const float* x = x_.pixel(n, p);
        float* y = y_.pixel(n, p);
        for (int c = 0; c < width; ++c) y[c] = x[c] / time;
      }
    });
  }

 private:
  View x_, y_;
};

}  // namespace

std::unique_ptr<RowOp> make_condition_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::time_embedding:
      if (!c.node.param.empty()) return std::make_unique<FourierRow>(c);
      return std::make_unique<TimeEmbeddingRow>(c);
    case Op::embedding:
      return std::make_unique<EmbeddingRow>(c);
    case Op::embedding_dw:
      return std::make_unique<EmbeddingDwRow>(c);
    case Op::divide_by_time:
      return std::make_unique<DivideByTimeRow>(c);
    default:
      return nullptr;
  }
}

}  // namespace ddpm::cpu
