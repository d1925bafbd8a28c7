#include "ddpm/train/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <new>
#include <set>
#include <utility>

#include "ddpm/base/file.h"

namespace ddpm {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTemporary = ".tmp-";
constexpr std::uint64_t kMaxPointer = 4096;  // bytes of RUN/latest and RUN/best

std::int64_t step_of(const fs::path& folder) {
  return step_of_name(folder.filename().string()).value_or(-1);
}

fs::path temporary(const fs::path& path) {
  return path.string() + kTemporary + std::to_string(::getpid());
}

void remove_quietly(const fs::path& path) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

void sync_tree(const fs::path& root, const std::vector<CheckpointFile>& files) {
  std::set<fs::path> folders{root};
  for (const CheckpointFile& file : files) {
    for (fs::path p = fs::path(file.path).parent_path(); !p.empty(); p = p.parent_path()) {
      folders.insert(root / p);
    }
  }
  for (const fs::path& folder : folders) sync_folder(folder);
}

void write_tree(const fs::path& root, const CheckpointInfo& info,
                const std::vector<CheckpointFile>& files) {
  Manifest manifest{info, {}};
  make_folders(root);
  for (const CheckpointFile& file : files) {
    const fs::path path = root / file.path;
    make_folders(path.parent_path());
    const std::string bytes = file.bytes();
    manifest.files[file.path] = {bytes.size(), sha256_hex(bytes)};
    write_file_synced(path, bytes);
  }
  write_file_synced(root / kManifestFile, encode_manifest(manifest));
  sync_tree(root, files);
  if (const auto written = verify_checkpoint(root); !written) {
    throw Error(ExitCode::resources, "{}; what was written does not read back",
                written.error().message);
  }
}

}  // namespace

std::string step_name(std::int64_t step) { return fmt::format("step-{:08}", step); }

std::optional<std::int64_t> step_of_name(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::int64_t step = 0;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  if (step < 0 || step_name(step) != name) return std::nullopt;
  return step;
}

CheckpointStore::CheckpointStore(fs::path run)
    : run_(std::move(run)), folder_(run_ / "checkpoints") {}

std::vector<fs::path> CheckpointStore::list() const {
  std::vector<fs::path> found;
  std::error_code missing;
  for (fs::directory_iterator it(folder_, missing), end; !missing && it != end; ++it) {
    if (step_of(it->path()) >= 0) found.push_back(it->path());
  }
  std::ranges::sort(found, std::greater(), step_of);
  return found;
}

fs::path CheckpointStore::save(const CheckpointInfo& info, const std::vector<CheckpointFile>& files,
                               int keep, const Warn& warn) {
  const fs::path final = folder_ / step_name(info.step), tmp = temporary(final);
  try {
    if (fs::exists(final)) {
      throw Error("[train] save: {} exists; checkpoints are never overwritten", final.string());
    }
    write_tree(tmp, info, files);
    rename_path(tmp, final);
  } catch (const fs::filesystem_error& e) {
    remove_quietly(tmp);
    throw Error(ExitCode::resources, "[train] save: {}", e.what());
  } catch (const std::bad_alloc&) {
    remove_quietly(tmp);
    throw Error(ExitCode::resources, "[train] save: out of memory for {}", final.string());
  } catch (...) {
    remove_quietly(tmp);
    throw;
  }
  try {
    sync_folder(folder_);
    sync_folder(run_);
    point_latest(final);
    prune(keep);
  } catch (const Error& e) {
    warn(fmt::format("{}; {} is written, but may not survive a power cut: older checkpoints stay",
                     e.what(), final.string()));
  }
  return final;
}

// Renamed first: a folder half deleted must not look like a checkpoint.
void CheckpointStore::prune(int keep) {
  const auto all = list();
  const fs::path named = named_best();
  for (std::size_t i = static_cast<std::size_t>(std::max(keep, 1)); i < all.size(); ++i) {
    if (all[i] == named || all[i] == best_) continue;
    std::error_code ignored;
    fs::rename(all[i], temporary(all[i]), ignored);
    if (!ignored) remove_quietly(temporary(all[i]));
  }
}

std::optional<VerifiedCheckpoint> CheckpointStore::newest(const Warn& warn) {
  const auto all = list();
  std::string first_failure;
  std::vector<fs::path> broken;
  for (const fs::path& folder : all) {
    auto manifest = verify_checkpoint(folder);
    if (manifest) {
      for (const fs::path& b : broken) set_aside(b, warn);
      return VerifiedCheckpoint{folder, std::move(*manifest)};
    }
    if (manifest.error().code == FailureCode::unsupported) {
      throw Error(ExitCode::bad_input, "{}", manifest.error().message);
    }
    warn(fmt::format("{}; falling back to the checkpoint before {}", manifest.error().message,
                     folder.filename().string()));
    if (broken.empty()) first_failure = manifest.error().message;
    broken.push_back(folder);
  }
  if (all.empty()) return std::nullopt;
  throw Error(ExitCode::bad_input,
              "{}; none of the {} checkpoints in {} is whole; try another --out", first_failure,
              all.size(), folder_.string());
}

void CheckpointStore::set_aside(const fs::path& folder, const Warn& warn) {
  for (int k = 1;; ++k) {
    const fs::path aside = fmt::format("{}.broken-{}", folder.string(), k);
    if (fs::exists(aside)) continue;
    rename_path(folder, aside);
    warn(fmt::format("[train] {} is kept as {}", folder.string(), aside.filename().string()));
    return;
  }
}

void CheckpointStore::point(const char* pointer, const fs::path& folder) {
  const std::string line = folder.filename().string() + "\n";
  const auto now = read_file(run_ / pointer, kMaxPointer);
  if (!now || *now != line) write_file_atomic(run_ / pointer, line);
}

void CheckpointStore::point_latest(const fs::path& folder) { point("latest", folder); }

void CheckpointStore::point_best(std::int64_t step) {
  best_ = folder_ / step_name(step);
  std::error_code unknown;
  if (fs::exists(best_, unknown)) {
    point("best", best_);
  } else if (!fs::exists(named_best(), unknown)) {
    fs::remove(run_ / "best", unknown);
  }
}

fs::path CheckpointStore::named_best() const {
  const auto line = read_file(run_ / "best", kMaxPointer);
  if (!line || line->empty()) return {};
  return folder_ / line->substr(0, line->find('\n'));
}

void CheckpointStore::remove_leftovers() {
  for (const fs::path& folder : {run_, folder_, run_ / "samples"}) {
    std::error_code missing;
    std::vector<fs::path> leftovers;
    for (fs::directory_iterator it(folder, missing), end; !missing && it != end; ++it) {
      if (it->path().filename().string().find(kTemporary) != std::string::npos) {
        leftovers.push_back(it->path());
      }
    }
    for (const fs::path& path : leftovers) remove_quietly(path);
  }
}

}  // namespace ddpm
