// The CPU engine's factories. f32 results have the same bits on every instruction set, thread count
// and batch size.
#pragma once

#include <memory>
#include <string>

#include "ddpm/base/thread_pool.h"
#include "ddpm/engine/engine.h"

namespace ddpm::cpu {

/// Runs `graph` (input slot 0, time) with `params`, which are copied and packed. `pool` must
/// outlive it.
std::unique_ptr<Denoiser> make_denoiser(const Graph& graph, const Params& params, int max_batch,
                                        ThreadPool& pool);

/// Trains `graph` from `params`. micro_batch: the largest number of images in one forward();
/// max_slices: of slices in it.
std::unique_ptr<Learner> make_learner(const Graph& graph, const Params& params, int micro_batch,
                                      int max_slices, ThreadPool& pool);

/// The instruction set in use: "avx512", "avx2", "scalar", "neon".
std::string isa_name();

/// Reads DDPM_ISA (scalar|avx2|avx512) and narrows the instruction set. Throws Error (usage) when
/// this CPU lacks it or the name is unknown.
void select_isa_from_environment();

}  // namespace ddpm::cpu
