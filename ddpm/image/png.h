// PNG by libpng, with limits set: the files are not trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"
#include "ddpm/image/image.h"

namespace ddpm {

using PngText = std::map<std::string, std::string>;  // tEXt chunks: keyword -> text

struct PngLimits {
  std::uint64_t max_pixels = std::uint64_t{64} << 20;
  std::uint32_t max_side = 65'535;
};

/// Files beyond this are refused unread: more than the pixel limit can fill, even uncompressed.
inline constexpr std::uint64_t kMaxPngBytes = std::uint64_t{1} << 30;

/// Failure (corrupt, or need_more when empty) unless `bytes` begins like a PNG.
Result<void> check_png_signature(std::string_view bytes, const std::string& name);

/// Decodes any PNG to 8 bits: palettes are expanded, 1/2/4-bit gray scaled, 16-bit rounded, gAMA
/// and ICC ignored; channels as in the file (tRNS adds alpha). `name` is what errors call it.
Result<Image> decode_png(std::string_view bytes, const std::string& name, PngLimits limits = {});
Result<Image> read_png(const std::filesystem::path& path, PngLimits limits = {});

/// The same image gives the same bytes. Throws Error (resources) from write_file_atomic.
std::string encode_png(const Image& image, const PngText& text = {});
void write_png(const std::filesystem::path& path, const Image& image, const PngText& text = {});

/// tEXt chunks of a PNG, before or after its pixels; empty when there are none.
Result<PngText> parse_png_text(std::string_view bytes, const std::string& name);
Result<PngText> read_png_text(const std::filesystem::path& path);

}  // namespace ddpm
