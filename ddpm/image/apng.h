// Animated PNG (PNG, third edition, section 11.3.5): a PNG whose first frame any viewer shows.
#pragma once

#include <chrono>
#include <vector>

#include "ddpm/image/png.h"

namespace ddpm {

struct ApngFrame {
  Image image;
  std::chrono::milliseconds delay{50};  // how long it is shown, at most 65,535
};

/// The frames, all of one size and channels and at least one, shown over and over. The same frames
/// give the same bytes.
std::string encode_apng(const std::vector<ApngFrame>& frames, const PngText& text = {});

}  // namespace ddpm
