#include "ddpm/net/params.h"

#include <utility>

#include "ddpm/base/error.h"

namespace ddpm {

Params::Params(std::vector<ParamSpec> specs) : specs_(std::move(specs)) {
  std::size_t total = 0;
  for (const ParamSpec& spec : specs_) {
    const bool added = places_.emplace(spec.name, Place{total, spec.size()}).second;
    DDPM_CHECK(added, "parameter {} twice", spec.name);
    total += spec.size();
  }
  values_.resize(total);
}

const Params::Place& Params::place(const std::string& name) const {
  const auto found = places_.find(name);
  DDPM_CHECK(found != places_.end(), "no parameter {}", name);
  return found->second;
}

std::span<float> Params::tensor(const std::string& name) {
  const Place& p = place(name);
  return std::span(values_).subspan(p.offset, p.size);
}

std::span<const float> Params::tensor(const std::string& name) const {
  const Place& p = place(name);
  return std::span(values_).subspan(p.offset, p.size);
}

std::size_t Params::offset(const std::string& name) const { return place(name).offset; }

}  // namespace ddpm
