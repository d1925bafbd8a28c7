#include <png.h>

#include <csetjmp>
#include <cstring>
#include <new>
#include <vector>

#include "ddpm/base/file.h"
#include "ddpm/image/png.h"
#include "ddpm/image/png_error.h"

namespace ddpm {
namespace {

// Deflate codes at most 258 bytes in 2 bits.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

struct Source {
  std::string_view bytes;
  bool ran_out = false;
};

void read_source(png_structp png, png_bytep out, std::size_t count) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (count > source.bytes.size()) {
    source.ran_out = true;
    png_error(png, "the file ends early");
  }
  std::memcpy(out, source.bytes.data(), count);
  source.bytes.remove_prefix(count);
}

// Runs `step`, which calls libpng; false when libpng gave up. That is a longjmp, which runs no
// destructors: `step` may own nothing, and so may everything below it.
template <class Step>
bool guarded(png_structp png, const Step& step) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  step();
  return true;
}

struct Header {
  std::uint64_t width, height, row_bytes;
};

class Decoder {
 public:
  Decoder(std::string_view bytes, const std::string& name, const PngLimits& limits)
      : name_(name), limits_(limits), size_(bytes.size()), source_{bytes} {
    png_ =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, &message_, keep_png_error, drop_png_warning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  Result<Image> decode() {
    Header header{};
    if (!guarded(png_, [&] { header = read_header(); })) return failure();
    if (auto limit = check(header); !limit) return tl::unexpected(limit.error());
    if (!guarded(png_, [&] { ask_for_8_bits(); })) return failure();
    Image image = blank_image(static_cast<int>(header.width), static_cast<int>(header.height),
                              png_get_channels(png_, info_));
    std::vector<png_bytep> rows(header.height);
    const std::size_t row = image.pixels.size() / header.height;
    for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = &image.pixels[y * row];
    const auto read_pixels = [&] {
      png_read_image(png_, rows.data());
      png_read_end(png_, nullptr);
    };
    if (!guarded(png_, read_pixels)) return failure();
    return image;
  }

 private:
  Header read_header() {
    png_set_read_fn(png_, &source_, read_source);
    png_set_user_limits(png_, limits_.max_side, limits_.max_side);
    png_set_chunk_cache_max(png_, 128);
    png_set_chunk_malloc_max(png_, png_alloc_size_t{8} << 20);
    // Chunks that we have no use for, and some of which are compressed, are not even parsed.
    static constexpr png_byte kUnused[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0hIST\0eXIf\0";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kUnused, (sizeof kUnused - 1) / 5);
    png_read_info(png_, info_);
    return {png_get_image_width(png_, info_), png_get_image_height(png_, info_),
            png_get_rowbytes(png_, info_)};
  }

  // Before anything of the image's size is allocated.
  Result<void> check(const Header& h) const {
    if (h.width * h.height > limits_.max_pixels) {
      return fail(FailureCode::unsupported, "[image] {}: got {} x {} pixels, expected at most {}",
                  name_, h.width, h.height, limits_.max_pixels);
    }
    if (h.row_bytes * h.height > kMaxDeflateRatio * size_) {
      return fail(
          FailureCode::need_more,
          "[image] {}: got {} bytes, which can't hold its {} x {} pixels; is the file cut short?",
          name_, size_, h.width, h.height);
    }
    return {};
  }

  void ask_for_8_bits() {
    png_set_expand(png_);    // palettes to RGB, 1/2/4-bit gray to 8 bits, tRNS to alpha
    png_set_scale_16(png_);  // (v * 255 + 32767) / 65535
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  tl::unexpected<Failure> failure() const {
    const auto code = source_.ran_out ? FailureCode::need_more : FailureCode::corrupt;
    return fail(code, "[image] {}: {}", name_, message_.data());
  }

  const std::string& name_;
  const PngLimits limits_;
  const std::size_t size_;
  Source source_;
  PngMessage message_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Result<void> check_png_signature(std::string_view bytes, const std::string& name) {
  constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
  if (bytes.empty()) {
    return fail(FailureCode::need_more, "[image] {}: got an empty file, expected a PNG", name);
  }
  if (bytes.substr(0, 8) == kSignature.substr(0, bytes.size())) return {};
  std::string start;
  for (const char c : bytes.substr(0, 4)) {
    start += fmt::format(" {:02x}", static_cast<unsigned char>(c));
  }
  return fail(FailureCode::corrupt,
              "[image] {}: got a file that starts with{}, expected a PNG (89 50 4e 47)", name,
              start);
}

Result<Image> decode_png(std::string_view bytes, const std::string& name, PngLimits limits) {
  if (auto signature = check_png_signature(bytes, name); !signature) {
    return tl::unexpected(signature.error());
  }
  return Decoder(bytes, name, limits).decode();
}

Result<Image> read_png(const std::filesystem::path& path, PngLimits limits) {
  return read_file(path, kMaxPngBytes).and_then([&](const std::string& bytes) {
    return decode_png(bytes, path.string(), limits);
  });
}

}  // namespace ddpm
