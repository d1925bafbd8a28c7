// Any bytes as a file of torch.save: an error or tensors of no more than twice the input's size.
// Half of the inputs are a pickle inside a sound archive, or nothing would come past the checksums.
#include "ddpm/base/zip.h"
#include "ddpm/net/torch_file.h"
#include "fuzz/fuzz.h"

namespace {

void read(std::string_view bytes) {
  const auto file = ddpm::parse_torch_file(bytes, "fuzz");
  if (!file) return;
  std::size_t total = 0;
  for (const auto& [name, tensor] : file->tensors) total += tensor.bytes.size();
  ddpm::expect(total <= 2 * bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(ddpm::text_of(data, size));
  read(bytes);
  read("\x80\x02" + bytes);
  read(ddpm::write_zip({{"a/data.pkl", bytes}, {"a/data/0", std::string(64, 'x')}}));
  return 0;
}
