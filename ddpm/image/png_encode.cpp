#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <new>
#include <vector>

#include "ddpm/base/file.h"
#include "ddpm/image/png.h"
#include "ddpm/image/png_error.h"

namespace ddpm {
namespace {

constexpr std::array kColourTypes = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                     PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};

// An exception may not pass through libpng's C frames, so a full memory becomes libpng's own error.
void append(png_structp png, png_bytep data, std::size_t count) {
  auto& out = *static_cast<std::string*>(png_get_io_ptr(png));
  bool done = false;
  try {
    out.append(reinterpret_cast<const char*>(data), count);
    done = true;
  } catch (const std::bad_alloc&) {
  }
  if (!done) png_error(png, "out of memory");
}

void no_flush(png_structp) {}

// Frees libpng's structures whatever happens.
struct Writer {
  PngMessage message{};
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &message, keep_png_error, drop_png_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;

  Writer() = default;
  ~Writer() { png_destroy_write_struct(&png, &info); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
};

// Everything that can longjmp. Owns nothing.
bool write_all(const Writer& w, const Image& image, const std::vector<png_text>& text,
               std::string& out) {
  if (setjmp(png_jmpbuf(w.png)) != 0) return false;
  png_set_write_fn(w.png, &out, append, no_flush);
  png_set_IHDR(w.png, w.info, image.width, image.height, 8, kColourTypes[image.channels - 1],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  // Stated, so that another default of another libpng or zlib does not change the bytes.
  png_set_compression_level(w.png, 6);
  png_set_filter(w.png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
  png_set_text(w.png, w.info, text.data(), static_cast<int>(text.size()));
  png_write_info(w.png, w.info);
  const std::size_t row = std::size_t{1} * image.width * image.channels;
  for (int y = 0; y < image.height; ++y) png_write_row(w.png, &image.pixels[y * row]);
  png_write_end(w.png, nullptr);
  return true;
}

// Views of `text`, in the order of its keywords.
std::vector<png_text> chunks(const PngText& text) {
  std::vector<png_text> all;
  for (const auto& [keyword, value] : text) {
    DDPM_CHECK(!keyword.empty() && keyword.size() <= 79 && value.find('\0') == std::string::npos,
               "tEXt {}", keyword);
    png_text chunk{};
    chunk.compression = PNG_TEXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(keyword.c_str());  // libpng copies both and writes to neither
    chunk.text = const_cast<char*>(value.c_str());
    chunk.text_length = value.size();
    all.push_back(chunk);
  }
  return all;
}

}  // namespace

std::string encode_png(const Image& image, const PngText& text) {
  check_image(image);
  const Writer writer;
  if (writer.info == nullptr) throw std::bad_alloc();
  const std::vector<png_text> all = chunks(text);
  std::string out;
  if (write_all(writer, image, all, out)) return out;
  throw Error(ExitCode::resources, "[image] encode PNG of {} x {}: {}", image.width, image.height,
              writer.message.data());
}

void write_png(const std::filesystem::path& path, const Image& image, const PngText& text) {
  write_file_atomic(path, encode_png(image, text));
}

}  // namespace ddpm
