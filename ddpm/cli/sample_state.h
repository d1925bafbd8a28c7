// How far an unfinished output of `ddpm sample` has come, so that the same command goes on there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace ddpm::cli {

/// All that the bytes of an output depend on, by the names of the options: seed, plan, weights, ...
using SampleIdentity = std::map<std::string, std::string>;

struct SampleState {
  std::int64_t done = 0;  // images in the output
  std::uint32_t crc = 0;  // of what they are there, where the format asks for one
};

/// What `file` says, none where there is no file. Throws Error (usage) that names each difference
/// when it belongs to other samples, (bad_input) when it can't be read.
std::optional<SampleState> read_sample_state(const std::filesystem::path& file,
                                             const SampleIdentity& identity);

/// Replaces `file` atomically and durably.
void write_sample_state(const std::filesystem::path& file, const SampleIdentity& identity,
                        const SampleState& state);

}  // namespace ddpm::cli
