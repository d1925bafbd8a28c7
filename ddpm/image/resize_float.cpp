#include "ddpm/image/resize_float.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr int kInceptionSide = 299;

void check(std::span<const float> in, Shape shape, int width, int height) {
  DDPM_CHECK(shape.c >= 1 && shape.h >= 1 && shape.w >= 1 && in.size() == shape.size());
  if (width < 1 || height < 1) {
    throw Error("[image] resize: got {} x {}, expected sides of at least 1", width, height);
  }
}

// Between which two inputs an output lies, and the weight of each.
struct Between {
  int low, high;
  float low_weight, high_weight;
};

std::vector<Between> tf1_positions(int in, int out) {
  std::vector<Between> all;
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int i = 0; i < out; ++i) {
    const float position = static_cast<float>(i) * scale;
    const int low = std::min(static_cast<int>(position), in - 1);
    all.push_back({low, std::min(low + 1, in - 1), 0, position - static_cast<float>(low)});
  }
  return all;
}

std::vector<Between> torch_positions(int in, int out) {
  std::vector<Between> all;
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (int i = 0; i < out; ++i) {
    const double position = std::max(scale * (i + 0.5) - 0.5, 0.0);
    const int low = std::min(static_cast<int>(position), in - 1);
    const auto weight = static_cast<float>(position - low);
    all.push_back({low, std::min(low + 1, in - 1), 1 - weight, weight});
  }
  return all;
}

float tf1_mix(float a, float b, const Between& at) { return a + (b - a) * at.high_weight; }

float torch_mix(float a, float b, const Between& at) {
  return std::fma(a, at.low_weight, b * at.high_weight);
}

template <class Mix>
std::vector<float> bilinear(std::span<const float> in, Shape shape, const std::vector<Between>& xs,
                            const std::vector<Between>& ys, Mix mix) {
  std::vector<float> out;
  out.reserve(std::size_t{1} * shape.c * xs.size() * ys.size());
  for (int c = 0; c < shape.c; ++c) {
    const float* plane = in.data() + std::size_t{1} * c * shape.pixels();
    for (const Between& y : ys) {
      const float* top = plane + std::size_t{1} * y.low * shape.w;
      const float* bottom = plane + std::size_t{1} * y.high * shape.w;
      for (const Between& x : xs) {
        out.push_back(
            mix(mix(top[x.low], top[x.high], x), mix(bottom[x.low], bottom[x.high], x), y));
      }
    }
  }
  return out;
}

// Keys' cubic, a = -0.5, with the operations in Pillow's order.
double cubic(double v) {
  v = std::abs(v);
  if (v < 1) return ((1.5 * v - 2.5) * v) * v + 1;
  if (v < 2) return (((v - 5) * v + 8) * v - 4) * -0.5;
  return 0;
}

struct FloatWindow {
  int first;
  std::vector<double> weights;
};

std::vector<FloatWindow> pil_windows(int in, int out) {
  const double scale = static_cast<double>(in) / out, filter = std::max(scale, 1.0);
  const double reach = 2 * filter, step = 1 / filter;
  std::vector<FloatWindow> all;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + reach + 0.5), in);
    FloatWindow window{first, {}};
    double sum = 0;
    for (int k = 0; k < end - first; ++k) {
      window.weights.push_back(cubic((k + first - centre + 0.5) * step));
      sum += window.weights.back();
    }
    for (double& w : window.weights) {
      if (sum != 0) w /= sum;
    }
    all.push_back(std::move(window));
  }
  return all;
}

float apply(const FloatWindow& window, const float* in, std::ptrdiff_t stride) {
  double sum = 0;
  const float* from = in + window.first * stride;
  for (const double w : window.weights) {
    sum += *from * w;
    from += stride;
  }
  return static_cast<float>(sum);
}

}  // namespace

std::string_view to_string(InputPipeline pipeline) {
  constexpr std::string_view kNames[] = {"torch-fidelity", "pytorch-fid", "clean-fid", "ddpm"};
  return kNames[static_cast<int>(pipeline)];
}

InputPipeline parse_pipeline(std::string_view name) {
  for (const auto pipeline : {InputPipeline::torch_fidelity, InputPipeline::pytorch_fid,
                              InputPipeline::clean_fid, InputPipeline::ddpm}) {
    if (name == to_string(pipeline)) return pipeline;
  }
  throw Error("[image] input: got {}, expected torch-fidelity, pytorch-fid, clean-fid or ddpm",
              name);
}

std::vector<float> byte_planes(const Image& image) {
  check_image(image);
  const std::size_t pixels = std::size_t{1} * image.width * image.height;
  std::vector<float> planes(pixels * image.channels);
  for (std::size_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < image.channels; ++c) {
      planes[c * pixels + i] = image.pixels[i * image.channels + c];
    }
  }
  return planes;
}

std::vector<float> resize_tf1(std::span<const float> in, Shape shape, int width, int height) {
  check(in, shape, width, height);
  return bilinear(in, shape, tf1_positions(shape.w, width), tf1_positions(shape.h, height),
                  tf1_mix);
}

std::vector<float> resize_torch(std::span<const float> in, Shape shape, int width, int height) {
  check(in, shape, width, height);
  return bilinear(in, shape, torch_positions(shape.w, width), torch_positions(shape.h, height),
                  torch_mix);
}

std::vector<float> resize_pil(std::span<const float> in, Shape shape, int width, int height) {
  check(in, shape, width, height);
  const auto across = pil_windows(shape.w, width), down = pil_windows(shape.h, height);
  std::vector<float> narrow, out;
  narrow.reserve(std::size_t{1} * shape.c * shape.h * width);
  for (std::size_t row = 0; row < std::size_t{1} * shape.c * shape.h; ++row) {
    for (const FloatWindow& window : across) narrow.push_back(apply(window, &in[row * shape.w], 1));
  }
  out.reserve(std::size_t{1} * shape.c * height * width);
  for (int c = 0; c < shape.c; ++c) {
    const float* plane = narrow.data() + std::size_t{1} * c * shape.h * width;
    for (const FloatWindow& window : down) {
      for (int x = 0; x < width; ++x) out.push_back(apply(window, plane + x, width));
    }
  }
  return out;
}

std::vector<float> inception_input(std::span<const float> in, Shape shape, InputPipeline pipeline) {
  DDPM_CHECK(shape.c == 3, "{}", shape.c);
  std::vector<float> out;
  if (pipeline == InputPipeline::pytorch_fid) {
    std::vector<float> unit(in.begin(), in.end());
    for (float& x : unit) x = x / 255;
    out = resize_torch(unit, shape, kInceptionSide, kInceptionSide);
    for (float& x : out) x = 2 * x - 1;
    return out;
  }
  const bool clean = pipeline == InputPipeline::clean_fid;
  out = clean ? resize_pil(in, shape, kInceptionSide, kInceptionSide)
              : resize_tf1(in, shape, kInceptionSide, kInceptionSide);
  for (float& x : out) {
    if (clean) x = std::clamp(x, 0.0f, 255.0f);
    x = (x - 128) / 128;
  }
  return out;
}

}  // namespace ddpm
