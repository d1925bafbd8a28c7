#include "ddpm/codec/codec.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/group_coder.h"

namespace ddpm {
namespace {

ImageSize size_of(const Image& image) {
  return {static_cast<std::uint32_t>(image.width), static_cast<std::uint32_t>(image.height)};
}

std::vector<Item> items_of(const std::vector<Image>& images, Shape tile) {
  std::vector<Item> items;
  for (const Image& image : images) {
    if (image.channels != tile.c) {
      throw Error(ExitCode::bad_input,
                  "[codec] compress: got an image of {} channels, expected the model's {}",
                  image.channels, tile.c);
    }
    for (Item& item : cut_tiles(image, tile)) items.push_back(std::move(item));
  }
  return items;
}

Container header_of(const CodecModel& model, const std::vector<Image>& images,
                    const CompressOptions& options) {
  Container c;
  c.mode = options.mode;
  c.transmitter = options.transmitter;
  c.seed = options.seed;
  c.model = model.fingerprint;
  c.tile = model.shape;
  c.images = images.size();
  for (const Image& image : images) c.sizes.push_back(size_of(image));
  const bool equal = std::ranges::all_of(c.sizes, [&](ImageSize s) { return s == c.sizes[0]; });
  if (equal) c.sizes.resize(1);
  return c;
}

void cut_into_groups(Container& c, std::uint64_t items) {
  const std::uint64_t most = group_items(c.mode);
  const std::uint64_t groups = (items + most - 1) / most;
  for (std::uint64_t g = 0; g < groups; ++g) {
    c.groups.push_back({.items = items * (g + 1) / groups - items * g / groups});
  }
}

void check(const std::vector<Image>& images, const CompressOptions& options) {
  if (images.empty()) throw Error("[codec] compress: got no images, expected at least 1");
  if (options.transmitter == Transmitter::ideal) {
    throw Error("[codec] compress: the ideal transmitter makes no files; try hadamard, or ddpm rd");
  }
}

// Payloads that together are about as long as the limit asks; the rest is truncate_container's.
std::uint64_t share_of(const CompressOptions& options, const Group& group, std::uint64_t items) {
  if (!options.max_bytes) return UINT64_MAX;
  const double share = static_cast<double>(group.items) / static_cast<double>(items);
  return static_cast<std::uint64_t>(static_cast<double>(*options.max_bytes) * share) + 64;
}

SendOptions send_options(const CompressOptions& options, std::uint64_t max_bytes) {
  SendOptions send;
  send.progress = options.progress;
  send.trace = options.trace;
  if (options.mode != CodecMode::lossy) return send;
  send.max_bytes = max_bytes;
  send.psnr = options.psnr.value_or(send.psnr);
  send.upto = options.upto.value_or(0);
  return send;
}

// Of a group that is decoded, however few bytes it has: 100 items of kMaxStepSize fit.
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 26;

Result<void> check_model(const CodecModel& model, const Container& c) {
  if (c.profile != 0) {
    return fail(FailureCode::unsupported,
                "[codec] decompress: got a file of profile {}, expected 0 (f32); try a newer ddpm",
                c.profile);
  }
  if (!c.model.matches(model.fingerprint.value)) {
    return fail(FailureCode::unsupported,
                "[codec] decompress: got a file of the model {:016x}, expected {:016x}; try the "
                "model that it was made with",
                c.model.value, model.fingerprint.value);
  }
  if (c.numerics != kCodecNumerics) {
    return fail(
        FailureCode::unsupported,
        "[codec] decompress: got a file of numerics {}, expected {}; try the ddpm that made "
        "it",
        c.numerics, kCodecNumerics);
  }
  if (c.step_table != 0) {
    return fail(FailureCode::unsupported, "[codec] decompress: got step table {}, expected 0",
                c.step_table);
  }
  if (!c.is_short && c.tile != model.shape) {
    return fail(FailureCode::corrupt, "[codec] decompress: got items of {} elements, expected {}",
                c.tile.size(), model.shape.size());
  }
  return {};
}

// Items of image `index`: first and number.
struct Range {
  std::uint64_t first = 0, count = 0;
};
Range items_of_image(const Container& c, std::uint64_t index) {
  Range range;
  if (c.sizes.size() == 1) {
    range.count = tiles_of(c, c.sizes[0]);
    range.first = index * range.count;
    return range;
  }
  for (std::uint64_t i = 0; i < index; ++i) range.first += tiles_of(c, c.sizes[i]);
  range.count = tiles_of(c, c.sizes[index]);
  return range;
}

// Decodes groups, and puts together the images that they complete.
class Reader {
 public:
  Reader(Predictor& predictor, const ReadContainer& file, std::string_view bytes,
         const DecompressOptions& options)
      : predictor_(predictor), file_(file), c_(file.container), bytes_(bytes), options_(options) {}

