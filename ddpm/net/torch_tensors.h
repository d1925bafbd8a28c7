// What torch.save's pickle says of tensors, and the tensors made of it and the storages.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/net/pickle.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {

/// A run of elements in the file.
struct TorchStorage {
  DType type = DType::f32;
  std::string key;
  std::uint64_t elements = 0;
};

/// A view of a storage; offset and strides in elements.
struct TorchTensor {
  TorchStorage storage;
  std::uint64_t offset = 0;
  std::vector<std::int64_t> shape, strides;
  std::uint64_t size = 1;  // elements
};

using TorchTensors = std::map<std::string, TorchTensor>;
using TorchStorages = std::map<std::string, std::string_view>;  // bytes by key

/// The names that such a pickle may have.
std::vector<std::string_view> torch_globals();

/// The tensors of a dictionary; every number is checked against the storage that it names. Failure:
/// corrupt, unsupported.
Result<TorchTensors> torch_tensors(const Pickle& pickle, const std::string& name);

/// In C order. Failure: need_more when a storage is shorter than the pickle says, unsupported when
/// tensors that share storages come to more than twice `bytes`, the file's size.
Result<TensorFile> assemble(const TorchTensors& tensors, const TorchStorages& storages,
                            std::size_t bytes, const std::string& name);

}  // namespace ddpm
