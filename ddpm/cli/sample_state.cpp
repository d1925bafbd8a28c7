#include "ddpm/cli/sample_state.h"

#include <fmt/ranges.h>

#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSchema = "ddpm.sample_state/1";
constexpr std::uint64_t kMaxBytes = 1 << 20;

[[noreturn]] void throw_broken(const fs::path& file) {
  throw Error(ExitCode::bad_input,
              "[cli] sample: {} can't be read as the state of unfinished samples; try removing it "
              "to begin anew",
              file.string());
}

SampleIdentity identity_of(const Json& json) {
  SampleIdentity identity;
  for (std::size_t i = 0; i < json.keys.size(); ++i) identity[json.keys[i]] = json.items[i].text;
  return identity;
}

// `seed 3, not 4` for each value that differs.
std::vector<std::string> differences(const SampleIdentity& there, const SampleIdentity& wanted) {
  std::vector<std::string> list;
  for (const auto& [key, value] : wanted) {
    const auto found = there.find(key);
    const std::string old = found == there.end() ? "none" : found->second;
    if (old != value) list.push_back(fmt::format("{} {}, not {}", key, old, value));
  }
  for (const auto& [key, value] : there) {
    if (!wanted.contains(key)) list.push_back(fmt::format("{} {}, not none", key, value));
  }
  return list;
}

}  // namespace

std::optional<SampleState> read_sample_state(const fs::path& file, const SampleIdentity& identity) {
  std::error_code none;
  if (!fs::exists(file, none)) return {};
  const auto json = read_file(file, kMaxBytes).and_then([&](const std::string& text) {
    return parse_json(text, file.string());
  });
  const Json* const schema = json ? json->find("schema") : nullptr;
  const Json* const made_of = json ? json->find("samples") : nullptr;
  const Json* const done = json ? json->find("done") : nullptr;
  const Json* const crc = json ? json->find("crc") : nullptr;
  const bool whole = schema && *schema == json_string(kSchema) && made_of &&
                     made_of->is(Json::Kind::object) && done && done->integer() && crc &&
                     crc->integer();
  if (!whole || *done->integer() < 0) throw_broken(file);
  const auto other = differences(identity_of(*made_of), identity);
  if (!other.empty()) {
    throw Error(
        "[cli] sample: {} belongs to unfinished samples with {}; try the same command again, "
        "another -o, or removing that file to begin anew",
        file.string(), fmt::join(other, "; "));
  }
  return SampleState{*done->integer(), static_cast<std::uint32_t>(*crc->integer())};
}

void write_sample_state(const fs::path& file, const SampleIdentity& identity,
                        const SampleState& state) {
  std::map<std::string, Json> samples;
  for (const auto& [key, value] : identity) samples[key] = json_string(value);
  write_file_atomic(file, write_json(json_object({{"schema", json_string(kSchema)},
                                                  {"samples", json_object(std::move(samples))},
                                                  {"done", json_integer(state.done)},
                                                  {"crc", json_integer(state.crc)}})));
}

}  // namespace ddpm::cli
