// Strict JSON for files that are not trusted: no comments, no trailing commas, valid UTF-8, bounded
// depth, no key twice. Numbers are kept as written, so integers are exact and doubles do not depend
// on a library's rounding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

/// A JSON value of a small document (a config); large ones are read by events instead.
struct Json {
  enum class Kind { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  bool truth = false;
  std::string text;               // string: decoded; number: as written
  std::vector<std::string> keys;  // object: keys[i] names items[i]
  std::vector<Json> items;

  bool is(Kind k) const { return kind == k; }
  /// The member, or null when there is none or this is no object.
  const Json* find(std::string_view key) const;
  /// A number written without fraction and exponent that fits.
  std::optional<std::int64_t> integer() const;
  /// A finite number, correctly rounded.
  std::optional<double> real() const;
  bool operator==(const Json&) const = default;
};

/// At most `max_depth` nested lists and objects, at most 65,536 values (so memory stays near the
/// size of the file). Failures name `name`, the byte and the rule.
Result<Json> parse_json(std::string_view text, const std::string& name, int max_depth = 32);

/// What a document consists of, in order. Each returns the rule that the event breaks, or "" to go
/// on.
class JsonSink {
 public:
  virtual ~JsonSink() = default;
  virtual std::string begin_object() = 0;
  virtual std::string end_object() = 0;
  virtual std::string begin_array() = 0;
  virtual std::string end_array() = 0;
  virtual std::string key(std::string text) = 0;
  virtual std::string string(std::string text) = 0;
  virtual std::string number(std::string as_written) = 0;
  virtual std::string boolean(bool value) = 0;
  virtual std::string null() = 0;
};

/// The same rules but for repeated keys, which are the sink's to refuse.
Result<void> parse_json_events(std::string_view text, const std::string& name, int max_depth,
                               JsonSink& sink);

/// A value in a few words, for messages: `3`, `"relu"`, `a list of 2`; long strings are cut.
std::string describe(const Json& value);

}  // namespace ddpm
