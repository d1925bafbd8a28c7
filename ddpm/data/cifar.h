// The binary version of CIFAR-10 and CIFAR-100 (www.cs.toronto.edu/~kriz/cifar.html): records of
// one or two label bytes and 3072 pixel bytes, planar RGB, 32 x 32.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"
#include "ddpm/data/memory_dataset.h"

namespace ddpm {

/// The images of one file, with class names. 10 or 100 classes (of CIFAR-100 the fine labels) by
/// the record's length. Failure: need_more (empty or not whole records), corrupt (a label beyond
/// the classes).
Result<ImageTable> parse_cifar(std::string_view bytes, const std::string& name);

/// The images of all files, in their order. Failure (corrupt) when they mix 10 and 100 classes.
Result<ImageTable> read_cifar(std::span<const std::filesystem::path> files);

/// The files of a CIFAR folder, sorted: data_batch_*.bin or train.bin, and with `test`
/// test_batch.bin or test.bin. Empty when there are none.
std::vector<std::filesystem::path> cifar_files(const std::filesystem::path& folder, bool test);

}  // namespace ddpm
