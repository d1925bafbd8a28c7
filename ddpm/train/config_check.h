// What is wrong with a config, each mistake with its place, and the rules between its values.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ddpm/train/config_keys.h"

namespace ddpm::config {

/// Where a key stands: `file:line:column`, or the --set that gave it. Ordered as a reader meets
/// them.
struct Place {
  int line = 0, column = 0;
  std::string text;
};

class Mistakes {
 public:
  explicit Mistakes(std::string file) : file_(std::move(file)) {}

  void set_place(const std::string& key, Place place) { places_[key] = std::move(place); }

  /// key: `table.key`; a key that isn't in the file is placed at its table, or else at the file.
  void add(const std::string& key, const std::string& message);
  void add_at(const Place& place, const std::string& key, const std::string& message);

  bool any() const { return !found_.empty(); }
  bool about(const std::string& key) const { return keys_.contains(key); }

  /// Throws one Error (usage) with a line a mistake, in the order of the file.
  void throw_if_any() const;

 private:
  struct Mistake {
    int line, column;
    std::string text;
  };

  Place place_of(const std::string& key) const;

  std::string file_;
  std::map<std::string, Place> places_;
  std::set<std::string> keys_;
  std::vector<Mistake> found_;
};

/// Fills UNetConfig::attention from the heights, and reports every pair of values that can't go
/// together. Rules about a key that is already known to be wrong are left out.
void check_pairs(Keys& keys, Mistakes& mistakes);

/// The heights of the levels with attention: the inverse of what check_pairs does.
std::vector<int> attention_heights(const UNetConfig& net);

}  // namespace ddpm::config
