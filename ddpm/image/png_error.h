// How libpng's errors and warnings come back: a message kept, then a longjmp.
#pragma once

#include <png.h>

#include <array>
#include <cstring>

namespace ddpm {

using PngMessage = std::array<char, 128>;  // libpng's error pointer; all zeros = no error

[[noreturn]] inline void keep_png_error(png_structp png, png_const_charp text) {
  auto& message = *static_cast<PngMessage*>(png_get_error_ptr(png));
  std::strncpy(message.data(), text, message.size() - 1);
  png_longjmp(png, 1);
}

inline void drop_png_warning(png_structp, png_const_charp) {}

}  // namespace ddpm
