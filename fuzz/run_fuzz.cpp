// Any text as a run's CONFIG.toml, as a --set and as the list of a checkpoint's files: what comes
// back when it is written, or an error of the kind that a user gets.
#include "ddpm/train/config.h"
#include "ddpm/train/manifest.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

constexpr const char* kSmallest = "[data]\npath = \"x\"\n";

void read(const std::string& text, const std::vector<std::string>& overrides) {
  succeeds([&] {
    const RunConfig config = parse_config(text, "fuzz.toml", overrides);
    expect(parse_config(config_text(config), "again.toml") == config);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(text_of(data, size));
  read(text, {});
  read(kSmallest + text, {});
  read(kSmallest, {text});
  if (const auto manifest = parse_manifest(text, "fuzz")) {
    const auto again = parse_manifest(encode_manifest(*manifest), "again");
    expect(again.has_value() && *again == *manifest);
  }
  return 0;
}
