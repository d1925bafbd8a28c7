// What a checkpoint folder must contain, byte for byte. Written last, so that a folder without a
// matching manifest is known to be broken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "ddpm/base/result.h"

namespace ddpm {

inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kStateFile = "train_state/state.json";

/// Format of checkpoints that this version writes and the newest that it reads.
inline constexpr int kCheckpointFormat = 1;

/// Which moment of which run a checkpoint is.
struct CheckpointInfo {
  std::int64_t step = 0;
  std::string version;  // of the program that wrote it
  int numerics = 0;
  std::string config;  // SHA-256 of the keys that decide the result (run_config.h)

  bool operator==(const CheckpointInfo&) const = default;
};

struct FileEntry {
  std::uint64_t bytes = 0;
  std::string sha256;

  bool operator==(const FileEntry&) const = default;
};

struct Manifest {
  CheckpointInfo info;
  std::map<std::string, FileEntry> files;  // by path within the checkpoint

  bool operator==(const Manifest&) const = default;
};

/// JSON of the manifest, and of its info alone (train_state/state.json).
std::string encode_manifest(const Manifest& manifest);
std::string encode_info(const CheckpointInfo& info);

/// Failures: corrupt; unsupported for a format newer than ours, naming the version that wrote it
///
Result<Manifest> parse_manifest(std::string_view bytes, const std::string& name);

/// Reads and hashes every file of a checkpoint. The manifest must agree with
/// train_state/state.json, so that a flipped bit anywhere in the folder is noticed.
Result<Manifest> verify_checkpoint(const std::filesystem::path& folder);

}  // namespace ddpm
