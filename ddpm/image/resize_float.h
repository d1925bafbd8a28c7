// The resizes that Inception's features are computed through, bit for bit. Each program has its
// own, and scores differ by which one is used. Planes of floats [C, H, W] in and out, any size.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ddpm/base/shape.h"
#include "ddpm/image/image.h"

namespace ddpm {

/// Planes of an image, each byte as a float.
std::vector<float> byte_planes(const Image& image);

/// resize_bilinear(align_corners=False) of TensorFlow 1: torch-fidelity, TTUR, tfgan. Positions
/// i * in / out, no antialiasing, float32 throughout. `in` has shape.size() values; the result
/// [C, height, width]. Throws Error unless width and height are at least 1 (so do all here).
std::vector<float> resize_tf1(std::span<const float> in, Shape shape, int width, int height);

/// torch.nn.functional.interpolate(mode="bilinear", align_corners=False) on a CPU, planes (NCHW):
/// pytorch-fid. Half-pixel positions, no antialiasing.
std::vector<float> resize_torch(std::span<const float> in, Shape shape, int width, int height);

/// Pillow's resize of mode F images with BICUBIC: clean-fid. Antialiased; across, then down.
std::vector<float> resize_pil(std::span<const float> in, Shape shape, int width, int height);

/// How a program feeds an RGB image to Inception.
enum class InputPipeline {
  torch_fidelity,  // TF1 resize, (x - 128) / 128
  pytorch_fid,     // x / 255, torch resize, 2 x - 1
  clean_fid,       // Pillow's bicubic, clipped to [0, 255], (x - 128) / 128
  ddpm,            // as torch_fidelity, of samples that were never rounded
};

/// "torch-fidelity" and so on.
std::string_view to_string(InputPipeline pipeline);
/// Throws Error (usage) for another name.
InputPipeline parse_pipeline(std::string_view name);

/// The network's input [3, 299, 299] for planes [3, H, W] of values in [0, 255], whole or not
/// (DDPM's own scores come from samples that were never rounded).
std::vector<float> inception_input(std::span<const float> in, Shape shape, InputPipeline pipeline);

}  // namespace ddpm
