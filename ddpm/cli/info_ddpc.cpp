#include "ddpm/cli/info_ddpc.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/codec_model.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

constexpr std::size_t kMostGroups = 20, kMostItems = 64;

bool is_walk(CodecMode mode) { return mode == CodecMode::lossy || mode == CodecMode::progressive; }

// Decoding is what tells the segments; quick for few items.
std::vector<WalkTrace> segments_of(const Container& c, std::string_view bytes) {
  std::vector<WalkTrace> segments;
  if (!is_walk(c.mode) || c.groups.size() > 1 || c.groups[0].items > kMostItems) return segments;
  std::optional<CodecFolder> folder;
  try {
    folder = find_codec_model(c.model, "");
  } catch (const Error& error) {
    print_note(error.what());
    return segments;
  }
  CodecSession session(*folder, 0, kMaxBatch);
  DecompressOptions options;
  options.frame = [&](const WalkTrace& trace, const std::vector<Image>&) {
    segments.push_back(trace);
  };
  value_or_throw(decompress(session.predictor(), bytes, options));
  return segments;
}

void info_as_json(const std::string& path, const ReadContainer& file, std::string_view bytes,
                  const std::vector<WalkTrace>& segments) {
  const Container& c = file.container;
  std::vector<Json> groups, list;
  for (std::size_t g = 0; g < c.groups.size(); ++g) {
    const Payload payload = payload_of(file, bytes, g);
    groups.push_back(
        json_object({{"items", json_integer(static_cast<std::int64_t>(c.groups[g].items))},
                     {"bytes", json_integer(std::ssize(payload.bytes))},
                     {"complete", json_bool(payload.complete)}}));
  }
  for (const WalkTrace& s : segments) {
    list.push_back(json_object({{"t", json_integer(s.time)},
                                {"bits", json_integer(static_cast<std::int64_t>(s.bits))},
                                {"expected_psnr", json_real(psnr_of_error(s.expected_error))}}));
  }
  print_json("ddpm.info/1",
             {{"kind", json_string("ddpc")},
              {"path", json_string(to_utf8(path))},
              {"mode", json_string(name_of(c.mode))},
              {"bytes", json_integer(std::ssize(bytes))},
              {"header_bytes", json_integer(static_cast<std::int64_t>(file.header_bytes))},
              {"model", json_string(fingerprint_text(c.model))},
              {"numerics", json_integer(c.numerics)},
              {"transmitter", json_string(name_of(c.transmitter))},
              {"seed", json_string(fmt::format("{}", c.seed))},
              {"images", json_integer(static_cast<std::int64_t>(c.images))},
              {"groups", json_list(std::move(groups))},
              {"segments", json_list(std::move(list))}});
}

void put_sizes(const Container& c) {
  if (c.is_short) return put_line("images      1, of the model's size");
  put_line("images      {} of {}, {}", c.images,
           c.sizes.size() == 1 ? fmt::format("{} x {}", c.sizes[0].width, c.sizes[0].height)
                               : "sizes of their own",
           counted(c.tile.c, "channel"));
  put_line("tiles       {} x {}", c.tile.w, c.tile.h);
}

void put_groups(const ReadContainer& file, std::string_view bytes) {
  const Container& c = file.container;
  for (std::size_t g = 0; g < std::min(c.groups.size(), kMostGroups); ++g) {
    const Payload payload = payload_of(file, bytes, g);
    put_line("group {:<5} {}, {} bytes{}", g + 1,
             counted(static_cast<std::int64_t>(c.groups[g].items), "tile"), payload.bytes.size(),
             payload.complete ? "" : ", cut short");
  }
  if (c.groups.size() > kMostGroups) put_line("... {} groups", c.groups.size());
}

}  // namespace

void ddpc_info(const std::string& path, std::string_view bytes, bool json) {
  const ReadContainer file = value_or_throw(read_container(bytes));
  const Container& c = file.container;
  const std::vector<WalkTrace> segments = segments_of(c, bytes);
  if (json) return info_as_json(path, file, bytes, segments);
  put_line("DDPC        {}, {} bytes, {} of them header", name_of(c.mode), bytes.size(),
           file.header_bytes);
  put_line("model       {}", fingerprint_text(c.model));
  put_line("numerics    {}, profile {}, transmitter {}, seed {}", c.numerics,
           c.profile == 0 ? "f32" : "f32-direct", name_of(c.transmitter), c.seed);
  put_sizes(c);
  put_groups(file, bytes);
  if (segments.empty()) return;
  put_line("   t    bits   expected PSNR");
  for (const WalkTrace& s : segments) {
    put_line("{:>4} {:>7.0f}   {:>5.2f} dB", s.time, s.bits, psnr_of_error(s.expected_error));
  }
}

}  // namespace ddpm::cli
