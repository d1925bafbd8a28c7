// Codec tables as JSON: docs/format.md, "What a model says of x_0".
#include <algorithm>
#include <cmath>
#include <map>

#include "ddpm/base/error.h"
#include "ddpm/codec/tables.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"

namespace ddpm {
namespace {

constexpr int kFormat = 4;
constexpr double kMostError = 4;   // of x0 in [-1, 1]
constexpr double kMostBits = 100;  // an element

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw Error(ExitCode::bad_input,
              "[codec] {}: codec: got {}; try ddpm compress --calibrate on a copy of the model",
              file, what);
}

bool falls(const std::vector<int>& times, int T) {
  int before = T + 1;
  for (const int t : times) {
    if (t < 1 || t >= before) return false;
    before = t;
  }
  return !times.empty();
}

void read_scales(KeyReader& keys, const std::string& file, LevelDecoder& decoder) {
  const std::vector<int> scales = keys.integers("scale_q16", {});
  if (scales.size() != kLevelContexts) refuse(file, "a decoder of another size");
  for (int k = 0; k < kLevelContexts; ++k) {
    if (scales[k] < 1) refuse(file, "a scale out of range");
    decoder.scale_q16[k] = static_cast<std::uint32_t>(scales[k]);
  }
}

void read_weights(KeyReader& keys, const std::string& file, LevelDecoder& decoder) {
  constexpr std::size_t kRow = kMixtureScales.size();
  constexpr int kAll = 1 << 15;
  const std::vector<int> weights = keys.integers("weights_q15", {});
  if (weights.size() != kMixtureContexts * kRow) refuse(file, "a decoder of another size");
  int left = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    if (k % kRow == 0) left = kAll;
    if (weights[k] < 0 || weights[k] > left) refuse(file, "weights that are no shares");
    left -= weights[k];
    if (k % kRow + 1 == kRow && left != 0) refuse(file, "weights that are no shares");
    decoder.weights_q15.push_back(static_cast<std::uint16_t>(weights[k]));
  }
}

LevelDecoder read_decoder(const Json& json, const std::string& file) {
  KeyReader keys(json, file);
  LevelDecoder decoder;
  decoder.time = keys.integer("time", 0);
  const std::string shape = keys.word("shape", "normal");
  decoder.logistic = shape == "logistic";
  const std::vector<int> neighbours = keys.integers("neighbours", {});
  keys.only_words("shape", {"normal", "logistic", "mixture"});
  if (shape == "mixture") {
    read_weights(keys, file, decoder);
  } else {
    read_scales(keys, file, decoder);
  }
  keys.finish();
  if (neighbours.size() != 4) refuse(file, "a decoder of another size");
  for (int k = 0; k < 4; ++k) {
    if (std::abs(neighbours[k]) > 1 << 17) refuse(file, "neighbours out of range");
    decoder.neighbours[k] = neighbours[k];
  }
  return decoder;
}

void check(const CodecTables& tables, int T, const std::string& file) {
  int before = 0;
  for (const int t : tables.times) {
    if (t <= before || t > T) refuse(file, fmt::format("time {} after {}", t, before));
    before = t;
  }
  for (const auto& errors : tables.errors) {
    for (const double e : errors) {
      if (!(e > 0 && e <= kMostError)) refuse(file, fmt::format("an error of {}", e));
    }
  }
  for (const auto* times : {&tables.progressive, &tables.lossless, &tables.chain}) {
    if (!falls(*times, T)) refuse(file, "times that do not decrease within 1..T");
    const bool known = std::ranges::any_of(
        tables.decoders, [&](const LevelDecoder& d) { return d.time == times->back(); });
    if (!known) refuse(file, fmt::format("no decoder for time {}", times->back()));
  }
  for (const double bits : {tables.progressive_bits, tables.lossless_bits}) {
    if (!(bits >= 0 && bits <= kMostBits)) refuse(file, fmt::format("{} bits an element", bits));
  }
}

Json integers(const auto& values) {
  std::vector<Json> items;
  for (const auto value : values) items.push_back(json_integer(value));
  return json_list(std::move(items));
}

Json decoder_json(const LevelDecoder& decoder) {
  const bool is_mixture = !decoder.weights_q15.empty();
  const char* shape = is_mixture ? "mixture" : decoder.logistic ? "logistic" : "normal";
  return json_object({{"time", json_integer(decoder.time)},
                      {"shape", json_string(shape)},
                      {"neighbours", integers(decoder.neighbours)},
                      {is_mixture ? "weights_q15" : "scale_q16",
                       is_mixture ? integers(decoder.weights_q15) : integers(decoder.scale_q16)}});
}

}  // namespace

CodecTables read_tables(const Json& json, const Schedule& schedule, const std::string& file) {
  KeyReader keys(json, file);
  CodecTables tables;
  tables.format = keys.integer("format", 0);
  if (tables.format < 1 || tables.format > kFormat)
    refuse(file,
           fmt::format("tables of format {} (this ddpm reads 1 to {}, a newer one perhaps more)",
                       tables.format, kFormat));
  tables.times = keys.integers("times", {});
  const std::vector<double> errors = keys.reals("errors", {});
  tables.progressive = keys.integers("progressive", {});
  tables.lossless = keys.integers("lossless", {});
  tables.chain = keys.integers("chain", {});
  if (tables.format > 2) {
    tables.progressive_bits = keys.real("progressive_bits", 0);
    tables.lossless_bits = keys.real("lossless_bits", 0);
  }
  tables.learned_variance = keys.boolean("learned_variance", false);
  const Json* decoders = keys.find("decoders");
  keys.ignore({"decoders"});
  keys.finish();
  if (tables.times.empty() || errors.size() != tables.times.size() * kContexts ||
      decoders == nullptr || !decoders->is(Json::Kind::array)) {
    refuse(file, "tables of different lengths");
  }
  tables.errors.resize(tables.times.size());
  for (std::size_t i = 0; i < errors.size(); ++i)
    tables.errors[i / kContexts][i % kContexts] = errors[i];
  for (const Json& item : decoders->items) tables.decoders.push_back(read_decoder(item, file));
  check(tables, schedule.T(), file);
  return tables;
}

Json tables_json(const CodecTables& tables) {
  std::vector<Json> errors, decoders;
  for (const auto& row : tables.errors) {
    for (const double e : row) errors.push_back(json_real(e));
  }
  for (const LevelDecoder& decoder : tables.decoders) decoders.push_back(decoder_json(decoder));
  std::map<std::string, Json> members = {{"format", json_integer(tables.format)},
                                         {"times", integers(tables.times)},
                                         {"errors", json_list(std::move(errors))},
                                         {"progressive", integers(tables.progressive)},
                                         {"lossless", integers(tables.lossless)},
                                         {"chain", integers(tables.chain)},
                                         {"learned_variance", json_bool(tables.learned_variance)},
                                         {"decoders", json_list(std::move(decoders))}};
  if (tables.format > 2) {
    members["progressive_bits"] = json_real(tables.progressive_bits);
    members["lossless_bits"] = json_real(tables.lossless_bits);
  }
  return json_object(std::move(members));
}

}  // namespace ddpm
