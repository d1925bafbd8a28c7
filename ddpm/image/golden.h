// For tests: reads tests/golden/image.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"

namespace ddpm {

inline std::string golden_path(const std::string& name) {
  return std::string(DDPM_SOURCE_DIR) + "/tests/golden/image/" + name;
}

/// The lines of a golden file, each split at spaces.
inline std::vector<std::vector<std::string>> golden_lines(const std::string& name) {
  std::istringstream file(value_or_throw(read_file(golden_path(name))));
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    auto& split = lines.emplace_back();
    for (std::string word; words >> word;) split.push_back(word);
  }
  DDPM_CHECK(!lines.empty(), "{}", name);
  return lines;
}

inline std::vector<std::uint8_t> from_hex(const std::string& hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

/// make.py's noise(): the high bytes of a linear congruential generator.
inline std::vector<std::uint8_t> noise_bytes(std::size_t count, std::uint32_t seed) {
  std::vector<std::uint8_t> bytes(count);
  for (auto& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<std::uint8_t>(seed >> 24);
  }
  return bytes;
}

}  // namespace ddpm
