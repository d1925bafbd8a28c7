// The weights of FID's network: found, read, checked.
#pragma once

#include <filesystem>
#include <string>

#include "ddpm/net/safetensors.h"

namespace ddpm::cli {

struct InceptionFile {
  std::filesystem::path path;
  TensorFile tensors;
};

/// `given`, or when it is empty the first of the public files' names that is in
/// $XDG_CACHE_HOME/ddpm or torch.hub's cache. A name that ends with the start of a SHA-256, as
/// theirs do, is held to it. Throws Error (bad_input), without a file with where to get one.
InceptionFile open_inception(const std::string& given);

}  // namespace ddpm::cli
