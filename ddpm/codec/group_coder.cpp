#include "ddpm/codec/group_coder.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/codec/chain_stack.h"
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/container_layout.h"

namespace ddpm {
namespace {

using Floats = std::vector<float>;

std::span<const int> times_of(const CodecTables& tables, CodecMode mode) {
  return mode == CodecMode::lossless || mode == CodecMode::chain ? tables.lossless
                                                                 : tables.progressive;
}

// Bits for each expected one.
double spending_of(int format, CodecMode mode) {
  const bool apart = mode == CodecMode::lossless || mode == CodecMode::chain;
  if (format == 1) return 0.9;
  if (format == 2) return apart ? 0.9 : 0.8;
  // Where levels follow, what was not sent costs as much again; else it is sent later.
  return apart ? 1 : 0.95;
}

WalkOptions walk_options(Predictor& predictor, const GroupKey& key) {
  const CodecTables& tables = predictor.model().tables;
  return {times_of(tables, key.mode), key.seed, key.first_item, key.transmitter,
          spending_of(tables.format, key.mode)};
}

// Of what a reader makes of the bits until now: an item between two times asks the network again.
double decoded_error(Predictor& predictor, const Walk& walk, const GroupKey& key,
                     const std::vector<Floats>& targets) {
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Item item = reconstruct(predictor, walk, i, key, Recon::mean);
    for (std::size_t k = 0; k < item.size(); ++k) {
      const double miss = double{byte_to_float(item[k])} - targets[i][k];
      sum += miss * miss;
    }
    count += static_cast<double>(item.size());
  }
  return sum / count;
}

double expected_error(const Walk& walk) {
  double sum = 0;
  for (std::size_t i = 0; i < walk.items(); ++i) sum += walk.expected_error(i);
  return sum / static_cast<double>(walk.items());
}

void call(const std::function<void()>& progress) {
  if (progress) progress();
}

// A look costs a call of the network for each item: one for so many times the bits of the last.
constexpr double kBetweenLooks = 1.03;

// Sends all items through their walk; writers: one for all, or one an item. Ends where `options`
// say.
void send_walk(Predictor& predictor, const GroupKey& key, Walk& walk,
               const std::vector<Floats>& targets, std::vector<BitWriter>& writers,
               const SendOptions& options) {
  double bits = 0, next_look = 0;
  const bool looks = options.trace || options.psnr < 1e9;
  while (walk.begin()) {
    call(options.progress);
    const bool ends = walk.time() <= options.upto || walk.at_end();
    if (looks && (bits >= next_look || ends)) {
      const double error = decoded_error(predictor, walk, key, targets);
      if (options.trace) options.trace({walk.time(), bits, expected_error(walk), error});
      // PSNR >= psnr: 4 / error >= 10^(psnr / 10), for a range of 2.
      if (error * exact::pow(10, options.psnr / 10) <= 4) return;
      next_look = kBetweenLooks * bits + 1;
    }
    if (ends) return;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      BitWriter& writer = writers[writers.size() == 1 ? 0 : i];
      bits += walk.send_hint(i, targets[i], writer);
      while (walk.steps_left(i) > 0) {
        bits += walk.send_step(i, targets[i], writer);
        if (writer.bits() / 8 > options.max_bytes) return;
      }
    }
  }
}

// Fewer bits hold no index: what follows is filling.
constexpr std::size_t kLeastBits = 8;

// Until the end of the walk or of the bits; true when it came to its end. Readers as the writers.
Result<bool> receive_walk(Walk& walk, std::vector<BitReader>& readers,
                          const std::function<void(double bits)>& stage) {
  while (walk.begin()) {
    stage(static_cast<double>(readers.front().position()));
    for (std::size_t i = 0; i < walk.items(); ++i) {
      BitReader& reader = readers[readers.size() == 1 ? 0 : i];
      if (!walk.receive_hint(i, reader)) return false;
      while (walk.steps_left(i) > 0) {
        if (reader.left() < kLeastBits) return false;
        const Result<void> received = walk.receive_step(i, reader);
        if (received) continue;
        if (received.error().code == FailureCode::need_more) return false;
        return tl::unexpected(received.error());
      }
    }
  }
  return true;
}

const LevelDecoder& last_decoder(const Predictor& predictor, CodecMode mode) {
  const CodecTables& tables = predictor.model().tables;
  return tables.decoder_of(times_of(tables, mode).back());
}

// The bytes after the walk's, which begin on a whole one.
std::string_view rest_of(const BitReader& reader, std::string_view payload) {
  return payload.substr((reader.position() + 7) / 8);
}

