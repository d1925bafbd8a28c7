#include <cstdlib>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/kernels.h"

namespace ddpm::cpu {

std::string isa_name() { return kernels().name; }

void select_isa_from_environment() {
  const char* wanted = std::getenv("DDPM_ISA");
  if (!wanted || !*wanted) return;
  const std::string best = isa_name();
  if (!set_isa(wanted)) {
    throw Error(
        "[engine] DDPM_ISA: got '{}', expected scalar, avx2 or avx512 as far as this CPU has them "
        "(its best is {}); try unsetting DDPM_ISA",
        wanted, best);
  }
}

}  // namespace ddpm::cpu
