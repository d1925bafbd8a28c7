// The yardstick: how fast this machine multiplies and adds.
#pragma once

#include "ddpm/base/thread_pool.h"

namespace ddpm::cpu {

/// GFLOP/s (2 a multiply-add) of all threads of `pool` together, on registers alone, in the
/// instruction set in use: the best of some short runs, a tenth of a second in all.
double measure_fma_peak(ThreadPool& pool);

}  // namespace ddpm::cpu
