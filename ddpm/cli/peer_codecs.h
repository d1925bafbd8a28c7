// What other codecs make of the same images: those of the build, and programs where they are
// installed.
#pragma once

#include <string>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm::cli {

struct PeerResult {
  std::string codec, setting;
  double bytes = 0;  // of all images
  double psnr = 0;   // infinite for lossless ones
};

/// PNG and gzip; cwebp, dwebp, cjxl and djxl where they are in PATH, lossless and at several
/// qualities. Images of one size; "sheet" is one contact sheet of all. Programs that fail are left
/// out; `missing` names those that are not there.
std::vector<PeerResult> peer_results(const std::vector<Image>& images,
                                     std::vector<std::string>& missing);

}  // namespace ddpm::cli
