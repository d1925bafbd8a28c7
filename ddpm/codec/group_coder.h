// The payload of one group of items, by mode: docs/format.md, "Payloads".
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ddpm/codec/codec.h"
#include "ddpm/codec/tiles.h"
#include "ddpm/codec/walk.h"

namespace ddpm {

struct GroupKey {
  CodecMode mode = CodecMode::lossy;
  Transmitter transmitter = Transmitter::hadamard;
  std::uint64_t seed = 0;
  std::uint64_t first_item = 0;
};

struct SendOptions {
  std::uint64_t max_bytes = UINT64_MAX;  // of the payload
  double psnr = 1e9;
  int upto = 0;
  std::function<void()> progress;
  std::function<void(const WalkTrace&)> trace;
};

std::string send_group(Predictor& predictor, const GroupKey& key, std::span<const Item> items,
                       const SendOptions& options);

struct ReceiveOptions {
  Recon recon = Recon::mean;
  std::function<void()> progress;
  std::function<void(const WalkTrace&, const std::vector<Item>&)> frame;
};

struct ReceivedGroup {
  std::vector<Item> items;
  bool exact = false;    // lossless: all there, and the payload's own check sums fit
  bool complete = true;  // lossy: the walk came to its end
};
Result<ReceivedGroup> receive_group(Predictor& predictor, const GroupKey& key,
                                    std::string_view payload, std::size_t items,
                                    const ReceiveOptions& options);

/// CRC-32C of the items' bytes.
std::uint32_t check_of(std::span<const Item> items);

/// Finishes a walk: what an item of 8-bit levels is now.
Item reconstruct(Predictor& predictor, const Walk& walk, std::size_t item, const GroupKey& key,
                 Recon recon);

}  // namespace ddpm
