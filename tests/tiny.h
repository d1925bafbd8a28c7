// For tests: data and configurations so small that training takes a moment.
#pragma once

#include <cstdint>
#include <string>

namespace ddpm::test {

inline std::string big_endian(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

/// An IDX file of `count` images, side x side: a bright square whose place and size change.
inline std::string idx_images(int count, int side) {
  std::string bytes = big_endian(0x803) + big_endian(count) + big_endian(side) + big_endian(side);
  for (int i = 0; i < count; ++i) {
    const int left = i % (side / 2), size = 2 + i % 3;
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const bool inside = x >= left && x < left + size && y >= 1 && y < 1 + size;
        bytes += static_cast<char>(inside ? 200 + i % 50 : 10);
      }
    }
  }
  return bytes;
}

inline std::string idx_labels(int count) {
  std::string bytes = big_endian(0x801) + big_endian(count);
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(i % 3);
  return bytes;
}

/// Trains on `data` (8 x 8, one channel) for four steps.
inline std::string tiny_config(const std::string& data) {
  return "[data]\npath = \"" + data +
         "\"\n[net]\nin_channels = 1\nheight = 8\nwidth = 8\nblock_out_channels = [8, "
         "8]\nattention_resolutions = []\n"
         "layers_per_block = 1\nnorm_num_groups = 4\n[diffusion]\nschedule = \"linear:20\"\n"
         "[train]\nsteps = 4\nbatch = 4\nwarmup = 2\nema = 0.9\nsave_every = 2\nsample_every = "
         "4\neval_every = 4\n"
         "sample_count = 4\nsample_plan = \"ddim:4\"\neval_count = 4\n";
}

}  // namespace ddpm::test
