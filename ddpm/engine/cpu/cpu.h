// The CPU engine's factories. f32 results have the same bits on every instruction set, thread count
// and batch size.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ddpm/base/thread_pool.h"
#include "ddpm/base/version.h"
#include "ddpm/engine/engine.h"

namespace ddpm::cpu {

/// f32 chooses the fastest algorithm by shape; f32_direct computes every row as the graph has it,
/// for numbers that must agree with references to the last digits: no Winograd transforms, no
/// folded weights. Both are exact.
enum class Profile { f32, f32_direct };

/// "f32", "f32-direct".
std::string_view to_string(Profile profile);
/// Throws Error (usage) that begins with `where` for any other name.
Profile parse_profile(std::string_view where, std::string_view name);

/// Runs `graph` (input slot 0, time) with `params`, which are copied and packed. `pool` must
/// outlive it. numerics: whose bits f32 is to give, 2 or kNumerics; files that are decoded with the
/// same bits as they were made keep an old one.
std::unique_ptr<Denoiser> make_denoiser(const Graph& graph, const Params& params, int max_batch,
                                        ThreadPool& pool, Profile profile = Profile::f32,
                                        int numerics = kNumerics);

/// Likewise, with its derivative by input slot 0; nothing is folded, as in numerics 2.
std::unique_ptr<VectorJacobian> make_vector_jacobian(const Graph& graph, const Params& params,
                                                     int max_batch, ThreadPool& pool,
                                                     Profile profile = Profile::f32);

/// What the backward pass finds of the forward pass: all activations, or only what lies between
/// residual blocks, whose inner activations it computes again: less memory, more time, the same
/// bits.
enum class Recompute { none, blocks };

/// "none", "blocks": the values of the config's key.
std::string_view to_string(Recompute recompute);

/// Trains `graph` from `params`. micro_batch: the largest number of images in one forward();
/// max_slices: of slices in it.
std::unique_ptr<Learner> make_learner(const Graph& graph, const Params& params, int micro_batch,
                                      int max_slices, ThreadPool& pool,
                                      Profile profile = Profile::f32,
                                      Recompute recompute = Recompute::none);

/// The instruction set in use: "avx512", "avx2", "scalar", "neon".
std::string isa_name();

/// Reads DDPM_ISA (scalar|avx2|avx512) and narrows the instruction set. Throws Error (usage) when
/// this CPU lacks it or the name is unknown.
void select_isa_from_environment();

}  // namespace ddpm::cpu
