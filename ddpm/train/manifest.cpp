#include "ddpm/train/manifest.h"

#include <utility>

#include "ddpm/base/file.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/strict_json.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kMaxManifestBytes = 1 << 20;

Json info_json(const CheckpointInfo& info) {
  return json_object({{"config", json_string(info.config)},
                      {"format", json_integer(kCheckpointFormat)},
                      {"numerics", json_integer(info.numerics)},
                      {"step", json_integer(info.step)},
                      {"version", json_string(info.version)}});
}

/// Reads typed members and remembers the first that is missing or wrong.
class Members {
 public:
  explicit Members(const Json& object) : object_(object) {}

  std::int64_t integer(const char* key) {
    const Json* value = object_.find(key);
    const auto number = value ? value->integer() : std::nullopt;
    if (!number || *number < 0) note(key, "an integer >= 0");
    return number.value_or(0);
  }

  std::string string(const char* key) {
    const Json* value = object_.find(key);
    if (value && value->is(Json::Kind::string)) return value->text;
    note(key, "a string");
    return "";
  }

  const std::string& error() const { return error_; }

 private:
  void note(const char* key, const char* expected) {
    if (error_.empty()) error_ = fmt::format("`{}`: expected {}", key, expected);
  }

  const Json& object_;
  std::string error_;
};

// Paths come from our own writer; one that leaves the folder is refused all the same.
bool stays_inside(const std::string& path) {
  const std::filesystem::path p(path);
  if (path.empty() || p.is_absolute()) return false;
  for (const auto& part : p) {
    if (part == "..") return false;
  }
  return true;
}

Result<CheckpointInfo> info_of(const Json& json, const std::string& name) {
  Members members(json);
  const std::int64_t format = members.integer("format");
  CheckpointInfo info{.step = members.integer("step"),
                      .version = members.string("version"),
                      .numerics = static_cast<int>(members.integer("numerics")),
                      .config = members.string("config")};
  if (format > kCheckpointFormat) {
    return fail(FailureCode::unsupported,
                "[train] {}: got checkpoint format {}, expected at most {}; try ddpm {} or newer",
                name, format, kCheckpointFormat, info.version);
  }
  if (!members.error().empty()) {
    return fail(FailureCode::corrupt, "[train] {}: {}", name, members.error());
  }
  return info;
}

Result<std::map<std::string, FileEntry>> files_of(const Json& json, const std::string& name) {
  const Json* files = json.find("files");
  if (!files || !files->is(Json::Kind::object)) {
    return fail(FailureCode::corrupt, "[train] {}: `files`: expected an object", name);
  }
  std::map<std::string, FileEntry> result;
  for (std::size_t i = 0; i < files->items.size(); ++i) {
    Members members(files->items[i]);
    FileEntry entry{.bytes = static_cast<std::uint64_t>(members.integer("bytes")),
                    .sha256 = members.string("sha256")};
    if (!members.error().empty() || !stays_inside(files->keys[i])) {
      return fail(FailureCode::corrupt, "[train] {}: `files`: bad entry {}", name,
                  quote_json(files->keys[i]));
    }
    result[files->keys[i]] = std::move(entry);
  }
  return result;
}

Result<void> verify_file(const std::filesystem::path& path, const FileEntry& entry) {
  const auto bytes = read_file(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (bytes->size() != entry.bytes) {
    return fail(FailureCode::corrupt, "[train] {}: got {} bytes, expected {}", path.string(),
                bytes->size(), entry.bytes);
  }
  if (sha256_hex(*bytes) != entry.sha256) {
    return fail(FailureCode::corrupt, "[train] {}: its SHA-256 is not the manifest's",
                path.string());
  }
  return {};
}

}  // namespace

std::string encode_info(const CheckpointInfo& info) { return write_json(info_json(info)); }

std::string encode_manifest(const Manifest& manifest) {
  std::map<std::string, Json> files;
  for (const auto& [path, entry] : manifest.files) {
    files[path] = json_object({{"bytes", json_integer(static_cast<std::int64_t>(entry.bytes))},
                               {"sha256", json_string(entry.sha256)}});
  }
  Json json = info_json(manifest.info);
  std::map<std::string, Json> members{{"files", json_object(std::move(files))}};
  for (std::size_t i = 0; i < json.keys.size(); ++i) members[json.keys[i]] = json.items[i];
  return write_json(json_object(std::move(members)));
}

Result<Manifest> parse_manifest(std::string_view bytes, const std::string& name) {
  const auto json = parse_json(bytes, name);
  if (!json) return tl::unexpected(json.error());
  auto info = info_of(*json, name);
  if (!info) return tl::unexpected(info.error());
  auto files = files_of(*json, name);
  if (!files) return tl::unexpected(files.error());
  return Manifest{std::move(*info), std::move(*files)};
}

Result<Manifest> verify_checkpoint(const std::filesystem::path& folder) {
  const auto path = folder / kManifestFile;
  const auto bytes = read_file(path, kMaxManifestBytes);
  if (!bytes) return tl::unexpected(bytes.error());
  auto manifest = parse_manifest(*bytes, path.string());
  if (!manifest) return manifest;
  // Equality with what we would write leaves no byte of the manifest unchecked, white space
  // included.
  if (encode_manifest(*manifest) != *bytes) {
    return fail(FailureCode::corrupt, "[train] {}: not as ddpm writes it", path.string());
  }
  const auto state = manifest->files.find(kStateFile);
  if (state == manifest->files.end() ||
      state->second.sha256 != sha256_hex(encode_info(manifest->info))) {
    return fail(FailureCode::corrupt, "[train] {}: does not agree with {}", path.string(),
                kStateFile);
  }
  for (const auto& [file, entry] : manifest->files) {
    if (const auto ok = verify_file(folder / file, entry); !ok) return tl::unexpected(ok.error());
  }
  return manifest;
}

}  // namespace ddpm
