// Any bytes as JSON: a document that comes back when it is written, or an error.
#include "ddpm/net/json_writer.h"
#include "ddpm/net/strict_json.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

// Objects are written with their keys in order.
Json sorted(Json json) {
  if (json.is(Json::Kind::object)) {
    std::map<std::string, Json> members;
    for (std::size_t i = 0; i < json.keys.size(); ++i) members[json.keys[i]] = json.items[i];
    json = json_object(std::move(members));
  }
  for (Json& item : json.items) item = sorted(std::move(item));
  return json;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  if (const auto json = parse_json(text, "fuzz")) {
    (void)describe(*json);
    const auto again = parse_json(write_json(*json), "again");
    expect(again.has_value() && *again == sorted(*json));
  }
  return 0;
}
