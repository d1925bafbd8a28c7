#include "ddpm/cli/npy_writer.h"

#include <bit>

#include "ddpm/base/error.h"
#include "ddpm/data/npy.h"

namespace ddpm::cli {

std::string_view bytes_of(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

NpyWriter::NpyWriter(const std::filesystem::path& path, const std::vector<std::int64_t>& shape)
    : file_(path) {
  for (const std::int64_t n : shape) left_ *= static_cast<std::uint64_t>(n);
  file_.truncate(0);
  file_.append(npy_header(NpyType::f32, shape));
}

void NpyWriter::append(std::span<const float> values) {
  DDPM_CHECK(values.size() <= left_, "{} values, {} left", values.size(), left_);
  file_.append(bytes_of(values));
  left_ -= values.size();
}

void NpyWriter::finish() {
  DDPM_CHECK(left_ == 0, "{} values missing", left_);
  file_.finish();
}

}  // namespace ddpm::cli
