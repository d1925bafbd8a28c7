// Parameters by name: float32 in memory, whatever the file had.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ddpm/net/graph.h"

namespace ddpm {

/// All tensors in one buffer, in the order of their specs.
class Params {
 public:
  Params() = default;
  /// Zeros. Names are unique (BugError otherwise).
  explicit Params(std::vector<ParamSpec> specs);

  const std::vector<ParamSpec>& specs() const { return specs_; }
  bool has(const std::string& name) const { return places_.contains(name); }

  /// Throws BugError for an unknown name.
  std::span<float> tensor(const std::string& name);
  std::span<const float> tensor(const std::string& name) const;

  std::span<float> all() { return values_; }
  std::span<const float> all() const { return values_; }
  /// Where the tensor starts in all(). Throws BugError for an unknown name.
  std::size_t offset(const std::string& name) const;

 private:
  struct Place {
    std::size_t offset, size;
  };
  const Place& place(const std::string& name) const;

  std::vector<ParamSpec> specs_;
  std::map<std::string, Place> places_;
  std::vector<float> values_;
};

}  // namespace ddpm
