// Samples of a model as a source of images: drawn when they are asked for, never on disk.
#pragma once

#include <memory>
#include <string>

#include "ddpm/metrics/image_source.h"
#include "ddpm/net/model.h"

namespace ddpm::cli {

/// Images 0 .. count - 1 of (seed, plan), the same that `ddpm sample` draws; of a model with
/// classes, image i is of class i modulo their number. `pool` must outlive it. Throws Error (usage)
/// for a plan that the model can't run.
std::unique_ptr<ImageSource> model_images(Model model, std::int64_t count, const std::string& plan,
                                          std::uint64_t seed, bool round, ThreadPool& pool);

}  // namespace ddpm::cli
