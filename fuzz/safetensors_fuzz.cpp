// Any bytes as a file of safetensors, and as the header of one with a sound length: tensors that
// come back when they are written and take no more than the input, or an error.
#include "ddpm/net/safetensors.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

void read(std::string_view bytes) {
  const auto file = parse_safetensors(bytes, "fuzz");
  if (!file) return;
  std::size_t total = 0;
  for (const auto& [name, tensor] : file->tensors) total += tensor.bytes.size();
  expect(total <= bytes.size());
  const auto again = parse_safetensors(encode_safetensors(*file), "again");
  expect(again.has_value() && *again == *file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  read(bytes);
  if (size < 2) return 0;
  // Before the header its length; behind it the tensors' bytes.
  const std::string_view header = bytes.substr(2);
  std::string whole;
  for (int i = 0; i < 8; ++i) whole += static_cast<char>(std::uint64_t{header.size()} >> 8 * i);
  read(whole + std::string(header) + std::string(data[0] + 256U * (data[1] & 3), 'x'));
  return 0;
}
