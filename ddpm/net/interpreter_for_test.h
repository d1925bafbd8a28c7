// The oracle of the tests: executes the rows of a graph in plain double, one image at a time, in
// the most obvious way.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/net/graph.h"
#include "ddpm/net/params.h"

namespace ddpm {

using Doubles = std::vector<double>;
using DoubleParams = std::map<std::string, Doubles>;

inline DoubleParams to_doubles(const Params& params) {
  DoubleParams result;
  for (const ParamSpec& spec : params.specs()) {
    const auto t = params.tensor(spec.name);
    result[spec.name].assign(t.begin(), t.end());
  }
  return result;
}

class Interpreter {
 public:
  Interpreter(const Graph& graph, const DoubleParams& params) : g_(graph), params_(params) {}

  /// inputs[slot]: planar [C, H, W]. Afterwards value(v) is the image's; parameter gradients are
  /// added to `gradients`. The time embedding's sinusoids are rounded as the engine's are, when
  /// `float_time`; dropout is off. label: kNoValue for none.
  void run(const std::vector<Doubles>& inputs, double time, bool float_time = true,
           int label = kNoValue) {
    time_ = time;
    label_ = label;
    values_.assign(g_.nodes().size(), {});
    for (Value v = 0; v < static_cast<Value>(values_.size()); ++v) {
      const Node& n = g_.node(v);
      values_[v].assign(n.shape.size(), 0.0);
      row(n, values_[v], inputs, time, float_time);
    }
  }

  const Doubles& value(Value v) const { return values_.at(v); }
  DoubleParams gradients;

 private:
  using Out = Doubles;

  const Doubles& in(const Node& n, int i) const { return values_[n.inputs[i]]; }
  Shape shape(const Node& n, int i) const { return g_.shape(n.inputs[i]); }

  void row(const Node& n, Out& y, const std::vector<Doubles>& inputs, double time,
           bool float_time) {
    switch (n.op) {
      case Op::input:
        y = inputs.at(n.a.slot);
        return;
      case Op::time_embedding: {
        const double t = n.a.of_label ? label_ : time;
        return n.param.empty() ? time_embedding(n, y, t, float_time) : fourier(n, y, t, float_time);
      }
      case Op::embedding:
        y.assign(weight(n).begin() + row_of(n) * n.shape.c,
                 weight(n).begin() + (row_of(n) + 1) * n.shape.c);
        return;
      case Op::embedding_dw: {
        Doubles& dw = gradient(n, ".weight");
        for (std::size_t c = 0; c < in(n, 0).size(); ++c) {
          dw[row_of(n) * in(n, 0).size() + c] += in(n, 0)[c];
        }
        return;
      }
      case Op::conv:
        return conv(n, y);
      case Op::conv_dx:
        return conv_dx(n, y);
      case Op::conv_dw:
        return conv_dw(n);
      case Op::norm_stats:
        return norm_stats(n, y);
      case Op::normalize:
        return normalize(n, y);
      case Op::normalize_sums:
        return normalize_sums(n, y);
      case Op::normalize_dx:
        return normalize_dx(n, y);
      case Op::normalize_dw:
        return normalize_dw(n);
      case Op::normalize_dm:
        return normalize_dm(n, y);
      case Op::dot_tokens:
        return dot_tokens(n, y);
      case Op::softmax:
        return softmax(n, y);
      case Op::softmax_dx:
        return softmax_dx(n, y);
      case Op::mix_tokens:
        return mix(n, y, false);
      case Op::mix_tokens_transposed:
        return mix(n, y, true);
      case Op::max_pool:
      case Op::avg_pool:
        return pool(n, y);
      case Op::flatten:
        y = in(n, 0);
        return;
      default:
        return simple(n, y);
    }
  }

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  void simple(const Node& n, Out& y) {
    const int w = n.shape.w, px = n.shape.pixels();
    for (std::size_t i = 0; i < y.size(); ++i) {
      const int c = static_cast<int>(i) / px, p = static_cast<int>(i) % px, row = p / w,
                col = p % w;
      switch (n.op) {
        case Op::silu:
          y[i] = in(n, 0)[i] * sigmoid(in(n, 0)[i]);
          break;
        case Op::silu_dx: {
          const double x = in(n, 0)[i], s = sigmoid(x);
          y[i] = in(n, 1)[i] * (s + x * s * (1 - s));
          break;
        }
        case Op::relu:
          y[i] = std::max(in(n, 0)[i], 0.0);
          break;
        case Op::add:
          y[i] = in(n, 0)[i] + in(n, 1)[shape(n, 1) == n.shape ? i : c];
          break;
        case Op::scale:
          y[i] = n.a.alpha * in(n, 0)[i] + n.a.beta;
          break;
        case Op::upsample:
          y[i] = in(n, 0)[c * (px / 4) + (row / 2) * (w / 2) + col / 2];
          break;
        case Op::upsample_dx:
          for (int k = 0; k < 4; ++k) {
            y[i] += in(n, 0)[c * px * 4 + (2 * row + k / 2) * 2 * w + 2 * col + k % 2];
          }
          break;
        case Op::concat: {
          const int first = shape(n, 0).c;
          y[i] = c < first ? in(n, 0)[i] : in(n, 1)[(c - first) * px + p];
          break;
        }
        case Op::slice:
          y[i] = in(n, 0)[(n.a.begin + c) * px + p];
          break;
        case Op::dropout:
          y[i] = in(n, 0)[i];
          break;
        case Op::divide_by_time:
          y[i] = in(n, 0)[i] / std::max(time_, 1e-3);
          break;
        case Op::sum_pixels:
          for (int k = 0; k < shape(n, 0).pixels(); ++k)
            y[i] += in(n, 0)[i * shape(n, 0).pixels() + k];
          break;
        default:
          DDPM_CHECK(false, "{}", to_string(n.op));
      }
    }
  }

