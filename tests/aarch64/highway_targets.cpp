// What ddpm/engine/cpu/kernels.cpp asks of Highway's library, which a cross build lacks: its
// headers are the same for every processor, its only compiled part detects the processor. On
// aarch64 there is nothing to detect.
#include <hwy/targets.h>

namespace hwy {

int64_t SupportedTargets() { return HWY_NEON; }

ChosenTarget& GetChosenTarget() {
  static ChosenTarget target;
  return target;
}

}  // namespace hwy