  Result<Decompressed> read() {
    Decompressed result;
    result.exact = true;
    std::uint64_t last = c_.images;  // one behind
    if (options_.image) {
      if (*options_.image >= c_.images) {
        return fail(FailureCode::unsupported, "[codec] decompress: got image {}, expected 0..{}",
                    *options_.image, c_.images - 1);
      }
      result.first = *options_.image;
      last = result.first + 1;
    }
    const Range from = items_of_image(c_, result.first), to = items_of_image(c_, last - 1);
    first_item_ = from.first;
    if (auto read = read_items(from.first, to.first + to.count, result); !read) {
      return tl::unexpected(std::move(read).error());
    }
    result.images = join(items_, first_item_, result.first, last);
    return result;
  }

 private:
  // The groups that hold items begin..end-1.
  Result<void> read_items(std::uint64_t begin, std::uint64_t end, Decompressed& result) {
    std::uint64_t first = 0;
    for (std::size_t g = 0; g < c_.groups.size(); ++g) {
      const std::uint64_t behind = first + c_.groups[g].items;
      if (first < end && behind > begin) {
        if (items_.empty()) first_item_ = first;
        if (auto read = read_group(g, first, result); !read) return read;
      }
      first = behind;
    }
    return {};
  }

  Result<void> read_group(std::size_t g, std::uint64_t first, Decompressed& result) {
    const Group& group = c_.groups[g];
    if (group.items > kMostElements / c_.tile.size()) {
      return fail(FailureCode::unsupported,
                  "[codec] decompress: got a group of {} items, expected at most {}", group.items,
                  kMostElements / c_.tile.size());
    }
    const Payload payload = payload_of(file_, bytes_, g);
    const GroupKey key{c_.mode, c_.transmitter, c_.seed, first};
    const bool lossy = c_.mode == CodecMode::lossy || c_.mode == CodecMode::progressive;
    if (!payload.complete && !lossy) {
      return fail(FailureCode::need_more, "[codec] decompress: group {} of {} is cut short", g + 1,
                  c_.groups.size());
    }
    const bool checked = !c_.is_short && payload.complete;
    if (checked && c_.mode == CodecMode::lossy && crc32c(payload.bytes) != group.check) {
      return wrong_check(g);
    }
    auto received =
        receive_group(predictor_, key, payload.bytes, group.items, receive_options(first));
    if (!received) return undecodable(g, received.error());
    if (checked && c_.mode != CodecMode::lossy && check_of(received->items) != group.check) {
      return wrong_check(g);
    }
    result.exact = result.exact && received->exact;
    result.complete =
        result.complete && payload.complete && (received->complete || c_.mode == CodecMode::lossy);
    for (Item& item : received->items) items_.push_back(std::move(item));
    return {};
  }

  Result<void> wrong_check(std::size_t g) const {
    return fail(FailureCode::corrupt,
                "[codec] decompress: the check sum does not fit group {} of {}", g + 1,
                c_.groups.size());
  }

  Result<void> undecodable(std::size_t g, const Failure& why) const {
    return fail(why.code, "[codec] decompress: group {} of {}: {}", g + 1, c_.groups.size(),
                why.message);
  }

  ReceiveOptions receive_options(std::uint64_t first) {
    ReceiveOptions receive;
    receive.recon = options_.recon;
    receive.progress = options_.progress;
    if (options_.frame) {
      receive.frame = [this, first](const WalkTrace& trace, const std::vector<Item>& items) {
        options_.frame(trace, whole_images(items, first));
      };
    }
    return receive;
  }

