// The Inception-v3 of FID: TensorFlow's graph of 2015 as pytorch-fid and torch-fidelity have it, as
// rows. Batch norm is folded into the convolutions.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/net/params.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {

/// What of the network is wanted.
enum class InceptionTap {
  block64,          // "64": mean over the pixels of the first max pool
  block192,         // "192": of the second
  block768,         // "768": of Mixed_6e
  pool,             // "2048": of Mixed_7c. FID, KID, precision and recall
  logits,           // 1008, with the bias
  logits_unbiased,  // 1008, without. Inception Score
  spatial,          // sFID's: 7 channels of Mixed_6d.branch1x1, 17 x 17 each
};

std::string_view to_string(InceptionTap tap);
int dims(InceptionTap tap);

inline constexpr int kInceptionSide = 299;
inline constexpr int kSpatialChannels = 7;  // of InceptionTap::spatial

/// The rows and what they are called: every convolution after its ReLU ("Mixed_5b.branch1x1") and
/// every stage ("MaxPool_1", "Mixed_5b", "AvgPool").
struct Inception {
  Graph graph;
  std::map<std::string, Value> named;
};

/// Input [3, 299, 299], normalised as inception_input() does; output: the taps one after another,
/// {sum of dims, 1, 1}. Ends with the last stage that a tap needs. At least one tap.
Inception inception(std::span<const InceptionTap> taps);

/// The names and shapes of the public weight files: a convolution's P.conv.weight and P.bn.*, fc.*.
std::vector<ParamSpec> inception_tensors();

/// The parameters of `graph` for a file's tensors: convolution and batch norm multiplied in double,
/// then rounded once; `num_batches_tracked` is passed over. Throws Error (bad_input), naming
/// `name`, when tensors are missing, unknown, of another shape, or not finite.
Params inception_params(const Graph& graph, const TensorFile& file, const std::string& name);

/// Of a file that inception_params() took: SHA-256 of the tensors' values as float32, in the order
/// of their names, the first 16 digits.
/// Which file they came in makes no difference.
std::string inception_fingerprint(const TensorFile& file);

}  // namespace ddpm
