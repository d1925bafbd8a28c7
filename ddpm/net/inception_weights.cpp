// Tensors of the public weight files as parameters of the rows.
#include <fmt/ranges.h>

#include <bit>
#include <cmath>
#include <set>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/net/inception.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

constexpr double kEpsilon = 0.001;  // of batch norm
constexpr std::size_t kMostProblems = 5;

void check(const TensorFile& file, const std::string& name) {
  std::vector<std::string> problems;
  std::set<std::string> known;
  for (const ParamSpec& spec : inception_tensors()) {
    known.insert(spec.name);
    const auto found = file.tensors.find(spec.name);
    const std::vector<std::int64_t> shape(spec.shape.begin(), spec.shape.end());
    if (found == file.tensors.end()) {
      problems.push_back(fmt::format("{} is missing", spec.name));
    } else if (found->second.shape != shape || !is_float(found->second.dtype)) {
      problems.push_back(fmt::format("{} is {} [{}], not [{}]", spec.name,
                                     to_string(found->second.dtype),
                                     fmt::join(found->second.shape, ", "), fmt::join(shape, ", ")));
    }
  }
  for (const auto& [tensor, raw] : file.tensors) {
    if (known.contains(tensor) || tensor.ends_with(".num_batches_tracked")) continue;
    problems.push_back(fmt::format("{} is unknown", quote_json(tensor.substr(0, 100))));
  }
  if (problems.empty()) return;
  const std::size_t more = problems.size() - std::min(problems.size(), kMostProblems);
  problems.resize(problems.size() - more);
  throw Error(ExitCode::bad_input,
              "[net] {}: got {} tensors, expected the {} of FID's Inception-v3: {}{}; try the file "
              "that pytorch-fid or torch-fidelity downloads",
              name, file.tensors.size(), known.size(), fmt::join(problems, "; "),
              more > 0 ? fmt::format("; and {} more", more) : "");
}

class Folder {
 public:
  Folder(const TensorFile& file, const std::string& name) : file_(file), name_(name) {}

  // w gamma / sqrt(var + eps), and what of batch norm is left: beta - mean gamma / sqrt(var + eps).
  void fold(const std::string& conv, Params& params) const {
    const auto weight = values(conv + ".conv.weight"), gamma = values(conv + ".bn.weight");
    const auto beta = values(conv + ".bn.bias"), mean = values(conv + ".bn.running_mean");
    const auto variance = values(conv + ".bn.running_var");
    const auto w = params.tensor(conv + ".weight"), b = params.tensor(conv + ".bias");
    const std::size_t fan = w.size() / b.size();
    for (std::size_t o = 0; o < b.size(); ++o) {
      if (variance[o] < 0) {
        throw Error(ExitCode::bad_input, "[net] {}: {}.bn.running_var: got {}, expected >= 0",
                    name_, conv, variance[o]);
      }
      const double gain = gamma[o] / std::sqrt(variance[o] + kEpsilon);
      b[o] = static_cast<float>(beta[o] - mean[o] * gain);
      for (std::size_t k = o * fan; k < (o + 1) * fan; ++k) {
        w[k] = static_cast<float>(weight[k] * gain);
      }
    }
  }

  void copy(const std::string& tensor, std::span<float> out) const {
    std::ranges::copy(values(tensor), out.begin());
  }

 private:
  std::vector<float> values(const std::string& tensor) const {
    std::vector<float> all = to_floats(file_.tensors.at(tensor));
    for (const float x : all) {
      if (!std::isfinite(x)) {
        throw Error(ExitCode::bad_input, "[net] {}: {}: got {}, expected finite weights", name_,
                    tensor, x);
      }
    }
    return all;
  }

  const TensorFile& file_;
  const std::string& name_;
};

}  // namespace

std::vector<ParamSpec> inception_tensors() {
  constexpr InceptionTap kAll[] = {InceptionTap::logits};
  std::vector<ParamSpec> tensors;
  const Graph graph = inception(kAll).graph;
  for (const ParamSpec& spec : graph.params()) {
    if (spec.name.starts_with("fc.")) {
      tensors.push_back(spec);
    } else if (spec.name.ends_with(".weight")) {
      const std::string conv = spec.name.substr(0, spec.name.rfind('.'));
      tensors.push_back({conv + ".conv.weight", spec.shape});
      for (const char* part : {"weight", "bias", "running_mean", "running_var"}) {
        tensors.push_back({fmt::format("{}.bn.{}", conv, part), {spec.shape[0]}});
      }
    }
  }
  return tensors;
}

Params inception_params(const Graph& graph, const TensorFile& file, const std::string& name) {
  check(file, name);
  const Folder folder(file, name);
  Params params(graph.params());
  for (const ParamSpec& spec : graph.params()) {
    const std::string layer = spec.name.substr(0, spec.name.rfind('.'));
    if (spec.name == "fc_unbiased.bias") continue;  // 0
    if (layer == "fc" || layer == "fc_unbiased") {
      folder.copy("fc" + spec.name.substr(layer.size()), params.tensor(spec.name));
    } else if (spec.name.ends_with(".weight")) {
      folder.fold(layer, params);
    }
  }
  return params;
}

std::string inception_fingerprint(const TensorFile& file) {
  static_assert(std::endian::native == std::endian::little);
  std::vector<float> all;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.ends_with(".num_batches_tracked")) continue;
    const auto values = to_floats(tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  const std::string_view bytes(reinterpret_cast<const char*>(all.data()),
                               all.size() * sizeof(float));
  return sha256_hex(bytes).substr(0, 16);
}

}  // namespace ddpm
