// Results for bytes that are not trusted: model files, images, data sets, compressed streams.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "ddpm/base/error.h"

namespace ddpm {

enum class FailureCode {
  need_more,    // the bytes end too early; more of them could help
  corrupt,      // the bytes break a rule of the format
  unsupported,  // valid, but not something this version reads
  io,           // the file could not be read
};

struct Failure {
  FailureCode code;
  std::string message;  // like an Error's text
};

template <class T>
using Result = tl::expected<T, Failure>;

template <class... Args>
tl::unexpected<Failure> fail(FailureCode code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Failure>({code, fmt::format(format, std::forward<Args>(args)...)});
}

/// The value, or an Error with exit code 3 (bad input) that carries the failure's message.
template <class T>
T value_or_throw(Result<T>&& result) {
  if (!result) throw Error(ExitCode::bad_input, "{}", result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace ddpm