// The levels of items first .. first + count - 1 in one stack, whose bottom is their check sum.
std::string levels_stack(const Predictor& predictor, CodecMode mode, const Walk& walk,
                         std::span<const Item> items, std::size_t first) {
  Rans rans(check_of(items));
  for (std::size_t i = items.size(); i-- > 0;) {
    push_levels(last_decoder(predictor, mode), walk.x0(first + i), predictor.model().shape,
                items[i], rans);
  }
  return rans.bytes();
}

struct PoppedLevels {
  std::vector<Item> items;
  bool starved;  // the last of them are what the network says
};

// corrupt: not the check sum of these levels.
Result<PoppedLevels> pop_stack(const Predictor& predictor, CodecMode mode, const Walk& walk,
                               std::string_view bytes, std::size_t first, std::size_t count) {
  auto rans = Rans::parse(bytes);
  if (!rans) return tl::unexpected(std::move(rans).error());
  PoppedLevels popped;
  for (std::size_t i = 0; i < count; ++i) {
    Item item(predictor.model().shape.size());
    pop_levels(last_decoder(predictor, mode), walk.x0(first + i), predictor.model().shape, *rans,
               item);
    popped.items.push_back(std::move(item));
  }
  popped.starved = rans->starved();
  if (popped.starved) return popped;
  const auto bottom = rans->bottom();
  if (!bottom) return tl::unexpected(bottom.error());
  if (*bottom != check_of(popped.items)) {
    return fail(FailureCode::corrupt,
                "[codec] decompress: got pixels that their check sum does not fit");
  }
  return popped;
}

std::vector<Floats> targets_of(std::span<const Item> items) {
  std::vector<Floats> targets;
  for (const Item& item : items) targets.push_back(floats_of(item));
  return targets;
}

// Lossy and progressive: the steps of all items, time by time, then the levels of all.
std::string send_together(Predictor& predictor, const GroupKey& key, std::span<const Item> items,
                          const SendOptions& options) {
  Walk walk(predictor, walk_options(predictor, key), items.size());
  std::vector<BitWriter> writer(1);
  send_walk(predictor, key, walk, targets_of(items), writer, options);
  std::string payload = writer[0].bytes();
  if (key.mode == CodecMode::lossy) return payload.substr(0, options.max_bytes);
  return payload + levels_stack(predictor, key.mode, walk, items, 0);
}

Result<ReceivedGroup> receive_together(Predictor& predictor, const GroupKey& key,
                                       std::string_view payload, std::size_t count,
                                       const ReceiveOptions& options) {
  Walk walk(predictor, walk_options(predictor, key), count);
  std::vector<BitReader> reader{BitReader(payload)};
  const auto whole = receive_walk(walk, reader, [&](double bits) {
    call(options.progress);
    std::vector<Item> now;
    bool stops = false;  // any item: only there the network is asked
    for (std::size_t i = 0; i < count; ++i) {
      stops = stops || walk.fresh(i);
      now.push_back(levels_of(walk.x0(i)));
    }
    if (!options.frame || !stops) return;
    options.frame({walk.time(), bits, expected_error(walk), 0}, now);
  });
  if (!whole) return tl::unexpected(whole.error());
  ReceivedGroup group;
  group.complete = *whole;
  if (*whole && key.mode == CodecMode::progressive) {
    auto levels = pop_stack(predictor, key.mode, walk, rest_of(reader[0], payload), 0, count);
    if (!levels && levels.error().code != FailureCode::need_more) {
      return tl::unexpected(std::move(levels).error());
    }
    group.exact = levels && !levels->starved;
    group.complete = group.exact;
    if (levels && (group.exact || options.recon == Recon::mean)) {
      group.items = std::move(levels->items);
      return group;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    group.items.push_back(reconstruct(predictor, walk, i, key, options.recon));
  }
  return group;
}

// Lossless: item after item, each its steps and its levels; the length first where there are more.
std::string send_apart(Predictor& predictor, const GroupKey& key, std::span<const Item> items,
                       const SendOptions& options) {
  Walk walk(predictor, walk_options(predictor, key), items.size());
  std::vector<BitWriter> writers(items.size());
  send_walk(predictor, key, walk, targets_of(items), writers, options);
  std::string payload;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item =
        writers[i].bytes() + levels_stack(predictor, key.mode, walk, items.subspan(i, 1), i);
    if (items.size() > 1) container::put_varint(payload, item.size());
    payload += item;
  }
  return payload;
}

tl::unexpected<Failure> cut_short() {
  return fail(FailureCode::need_more, "[codec] decompress: the file is cut short");
}

