// IDX, the format of MNIST and its relatives (yann.lecun.com/exdb/mnist): two zero bytes, a type, a
// number of dimensions, the dimensions as big-endian 32-bit integers, the values. We read unsigned
// bytes, plain or in gzip.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

struct IdxArray {
  std::vector<std::uint32_t> dims;
  std::string values;  // as many bytes as the product of dims
};

/// The array of `rank` dimensions (3: images [N, H, W]; 1: labels [N]). Length must be exact,
/// sides 1..65535, N >= 1. Failure: need_more (cut short; says expected and got), corrupt,
/// unsupported (another IDX type or rank).
Result<IdxArray> parse_idx(std::string_view bytes, int rank, const std::string& name);
Result<IdxArray> read_idx(const std::filesystem::path& path, int rank);

}  // namespace ddpm
