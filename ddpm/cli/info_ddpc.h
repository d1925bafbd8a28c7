#pragma once

#include <string>
#include <string_view>

namespace ddpm::cli {

/// What a DDPC file holds: its fields, its groups, and, where its model is found and the file is
/// progressive, bits and expected PSNR after each of the model's times.
void ddpc_info(const std::string& path, std::string_view bytes, bool json);

}  // namespace ddpm::cli
