// `--shard I/N`: a part of the work, the same in every command that has one.
#pragma once

#include <string>

namespace ddpm::cli {

/// Part `index` of `count`, from 0; metrics/features.h's shard_range says which images those are.
struct Shard {
  int index = 0, count = 1;
};

/// "2/4"; "" is the whole. Throws Error, naming the command, unless 0 <= index < count <= 2^20.
Shard parse_shard(const std::string& command, const std::string& text);

}  // namespace ddpm::cli
