// Any text as each of the configurations in a model folder: what can be read, or an error.
#include "ddpm/net/model_parts.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

Extras extras_of(const Json& json, Warnings& warnings) {
  return read_extras(json, "ddpm.json", warnings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = parse_json(text_of(data, size), "fuzz");
  if (!json) return 0;
  Warnings warnings;
  succeeds([&] { (void)extras_of(*json, warnings); });
  succeeds([&] {
    const UNetConfig config = read_unet_config(*json, "config.json", {}, warnings);
    (void)unet(config);  // rows alone, no memory of the sizes that they name
    (void)unet_config_json(config);
  });
  succeeds([&] {
    const Process process = read_scheduler_config(*json, "scheduler_config.json", {}, warnings);
    (void)scheduler_config_json(process.schedule, process.view);
  });
  return 0;
}