// The items' bytes one by one; need_more when the payload ends before.
Result<std::vector<std::string_view>> split(std::string_view payload, std::size_t count) {
  if (count == 1) return std::vector<std::string_view>{payload};
  std::vector<std::string_view> parts;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t length = 0;
    bool more = true;
    for (int shift = 0; more && shift < 35; shift += 7) {
      if (payload.empty()) return cut_short();
      const auto byte = static_cast<unsigned char>(payload.front());
      payload.remove_prefix(1);
      length |= std::uint64_t{byte & 127U} << shift;
      more = byte >= 128;
    }
    if (more || length > payload.size()) return cut_short();
    parts.push_back(payload.substr(0, length));
    payload.remove_prefix(length);
  }
  if (payload.empty()) return parts;
  return fail(FailureCode::corrupt, "[codec] decompress: got {} bytes after the last item",
              payload.size());
}

Result<ReceivedGroup> receive_apart(Predictor& predictor, const GroupKey& key,
                                    std::string_view payload, std::size_t count,
                                    const ReceiveOptions& options) {
  const auto parts = split(payload, count);
  if (!parts) return tl::unexpected(parts.error());
  Walk walk(predictor, walk_options(predictor, key), count);
  std::vector<BitReader> readers(parts->begin(), parts->end());
  const auto whole = receive_walk(walk, readers, [&](double) { call(options.progress); });
  if (!whole) return tl::unexpected(whole.error());
  if (!*whole) return cut_short();
  ReceivedGroup group;
  for (std::size_t i = 0; i < count; ++i) {
    auto levels = pop_stack(predictor, key.mode, walk, rest_of(readers[i], (*parts)[i]), i, 1);
    if (!levels) return tl::unexpected(std::move(levels).error());
    if (levels->starved) return cut_short();
    group.items.push_back(std::move(levels->items[0]));
  }
  group.exact = true;
  return group;
}

// Of the bits that an item takes by itself, what it takes more than on a stack.
constexpr double kDearer = 0.25;

// The first items, each by itself, are the stack's seed; the others lie on it. More of them as long
// as what the seed lacks is dearer.
std::string send_chain(Predictor& predictor, const GroupKey& key, std::span<const Item> items,
                       const SendOptions& options) {
  ChainStack stack(predictor, options.progress);
  for (std::size_t apart = 1;; ++apart) {
    const std::string seed = send_apart(predictor, key, items.first(apart), options);
    Rans rans = Rans::seeded(seed);
    if (apart < items.size()) stack.push(items[apart], rans);
    const double dearer = kDearer * static_cast<double>(seed.size()) / static_cast<double>(apart);
    if (4.0 * rans.fed_words() > dearer) continue;
    for (std::size_t i = apart + 1; i < items.size(); ++i) stack.push(items[i], rans);
    return rans.bytes();
  }
}

Result<ReceivedGroup> receive_chain(Predictor& predictor, const GroupKey& key,
                                    std::string_view payload, std::size_t count,
                                    const ReceiveOptions& options) {
  auto rans = Rans::parse(payload);
  if (!rans) return tl::unexpected(std::move(rans).error());
  std::vector<Item> items(count, Item(predictor.model().shape.size()));
  ChainStack stack(predictor, options.progress);
  std::size_t apart = count;
  auto seed = rans->seed_bytes();
  for (; !seed && apart > 1; seed = rans->seed_bytes()) {
    if (const auto popped = stack.pop(*rans, items[--apart]); !popped)
      return tl::unexpected(popped.error());
  }
  if (!seed) return tl::unexpected(seed.error());
  auto first = receive_apart(predictor, key, *seed, apart, options);
  if (!first) return tl::unexpected(std::move(first).error());
  std::ranges::move(first->items, items.begin());
  return ReceivedGroup{std::move(items), true, true};
}

}  // namespace

std::uint32_t check_of(std::span<const Item> items) {
  std::string bytes;
  for (const Item& item : items) bytes.append(item.begin(), item.end());
  return crc32c(bytes);
}

std::string send_group(Predictor& predictor, const GroupKey& key, std::span<const Item> items,
                       const SendOptions& options) {
  DDPM_CHECK(!items.empty());
  if (key.mode == CodecMode::chain) return send_chain(predictor, key, items, options);
  if (key.mode == CodecMode::lossless) return send_apart(predictor, key, items, options);
  return send_together(predictor, key, items, options);
}

Result<ReceivedGroup> receive_group(Predictor& predictor, const GroupKey& key,
                                    std::string_view payload, std::size_t items,
                                    const ReceiveOptions& options) {
  if (key.mode == CodecMode::chain) return receive_chain(predictor, key, payload, items, options);
  if (key.mode == CodecMode::lossless)
    return receive_apart(predictor, key, payload, items, options);
  return receive_together(predictor, key, payload, items, options);
}

}  // namespace ddpm
