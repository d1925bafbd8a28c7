// IDX images with the labels that lie beside them.
#pragma once

#include <filesystem>
#include <optional>

#include "ddpm/base/result.h"
#include "ddpm/data/memory_dataset.h"

namespace ddpm {

/// The labels file of an images file: `-images-idx3-` becomes `-labels-idx1-` (or `.idx` for
/// `-idx`), with or without `.gz`. None when no such file exists.
std::optional<std::filesystem::path> labels_beside(const std::filesystem::path& images);

/// Failure as read_idx; corrupt when there are more or fewer labels than images.
Result<ImageTable> read_idx_images(const std::filesystem::path& images);

}  // namespace ddpm
