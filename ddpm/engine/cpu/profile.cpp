#include <array>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/names.h"
#include "ddpm/engine/cpu/cpu.h"

namespace ddpm::cpu {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"f32", "f32-direct"};

}  // namespace

std::string_view to_string(Profile profile) { return kNames.at(static_cast<std::size_t>(profile)); }

Profile parse_profile(std::string_view where, std::string_view name) {
  return static_cast<Profile>(choose_name(where, name, kNames));
}

}  // namespace ddpm::cpu