  void pool(const Node& n, Out& y) {
    const Shape x = shape(n, 0);
    const int k = n.a.kernel;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const int c = static_cast<int>(i) / n.shape.pixels(),
                p = static_cast<int>(i) % n.shape.pixels();
      double top = -INFINITY, sum = 0;
      int inside = 0;
      for (int t = 0; t < k * k; ++t) {
        const int row = p / n.shape.w * n.a.stride + t / k - n.a.pad_before;
        const int col = p % n.shape.w * n.a.stride + t % k - n.a.pad_before;
        if (row < 0 || row >= x.h || col < 0 || col >= x.w) continue;
        const double v = in(n, 0)[c * x.pixels() + row * x.w + col];
        top = std::max(top, v);
        sum += v;
        ++inside;
      }
      y[i] = n.op == Op::max_pool ? top : sum / (n.a.count_padding ? k * k : inside);
    }
  }

  void time_embedding(const Node& n, Out& y, double time, bool float_time) {
    const int half = n.shape.c / 2;
    for (int i = 0; i < half; ++i) {
      double angle = std::exp(-std::log(10000.0) * i / (half - n.a.freq_shift)) * time;
      double s = std::sin(angle), c = std::cos(angle);
      if (float_time) {
        const float exponent =
            -9.210340371976184f * static_cast<float>(i) / static_cast<float>(half - n.a.freq_shift);
        const float a = static_cast<float>(time) * static_cast<float>(std::exp(double{exponent}));
        s = static_cast<float>(std::sin(double{a}));
        c = static_cast<float>(std::cos(double{a}));
      }
      y[i] = n.a.flip_sin_to_cos ? c : s;
      y[half + i] = n.a.flip_sin_to_cos ? s : c;
    }
  }

  // Times below 1e-3 count as that.
  void fourier(const Node& n, Out& y, double time, bool float_time) {
    const int half = n.shape.c / 2;
    const double floored = std::max(time, 1e-3);
    const double log_time = std::log(float_time ? static_cast<float>(floored) : floored);
    for (int i = 0; i < half; ++i) {
      double angle = 2 * M_PI * log_time * weight(n)[i];
      if (float_time) {
        angle = static_cast<float>(log_time) * static_cast<float>(weight(n)[i]) * 2 *
                static_cast<float>(M_PI);
      }
      y[i] = std::sin(angle);
      y[half + i] = std::cos(angle);
    }
  }

  std::size_t row_of(const Node& n) const {
    if (!n.a.of_label) return static_cast<std::size_t>(time_);
    return label_ == kNoValue ? n.a.null_row : label_;
  }

