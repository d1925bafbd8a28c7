// Files that torch.save wrote, read without running anything: tensors by name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ddpm/net/safetensors.h"

namespace ddpm {

/// Whether `bytes` begins as torch.save's files do: a ZIP archive, or a pickle of protocol 2.
bool is_torch_file(std::string_view bytes);

/// A dictionary of tensors (a state dict): a ZIP archive (PyTorch 1.6 and later) or the sequence of
/// pickles and storages of before. Tensors in any layout come out in C order; memory stays near the
/// size of the bytes. Failure: need_more, corrupt, or unsupported: everything that is not a
/// dictionary of tensors, TorchScript among it.
Result<TensorFile> parse_torch_file(std::string_view bytes, const std::string& name);

/// The tensors of a .safetensors, .pth, .pt or .bin file; what it is its content says. Failure (io)
/// as read_safetensors().
Result<TensorFile> read_tensor_file(const std::filesystem::path& path);

}  // namespace ddpm
