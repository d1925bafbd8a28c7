#include "ddpm/cli/shard.h"

#include <charconv>

#include "ddpm/base/error.h"

namespace ddpm::cli {

Shard parse_shard(const std::string& command, const std::string& text) {
  constexpr int kMostShards = 1 << 20;
  if (text.empty()) return {};
  const char* const end = text.data() + text.size();
  Shard shard;
  const auto index = std::from_chars(text.data(), end, shard.index);
  if (index.ec == std::errc() && index.ptr != end && *index.ptr == '/') {
    const auto count = std::from_chars(index.ptr + 1, end, shard.count);
    const bool sound = count.ec == std::errc() && count.ptr == end && shard.index >= 0 &&
                       shard.index < shard.count && shard.count <= kMostShards;
    if (sound) return shard;
  }
  throw Error("[cli] {}: got --shard {}, expected I/N with 0 <= I < N; try --shard 0/2", command,
              text);
}

}  // namespace ddpm::cli