  // Calls f(out channel, out pixel, in channel, in pixel, index of the weight) for every product of
  // a convolution.
  template <class F>
  static void for_products(const Attributes& a, Shape x, Shape y, const F& f) {
    const int width = a.width();
    for (int o = 0; o < y.c; ++o)
      for (int i = 0; i < x.c; ++i)
        for (int oy = 0; oy < y.h; ++oy)
          for (int ox = 0; ox < y.w; ++ox)
            for (int t = 0; t < a.taps(); ++t) {
              const int iy = oy * a.stride + t / width - a.pad_before;
              const int ix = ox * a.stride + t % width - a.pad_left();
              if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w) continue;
              f(o, oy * y.w + ox, i, iy * x.w + ix, (std::size_t{1} * o * x.c + i) * a.taps() + t);
            }
  }

  const Doubles& weight(const Node& n) const { return params_.at(n.param + ".weight"); }
  const Doubles& bias(const Node& n) const { return params_.at(n.param + ".bias"); }

  Doubles& gradient(const Node& n, const char* what) {
    Doubles& g = gradients[n.param + what];
    g.resize(params_.at(n.param + what).size());
    return g;
  }

  void conv(const Node& n, Out& y) {
    const Shape xs = shape(n, 0);
    const Doubles &x = in(n, 0), &weights = weight(n), &biases = bias(n);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = biases[i / n.shape.pixels()];
    for_products(n.a, xs, n.shape, [&](int o, int op, int i, int ip, std::size_t w) {
      y[o * n.shape.pixels() + op] += x[i * xs.pixels() + ip] * weights[w];
    });
  }

  void conv_dx(const Node& n, Out& dx) {
    const Shape ys = shape(n, 0);
    const Doubles &dy = in(n, 0), &weights = weight(n);
    for_products(n.a, n.shape, ys, [&](int o, int op, int i, int ip, std::size_t w) {
      dx[i * n.shape.pixels() + ip] += dy[o * ys.pixels() + op] * weights[w];
    });
  }

  void conv_dw(const Node& n) {
    const Shape xs = shape(n, 0), ys = shape(n, 1);
    Doubles& dw = gradient(n, ".weight");
    Doubles& db = gradient(n, ".bias");
    const Doubles &x = in(n, 0), &dy = in(n, 1);
    for_products(n.a, xs, ys, [&](int o, int op, int i, int ip, std::size_t w) {
      dw[w] += x[i * xs.pixels() + ip] * dy[o * ys.pixels() + op];
    });
    for (std::size_t i = 0; i < ys.size(); ++i) db[i / ys.pixels()] += dy[i];
  }

  void norm_stats(const Node& n, Out& y) {
    const std::size_t per = shape(n, 0).size() / n.a.groups;
    for (int g = 0; g < n.a.groups; ++g) {
      const double* x = in(n, 0).data() + g * per;
      double mean = 0, variance = 0;
      for (std::size_t i = 0; i < per; ++i) mean += x[i] / per;
      for (std::size_t i = 0; i < per; ++i) variance += (x[i] - mean) * (x[i] - mean) / per;
      y[g] = mean;
      y[n.a.groups + g] = 1 / std::sqrt(variance + n.a.epsilon);
    }
  }

  // (x - mean) * rstd at element i of a normalize* row.
  double xhat(const Node& n, std::size_t i) const {
    const std::size_t g = i / (shape(n, 0).size() / n.a.groups);
    return (in(n, 0)[i] - in(n, 1)[g]) * in(n, 1)[n.a.groups + g];
  }

  // What the scale of a modulation multiplies channel c by; m: its place among the inputs.
  double factor(const Node& n, int m, std::size_t c) const {
    return n.a.modulated ? 1 + in(n, m)[c] : 1;
  }

  void normalize(const Node& n, Out& y) {
    const Doubles &weights = weight(n), &biases = bias(n);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t c = i / n.shape.pixels();
      y[i] = (xhat(n, i) * weights[c] + biases[c]) * factor(n, 2, c);
      if (n.a.modulated) y[i] += in(n, 2)[n.shape.c + c];
    }
  }

  void normalize_sums(const Node& n, Out& y) {
    const Shape xs = shape(n, 0);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      y[i / xs.pixels()] += in(n, 2)[i];
      y[xs.c + i / xs.pixels()] += in(n, 2)[i] * xhat(n, i);
    }
  }

  void normalize_dx(const Node& n, Out& dx) {
    const std::size_t per = n.shape.size() / n.a.groups, px = n.shape.pixels();
    const Doubles& weights = weight(n);
    const auto d_xhat = [&](std::size_t i) {
      return weights[i / px] * factor(n, 4, i / px) * in(n, 2)[i];
    };
    for (int g = 0; g < n.a.groups; ++g) {
      double m1 = 0, m2 = 0;
      for (std::size_t i = g * per; i < (g + 1) * per; ++i) {
        m1 += d_xhat(i) / per;
        m2 += d_xhat(i) * xhat(n, i) / per;
      }
      for (std::size_t i = g * per; i < (g + 1) * per; ++i) {
        dx[i] = in(n, 1)[n.a.groups + g] * (d_xhat(i) - m1 - xhat(n, i) * m2);
      }
    }
  }

  void normalize_dw(const Node& n) {
    Doubles& dw = gradient(n, ".weight");
    Doubles& db = gradient(n, ".bias");
    for (std::size_t c = 0; c < db.size(); ++c) {
      db[c] += in(n, 0)[c] * factor(n, 1, c);
      dw[c] += in(n, 0)[db.size() + c] * factor(n, 1, c);
    }
  }

  void normalize_dm(const Node& n, Out& dm) {
    const std::size_t channels = dm.size() / 2;
    for (std::size_t c = 0; c < channels; ++c) {
      dm[c] = in(n, 0)[channels + c] * weight(n)[c] + in(n, 0)[c] * bias(n)[c];
      dm[channels + c] = in(n, 0)[c];
    }
  }

  void dot_tokens(const Node& n, Out& y) {
    const Shape a = shape(n, 0), b = shape(n, 1);
    const int ta = a.pixels(), tb = b.pixels(), width = a.c / n.a.heads;
    for (int h = 0; h < n.a.heads; ++h)
      for (int i = 0; i < ta; ++i)
        for (int j = 0; j < tb; ++j)
          for (int c = h * width; c < (h + 1) * width; ++c)
            y[(h * tb + j) * ta + i] += n.a.alpha * in(n, 0)[c * ta + i] * in(n, 1)[c * tb + j];
  }

  // y_i = alpha sum_j p_ij v_j, or y_j = alpha sum_i p_ij v_i.
  void mix(const Node& n, Out& y, bool transposed) {
    const int t = n.shape.pixels(), width = n.shape.c / n.a.heads;
    for (int c = 0; c < n.shape.c; ++c)
      for (int i = 0; i < t; ++i)
        for (int j = 0; j < t; ++j) {
          const double p = in(n, 0)[(c / width * t + j) * t + i];
          if (transposed) {
            y[c * t + j] += n.a.alpha * p * in(n, 1)[c * t + i];
          } else {
            y[c * t + i] += n.a.alpha * p * in(n, 1)[c * t + j];
          }
        }
  }

  // Calls f(index of the first of a row's T scores, distance between them).
  template <class F>
  static void for_score_rows(const Node& n, const F& f) {
    const int t = n.shape.pixels();
    for (int h = 0; h < n.a.heads; ++h)
      for (int i = 0; i < t; ++i) f(std::size_t{1} * h * t * t + i, t);
  }

  void softmax(const Node& n, Out& y) {
    for_score_rows(n, [&](std::size_t first, int t) {
      double top = -INFINITY, sum = 0;
      for (int j = 0; j < t; ++j) top = std::max(top, in(n, 0)[first + j * t]);
      for (int j = 0; j < t; ++j) sum += std::exp(in(n, 0)[first + j * t] - top);
      for (int j = 0; j < t; ++j) y[first + j * t] = std::exp(in(n, 0)[first + j * t] - top) / sum;
    });
  }

  void softmax_dx(const Node& n, Out& dx) {
    for_score_rows(n, [&](std::size_t first, int t) {
      double dot = 0;
      for (int j = 0; j < t; ++j) dot += in(n, 0)[first + j * t] * in(n, 1)[first + j * t];
      for (int j = 0; j < t; ++j) {
        dx[first + j * t] = in(n, 0)[first + j * t] * (in(n, 1)[first + j * t] - dot);
      }
    });
  }

  const Graph& g_;
  const DoubleParams& params_;
  std::vector<Doubles> values_;
  double time_ = 0;
  int label_ = kNoValue;
};

}  // namespace ddpm
