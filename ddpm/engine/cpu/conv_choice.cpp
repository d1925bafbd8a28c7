#include "ddpm/engine/cpu/conv_choice.h"

namespace ddpm::cpu {
namespace {

// 3x3, stride 1, 16 channels or more both ways:
//   forward, data gradient   Winograd, from 3 pixels a side on
//   weight gradient          Winograd, padded, from 7 x 7 on: below, a slice has too few tiles to
//                            pay for 36 sums an entry of the weight
// 1x1, stride 1:
//   weight gradient          a product of matrices: the direct sums, in the same order
// everything else            direct
// A 3x3 after nearest upsampling runs on the large grid: Winograd's quarter of the products is less
// than the four ninths of four 2x2 convolutions on the small one.
constexpr int kLeastChannels = 16, kLeastSide = 3, kLeastSideOfWeightGradient = 7;

bool fits_winograd(const Attributes& a, const Shape& in, const Shape& out, int least_side) {
  return a.kernel == 3 && a.width() == 3 && a.stride == 1 && a.pad_before == a.pad_after &&
         a.pad_before <= 1 && in.c >= kLeastChannels && out.c >= kLeastChannels &&
         in.h >= least_side && in.w >= least_side;
}

ConvAlgorithm choose(bool winograd, Profile profile) {
  return winograd && profile == Profile::f32 ? ConvAlgorithm::winograd : ConvAlgorithm::direct;
}

}  // namespace

ConvAlgorithm product_algorithm(const Attributes& a, const Shape& in, const Shape& out,
                                Profile profile) {
  return choose(fits_winograd(a, in, out, kLeastSide), profile);
}

ConvAlgorithm weight_gradient_algorithm(const Attributes& a, const Shape& in, const Shape& out,
                                        Profile profile) {
  const bool same_size = a.pad_before == 1;
  return choose(same_size && fits_winograd(a, in, out, kLeastSideOfWeightGradient), profile);
}

std::unique_ptr<RowOp> make_conv(const RowContext& c) {
  const auto choice = product_algorithm(c.node.a, c.in[0].shape, c.out.shape, c.profile);
  return choice == ConvAlgorithm::winograd ? make_winograd_conv(c) : make_direct_conv(c);
}

std::unique_ptr<RowOp> make_conv_dx(const RowContext& c) {
  const auto choice = product_algorithm(c.node.a, c.out.shape, c.in[0].shape, c.profile);
  return choice == ConvAlgorithm::winograd ? make_winograd_conv_dx(c) : make_direct_conv_dx(c);
}

std::unique_ptr<RowOp> make_conv_dw(const RowContext& c) {
  const Attributes& a = c.node.a;
  if (a.kernel == 1 && a.width() == 1 && a.stride == 1 &&
      c.in[0].shape.pixels() == c.in[1].shape.pixels()) {
    return make_matrix_conv_dw(c);
  }
  const auto choice = weight_gradient_algorithm(a, c.in[0].shape, c.in[1].shape, c.profile);
  return choice == ConvAlgorithm::winograd ? make_winograd_conv_dw(c) : make_direct_conv_dw(c);
}

}  // namespace ddpm::cpu