  // The images all of whose items are there.
  std::vector<Image> whole_images(const std::vector<Item>& items, std::uint64_t first) const {
    std::uint64_t begin = 0;
    while (begin < c_.images && items_of_image(c_, begin).first < first) ++begin;
    std::uint64_t end = begin;
    while (end < c_.images) {
      const Range range = items_of_image(c_, end);
      if (range.first + range.count > first + items.size()) break;
      ++end;
    }
    return join(items, first, begin, end);
  }

  std::vector<Image> join(const std::vector<Item>& items, std::uint64_t first_item,
                          std::uint64_t begin, std::uint64_t end) const {
    std::vector<Image> images;
    for (std::uint64_t i = begin; i < end; ++i) {
      const ImageSize size = c_.size_of(i);
      images.push_back(join_tiles(items, items_of_image(c_, i).first - first_item, c_.tile,
                                  static_cast<int>(size.width), static_cast<int>(size.height)));
    }
    return images;
  }

  Predictor& predictor_;
  const ReadContainer& file_;
  const Container& c_;
  std::string_view bytes_;
  const DecompressOptions& options_;
  std::uint64_t first_item_ = 0;  // of items_
  std::vector<Item> items_;
};

}  // namespace

std::uint64_t group_items(CodecMode mode) {
  switch (mode) {
    case CodecMode::chain:
      return 100;
    case CodecMode::lossless:
      return 16;
    default:
      return 64;
  }
}

std::int64_t calls_of(const CodecModel& model, CodecMode mode, std::uint64_t items) {
  const auto count = static_cast<std::int64_t>(items);
  const CodecTables& tables = model.tables;
  const std::size_t elements = model.shape.size();
  const std::int64_t lossless = expected_calls(tables.lossless, tables.lossless_bits, elements);
  if (mode == CodecMode::lossless) return count * lossless;
  if (mode != CodecMode::chain)
    return count * expected_calls(tables.progressive, tables.progressive_bits, elements);
  const auto groups =
      static_cast<std::int64_t>((items + group_items(mode) - 1) / group_items(mode));
  return groups * lossless + (count - groups) * std::ssize(tables.chain);
}

std::string compress(Predictor& predictor, const std::vector<Image>& images,
                     const CompressOptions& options) {
  check(images, options);
  const std::vector<Item> items = items_of(images, predictor.model().shape);
  Container c = header_of(predictor.model(), images, options);
  cut_into_groups(c, items.size());
  std::vector<std::string> payloads;
  std::uint64_t first = 0;
  for (Group& group : c.groups) {
    const auto part = std::span(items).subspan(first, group.items);
    const GroupKey key{c.mode, c.transmitter, c.seed, first};
    const SendOptions send = send_options(options, share_of(options, group, items.size()));
    payloads.push_back(send_group(predictor, key, part, send));
    group.check = c.mode == CodecMode::lossy ? crc32c(payloads.back()) : check_of(part);
    first += group.items;
  }
  std::string bytes = write_container(std::move(c), payloads);
  if (options.mode != CodecMode::lossy || !options.max_bytes) return bytes;
  return value_or_throw(truncate_container(bytes, *options.max_bytes));
}

std::vector<WalkTrace> trace_walk(Predictor& predictor, const std::vector<Image>& images,
                                  Transmitter transmitter, std::uint64_t seed,
                                  const std::function<void()>& progress) {
  const std::vector<Item> items = items_of(images, predictor.model().shape);
  std::vector<WalkTrace> points;
  SendOptions options;
  options.progress = progress;
  options.trace = [&](const WalkTrace& point) { points.push_back(point); };
  send_group(predictor, {CodecMode::lossy, transmitter, seed, 0}, items, options);
  return points;
}

Result<Decompressed> decompress(Predictor& predictor, std::string_view bytes,
                                const DecompressOptions& options) {
  auto file = read_container(bytes);
  if (!file) return tl::unexpected(std::move(file).error());
  Container& c = file->container;
  const CodecModel& model = predictor.model();
  if (auto fits = check_model(model, c); !fits) return tl::unexpected(std::move(fits).error());
  if (c.is_short) {
    c.tile = model.shape;
    c.sizes = {{static_cast<std::uint32_t>(c.tile.w), static_cast<std::uint32_t>(c.tile.h)}};
  }
  return Reader(predictor, *file, bytes, options).read();
}

}  // namespace ddpm
