#include "ddpm/cli/inception_file.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/net/torch_file.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kNames[] = {"pt_inception-2015-12-05-6726825d.pth",
                                  "weights-inception-2015-12-05-6726825d.pth",
                                  "inception-2015-12-05.safetensors"};
constexpr const char* kDownload =
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth";

// $NAME, or ~/`below` where it is not set; empty without a home.
fs::path folder_of(const char* name, const char* below) {
  const char* value = std::getenv(name);
  if (value != nullptr && *value != '\0') return value;
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? fs::path(home) / below : fs::path();
}

std::vector<fs::path> places() {
  std::vector<fs::path> all;
  const fs::path cache = folder_of("XDG_CACHE_HOME", ".cache");
  if (!cache.empty()) all.push_back(cache / "ddpm");
  const fs::path torch = folder_of("TORCH_HOME", ".cache/torch");
  if (!torch.empty()) all.push_back(torch / "hub" / "checkpoints");
  return all;
}

fs::path find() {
  std::error_code none;
  const auto folders = places();
  std::vector<std::string> looked;
  for (const fs::path& folder : folders) {
    for (const char* name : kNames) {
      if (fs::exists(folder / name, none)) return folder / name;
    }
    looked.push_back(folder.string());
  }
  const std::string cache = folders.empty() ? "." : folders[0].string();
  throw Error(
      ExitCode::bad_input,
      "[cli] metrics: no weights of FID's Inception-v3, expected {} in {}; try `mkdir -p {} "
      "&& curl -L -o {}/{} {}` (the file of pytorch-fid, 91 MiB, once), or --inception FILE, "
      "or --features-from with features of another program",
      kNames[0], looked.empty() ? "a cache folder" : fmt::format("{}", fmt::join(looked, " or ")),
      cache, cache, kNames[0], kDownload);
}

// torch.hub's convention: NAME-6726825d.pth.
void check_name(const fs::path& path) {
  const std::string stem = path.stem().string();
  const std::size_t dash = stem.rfind('-');
  if (path.extension() != ".pth" || dash == std::string::npos) return;
  const std::string digits = stem.substr(dash + 1);
  if (digits.size() != 8 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return;
  }
  const std::string sum = sha256_hex(value_or_throw(read_file(path)));
  if (sum.starts_with(digits)) return;
  throw Error(
      ExitCode::bad_input,
      "[cli] metrics: {}: its SHA-256 begins with {}, expected {} as its name says: it was cut "
      "short or changed; try to download it again",
      path.string(), sum.substr(0, digits.size()), digits);
}

}  // namespace

InceptionFile open_inception(const std::string& given) {
  const fs::path path = given.empty() ? find() : fs::path(given);
  std::error_code none;
  if (!fs::exists(path, none)) {
    throw Error(ExitCode::bad_input,
                "[cli] metrics: got --inception {}, which is not there, expected a .pth or "
                ".safetensors file; try without it, to be told where to get one",
                given);
  }
  auto tensors = read_tensor_file(path);
  if (tensors) check_name(path);  // a broken file's own failure says more
  return {path, value_or_throw(std::move(tensors))};
}

}  // namespace ddpm::cli
