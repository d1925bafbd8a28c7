#include "ddpm/train/run_folder.h"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "ddpm/base/version.h"
#include "ddpm/train/run_config.h"
#include "ddpm/train/train_state.h"

namespace ddpm {
namespace fs = std::filesystem;
namespace {

fs::path created(fs::path run) {
  std::error_code unknown;  // then make_folders says why
  if (!fs::exists(run, unknown)) {
    make_folders(run);
    sync_folder(fs::absolute(run).lexically_normal().parent_path());
  }
  return run;
}

}  // namespace

RunFolder::RunFolder(fs::path run, const std::string& resume, const RunConfig& config,
                     const Warn& warn)
    : run_(created(std::move(run))),
      lock_(run_),
      checkpoints_(run_),
      config_(result_config(config)) {
  checkpoints_.remove_leftovers();
  choose_start(resume, warn);
  check_config();
  // What a process killed just after its rename did not come to.
  if (start_ && resume == "auto") {
    checkpoints_.point_latest(start_->folder);
    checkpoints_.prune(config.train.keep);
  }
  remove_later_samples();
  std::error_code unknown;
  // With no checkpoint nothing was made by an older config.toml yet.
  if (!start_ || !fs::exists(run_ / "config.toml", unknown)) {
    write_file_atomic(run_ / "config.toml", config_text(config));
  }
}

void RunFolder::choose_start(const std::string& resume, const Warn& warn) {
  if (resume == "none") {
    if (const auto all = checkpoints_.list(); !all.empty()) {
      throw Error(
          "[train] start: {} has checkpoints (newest {}); try --resume auto or another --out",
          run_.string(), all.front().filename().string());
    }
  } else if (resume == "auto") {
    start_ = checkpoints_.newest(warn);
  } else {
    start_ = open_named(resume);
  }
  if (start_ && start_->manifest.info.numerics != kNumerics) {
    warn(
        fmt::format("[train] resume: {} was made with numerics {}, this is {}: the run goes on, "
                    "but not bit for bit",
                    start_->folder.string(), start_->manifest.info.numerics, kNumerics));
  }
}

VerifiedCheckpoint RunFolder::open_named(const fs::path& folder) const {
  auto manifest = value_or_throw(verify_checkpoint(folder));
  const auto all = checkpoints_.list();
  if (!all.empty() && step_of_name(all.front().filename().string()) > manifest.info.step) {
    throw Error(
        "[train] resume: {} has later checkpoints (newest {}), which are never overwritten; "
        "try another --out",
        run_.string(), all.front().filename().string());
  }
  return {folder, std::move(manifest)};
}

void RunFolder::check_config() const {
  if (!start_) return;
  const auto then = read_file(start_->folder / kConfigFile);
  const auto differences = config_differences(value_or_throw(Result<std::string>(then)), config_);
  if (differences.empty()) return;
  throw Error(
      "[train] resume: {} was made with another config: {}; try the run's own config.toml or "
      "another --out",
      start_->folder.string(), fmt::join(differences, "; "));
}

// Grids of steps that will be trained again: with metrics.jsonl cut too, the folder looks as if the
// run had never stopped.
void RunFolder::remove_later_samples() const {
  std::vector<fs::path> later;
  std::error_code missing;
  for (fs::directory_iterator it(run_ / "samples", missing), end; !missing && it != end; ++it) {
    const auto step = step_of_name(it->path().stem().string());
    if (step > start_step() && it->path().extension() == ".png") later.push_back(it->path());
  }
  for (const fs::path& path : later) fs::remove(path, missing);
}

fs::path RunFolder::sample_file(std::int64_t step) const {
  return run_ / "samples" / (step_name(step) + ".png");
}

CheckpointInfo RunFolder::info(std::int64_t step) const {
  return {.step = step, .version = kVersion, .numerics = kNumerics, .config = sha256_hex(config_)};
}

}  // namespace ddpm
