// A folder of PNGs as a data set: found when it is opened, decoded when they are asked for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/data/dataset.h"

namespace ddpm {

/// The image files below a folder, and the classes that its first level of sub-folders makes.
struct FolderListing {
  std::vector<std::filesystem::path> files;  // sorted by path below the folder, byte by byte
  std::vector<int> labels;                   // one a file; empty when a file lies in no sub-folder
  std::vector<std::string> classes;          // the sub-folders' names, sorted; empty without labels
};

/// Every `*.png` (in any case), recursively. Names that begin with a dot and files of other kinds
/// (notes, lists) are passed over, but images that we don't read (`*.jpg`, ...) are an Error that
/// names one: leaving them out would be silent loss. Throws Error (bad_input): no PNG there, an
/// unreadable folder, links that go round in circles.
FolderListing list_folder(const std::filesystem::path& folder);

/// The images of `folder` at one shape. Throws Error (bad_input) as list_folder, or when the first
/// image is needed for the shape and can't be decoded.
std::unique_ptr<Dataset> open_folder(const std::filesystem::path& folder,
                                     const DatasetOptions& options);

}  // namespace ddpm
