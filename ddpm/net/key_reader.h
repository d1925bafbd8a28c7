// The keys of one config file of a model folder: each is read once, with its default; what is wrong
// is collected, so that one message names it all; keys that nobody asked for become warnings.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/net/strict_json.h"

namespace ddpm {

class KeyReader {
 public:
  /// `object` must outlive the reader. Throws Error (bad_input) when it is no object.
  KeyReader(const Json& object, std::string file);

  /// The value, or null when the key is missing.
  const Json* find(std::string_view key);

  // The value, or the fallback when the key is missing or, after noting the problem, of another
  // type.
  int integer(std::string_view key, int fallback);
  double real(std::string_view key, double fallback);
  bool boolean(std::string_view key, bool fallback);
  std::string word(std::string_view key, std::string fallback);
  std::vector<int> integers(std::string_view key, std::vector<int> fallback);
  std::vector<double> reals(std::string_view key, std::vector<double> fallback);
  std::vector<std::string> words(std::string_view key, std::vector<std::string> fallback);

  // Keys of which one value is supported, which is also what a missing key means.
  void only_number(std::string_view key, double supported);
  void only_bool(std::string_view key, bool supported);
  void only_null(std::string_view key);
  /// The first word is what a missing key means.
  void only_words(std::string_view key, std::initializer_list<std::string_view> supported);
  /// Keys that change nothing here, whatever they hold.
  void ignore(std::initializer_list<std::string_view> keys);

  /// Notes that the key's value cannot be used.
  void refuse(std::string_view key, const Json* got, std::string_view expected);

  /// Throws Error (bad_input) that names every problem; returns a warning for every unknown key but
  /// `_...`.
  std::vector<std::string> finish() const;

 private:
  const Json& object_;
  std::string file_;
  std::set<std::string, std::less<>> known_;
  std::vector<std::string> problems_;
};

}  // namespace ddpm
