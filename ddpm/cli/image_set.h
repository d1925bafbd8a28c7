// Files of features and statistics, as `ddpm metrics` takes them.
#pragma once

#include <filesystem>

#include "ddpm/metrics/report.h"

namespace ddpm::cli {

/// An .npy file or a folder of them (shards, in the order of their names): features [N, d]. An .npz
/// file: `features` (or `arr_0`), `logits`, `spatial`, or the statistics `mu`, `sigma`, `mu_s`,
/// `sigma_s`. Throws Error (bad_input) for everything else.
ImageSet open_image_set(const std::filesystem::path& path);

}  // namespace ddpm::cli
