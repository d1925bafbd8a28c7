// What `ddpm --version` prints and files carry.
#pragma once

namespace ddpm {

inline constexpr const char* kVersion = DDPM_VERSION;

/// Raised whenever the same model, seed and plan may give other bits than before.
inline constexpr int kNumerics = 3;  // 2: Winograd; 3: attention of one head folded

}  // namespace ddpm
