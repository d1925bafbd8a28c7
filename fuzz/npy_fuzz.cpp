// Any bytes as an array of NumPy, an .npz archive of such and a ZIP archive: an error, or arrays
// whose bytes are what their headers say and that come back when they are written.
#include "ddpm/base/zip.h"
#include "ddpm/data/npy.h"
#include "fuzz/fuzz.h"

namespace {

void read_array(std::string_view bytes) {
  const auto array = ddpm::parse_npy(bytes, "fuzz");
  if (!array) return;
  ddpm::expect(array->bytes.size() <= bytes.size());
  const auto again = ddpm::parse_npy(ddpm::write_npy(*array), "again");
  ddpm::expect(again.has_value() && again->bytes == array->bytes && again->shape == array->shape);
}

void read_archive(std::string_view bytes) {
  const auto entries = ddpm::list_zip(bytes, "fuzz");
  if (!entries) return;
  std::size_t packed = 0;
  for (const ddpm::ZipEntry& entry : *entries) {
    packed += entry.packed;
    const auto content = ddpm::read_zip_entry(bytes, entry, "fuzz");
    if (content) ddpm::expect(content->size() == entry.size);
  }
  ddpm::expect(packed <= bytes.size());
  (void)ddpm::parse_npz(bytes, "fuzz");
}

// The first half as the text of a header whose length is right, the rest as the values.
std::string with_header(std::string_view bytes) {
  const std::string_view text = bytes.substr(0, bytes.size() / 2);
  std::string out = "\x93NUMPY";
  out += {1, 0, static_cast<char>(text.size()), static_cast<char>(text.size() >> 8)};
  return out.append(text).append(bytes.substr(text.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(ddpm::text_of(data, size));
  read_array(bytes);
  read_array("\x93NUMPY" + bytes);
  read_array(with_header(bytes));
  read_archive(bytes);
  read_archive(ddpm::write_zip({{"mu.npy", "\x93NUMPY" + bytes}}));
  return 0;
}
