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
  explicit Params(std::vector<ParamSpec> specs);  // zeros

  const std::vector<ParamSpec>& specs() const { return specs_; }
  bool has(const std::string& name) const { return offsets_.contains(name); }

  /// Throws BugError for an unknown name.
  std::span<float> tensor(const std::string& name);
  std::span<const float> tensor(const std::string& name) const;

  std::span<float> all() { return values_; }
  std::span<const float> all() const { return values_; }
  std::size_t offset(const std::string& name) const;

 private:
  std::vector<ParamSpec> specs_;
  std::map<std::string, std::size_t> offsets_;
  std::vector<float> values_;
};

}  // namespace ddpm
