// A data set that is small enough to keep: IDX and CIFAR files.
#pragma once

#include <string>
#include <vector>

#include "ddpm/data/dataset.h"

namespace ddpm {

/// Images of one shape, one after another, and what else is known of them.
struct ImageTable {
  Shape shape;
  std::string pixels;                // [N, C, H, W]
  std::vector<std::uint8_t> labels;  // one an image, or none at all
  std::vector<std::string> classes;  // names; more than every label, or empty without labels
  std::string description;
};

/// Throws BugError when the table contradicts itself, Error (usage) when `options` want another
/// shape.
std::unique_ptr<Dataset> memory_dataset(ImageTable table, const DatasetOptions& options);

}  // namespace ddpm
