// Guidance: denoisers made of denoisers. All that a network can mean (eps, x0, v, mu, score) is
// affine in the state with the same factors for both, so that a combination of two outputs means
// the combination of what they mean; channels of a learned variance are taken as they are, from the
// network that knows more.
#pragma once

#include <memory>

#include "ddpm/engine/engine.h"

namespace ddpm {

/// Classifier-free guidance (Ho & Salimans 2022): out = none + weight (class - none), where `none`
/// is the network without labels; in one call of twice as many images. weight 0 is the network
/// without labels and 1 with them, bit for bit and in one call of as many. `network` must outlive
/// it.
std::unique_ptr<Denoiser> make_guided(Denoiser& network, double weight);

/// Autoguidance (Karras et al. 2024, "Guiding a diffusion model with a bad version of itself"): out
/// = weak + weight (strong - weak). Both are given the labels; a weak network without classes is to
/// be made_guided by 0. weight 1 calls the strong one alone. Throws Error (usage) when they are
/// not of one shape. Both must outlive it.
std::unique_ptr<Denoiser> make_autoguided(Denoiser& strong, Denoiser& weak, double weight);

/// Classifier guidance (Dhariwal & Nichol 2021, Algorithm 2): eps - sqrt(1 - alpha_bar) scale
/// d log p(label | x_t) / d x_t, written back as the network's own prediction. classifier(x_t,
/// time) gives a logit a class, out_shape {classes, 1, 1}; an image with kNoLabel is left alone,
/// and so is every image at alpha_bar = 0, where x_t says nothing. The labels are also passed on to
/// `network`. Throws Error (usage) for another shape or an unknown class. All must outlive it.
std::unique_ptr<Denoiser> make_classifier_guided(Denoiser& network, VectorJacobian& classifier,
                                                 const Schedule& schedule, Prediction prediction,
                                                 double scale);

}  // namespace ddpm
