// Any bytes as an array of NumPy, an .npz archive of such and a ZIP archive: an error, or arrays
// whose bytes are what their headers say and that come back when they are written.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "ddpm/base/zip.h"
#include "ddpm/data/npy.h"

namespace {

void expect(bool fact) {
  if (!fact) std::abort();
}

void read_array(std::string_view bytes) {
  const auto array = ddpm::parse_npy(bytes, "fuzz");
  if (!array) return;
  expect(array->bytes.size() <= bytes.size());
  const auto again = ddpm::parse_npy(ddpm::write_npy(*array), "again");
  expect(again.has_value() && again->bytes == array->bytes && again->shape == array->shape);
}

void read_archive(std::string_view bytes) {
  const auto entries = ddpm::list_zip(bytes, "fuzz");
  if (!entries) return;
  std::size_t packed = 0;
  for (const ddpm::ZipEntry& entry : *entries) {
    packed += entry.packed;
    const auto content = ddpm::read_zip_entry(bytes, entry, "fuzz");
    if (content) expect(content->size() == entry.size);
  }
  expect(packed <= bytes.size());
  (void)ddpm::parse_npz(bytes, "fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read_array(bytes);
  read_array("\x93NUMPY" + bytes);
  read_archive(bytes);
  read_archive(ddpm::write_zip({{"mu.npy", "\x93NUMPY" + bytes}}));
  return 0;
}
