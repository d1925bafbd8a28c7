#include "ddpm/train/run_model.h"

#include "ddpm/base/file.h"
#include "ddpm/net/model.h"

namespace ddpm {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxNameBytes = 4096;

// RUN/latest and RUN/best are links to a checkpoint or files with its name.
fs::path named_checkpoint(const fs::path& pointer) {
  if (fs::is_directory(pointer)) return pointer;
  std::string name = value_or_throw(read_file(pointer, kMaxNameBytes));
  name.erase(name.find_last_not_of(" \r\n") + 1);
  const fs::path run = pointer.parent_path();
  return fs::is_directory(run / name) ? run / name : run / "checkpoints" / name;
}

}  // namespace

bool is_checkpoint_pointer(const fs::path& path) {
  std::error_code none;
  return (path.filename() == "latest" || path.filename() == "best") &&
         fs::is_regular_file(path, none);
}

fs::path model_folder(const std::string& name) {
  std::error_code none;
  const fs::path path = name;
  if (fs::exists(path / "latest", none)) return named_checkpoint(path / "latest");
  return is_checkpoint_pointer(path) ? named_checkpoint(path) : find_model(name);
}

}  // namespace ddpm
