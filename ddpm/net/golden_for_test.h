// For tests: the files of tests/golden.
#pragma once

#include <filesystem>
#include <string>

#include "ddpm/base/file.h"

namespace ddpm {

inline std::filesystem::path golden_path(const std::string& name) {
  return std::filesystem::path(DDPM_SOURCE_DIR) / "tests" / "golden" / name;
}

inline std::string golden(const std::string& name) {
  return value_or_throw(read_file(golden_path(name)));
}

}  // namespace ddpm
