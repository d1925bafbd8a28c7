// Any bytes as a container: an error or fields that can be written again, and no memory beyond the
// input's. Half of the inputs get good check sums, or nothing would come past them.
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/container.h"
#include "fuzz/fuzz.h"

namespace {

void read(std::string_view bytes) {
  const auto file = ddpm::read_container(bytes);
  if (!file) return;
  std::size_t total = file->header_bytes;
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < file->container.groups.size(); ++i) {
    payloads.emplace_back(ddpm::payload_of(*file, bytes, i).bytes);
    total += payloads.back().size();
  }
  ddpm::expect(total <= bytes.size());
  if (file->container.is_short) return;
  const auto again = ddpm::read_container(ddpm::write_container(file->container, payloads));
  ddpm::expect(again.has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = ddpm::text_of(data, size);
  read(bytes);
  if (size < 10) return 0;
  // The first byte chooses where the header's check sum goes; the start is as it should be.
  std::string mended = "DDPC";
  mended.push_back(static_cast<char>(2 | (data[1] & 3) << 5));
  mended += bytes.substr(2);
  const std::size_t end = 6 + data[0] % (mended.size() - 6);
  const std::uint32_t check = ddpm::crc32c(std::string_view(mended).substr(0, end));
  for (int i = 0; i < 4; ++i) {
    mended.insert(mended.begin() + static_cast<long>(end) + i,
                  static_cast<char>(check >> 8 * i & 255));
  }
  read(mended);
  if (const auto cut = ddpm::truncate_container(mended, size / 2)) {
    ddpm::expect(cut->size() <= size / 2 && ddpm::read_container(*cut).has_value());
  }
  return 0;
}
