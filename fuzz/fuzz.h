// What the targets share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ddpm/base/error.h"

namespace ddpm {

/// Ends the program, which libFuzzer reports with its input, where a fact does not hold.
inline void expect(bool fact) {
  if (!fact) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Whether `work` came to its end. An Error is an answer; anything else that is thrown is a
/// finding.
template <class Work>
bool succeeds(const Work& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    expect(error.code() != ExitCode::bug && *error.what() == '[');
    return false;
  }
}

}  // namespace ddpm
