// Any bytes as IDX, plain and in gzip, and as CIFAR's binary files: arrays whose bytes are what
// their headers say, or an error.
#include <array>

#include "ddpm/data/cifar.h"
#include "ddpm/data/gunzip.h"
#include "ddpm/data/idx.h"
#include "ddpm/data/test_files.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

void read_idx_array(std::string_view bytes) {
  for (const int rank : {1, 3}) {
    const auto array = parse_idx(bytes, rank, "fuzz");
    if (!array) continue;
    std::uint64_t size = 1;
    for (const std::uint32_t dim : array->dims) size *= dim;
    expect(array->dims.size() == static_cast<std::size_t>(rank) && array->values.size() == size);
  }
}

void inflate(std::string_view bytes) {
  const std::string name = "fuzz";
  Gunzip stream(bytes, name);
  std::array<char, 300> out;
  for (int i = 0; i < 100; ++i) {
    const auto got = stream.read(out);
    if (!got || *got < out.size()) break;
  }
  expect(stream.left_over() <= bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(text_of(data, size));
  read_idx_array(bytes);
  read_idx_array(gzip(bytes));
  if (is_gzip(bytes)) inflate(bytes);
  inflate("\x1f\x8b\x08" + bytes);
  // Records of 3073 bytes are longer than most inputs.
  std::string records = bytes;
  records.resize((bytes.size() / 3073 + 1) * 3073);
  if (const auto images = parse_cifar(records, "fuzz")) expect(images->labels.size() >= 1);
  (void)parse_cifar(bytes, "fuzz");
  return 0;
}
