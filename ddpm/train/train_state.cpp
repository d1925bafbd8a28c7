#include "ddpm/train/train_state.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ddpm/base/file.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

constexpr const char* kRawFile = "train_state/raw.safetensors";
constexpr const char* kMoment1File = "train_state/moment1.safetensors";
constexpr const char* kMoment2File = "train_state/moment2.safetensors";
constexpr const char* kTimesFile = "train_state/time_sampler.safetensors";  // where it has a state
constexpr const char* kTimesTensor = "state";
constexpr const char* kBestFile = "train_state/best_score.json";  // where there is one
constexpr std::uint64_t kMaxBestBytes = 1 << 16;

std::vector<std::int64_t> shape_of(const ParamSpec& spec) {
  return {spec.shape.begin(), spec.shape.end()};
}

std::string encode(const Params& params) {
  TensorFile file;
  for (const ParamSpec& spec : params.specs()) {
    file.tensors[spec.name] = f32_tensor(params.tensor(spec.name), shape_of(spec));
  }
  return encode_safetensors(file);
}

std::string encode(const BestScore& best) {
  return write_json(json_object({{"of", json_string(best.score.of)},
                                 {"step", json_integer(best.step)},
                                 {"value", json_real(best.score.value)}}));
}

void read_params(const std::filesystem::path& path, Params& params) {
  const TensorFile file = value_or_throw(read_safetensors(path));
  for (const ParamSpec& spec : params.specs()) {
    const auto found = file.tensors.find(spec.name);
    if (found == file.tensors.end() || found->second.shape != shape_of(spec) ||
        found->second.dtype != DType::f32) {
      throw Error(
          ExitCode::bad_input,
          "[train] resume: {}: got no float32 tensor {} of {} values; is it a checkpoint of "
          "another network?",
          path.string(), spec.name, spec.size());
    }
    std::ranges::copy(to_floats(found->second), params.tensor(spec.name).begin());
  }
  if (file.tensors.size() != params.specs().size()) {
    throw Error(ExitCode::bad_input, "[train] resume: {}: got {} tensors, expected {}",
                path.string(), file.tensors.size(), params.specs().size());
  }
}

// Doubles as they are: a resumed run goes on bit for bit.
std::string encode_doubles(const std::vector<double>& values) {
  RawTensor tensor{.dtype = DType::f64,
                   .shape = {static_cast<std::int64_t>(values.size())},
                   .bytes = std::string(values.size() * sizeof(double), '\0')};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  TensorFile file;
  file.tensors[kTimesTensor] = std::move(tensor);
  return encode_safetensors(file);
}

std::vector<double> read_doubles(const std::filesystem::path& path) {
  const TensorFile file = value_or_throw(read_safetensors(path));
  const auto found = file.tensors.find(kTimesTensor);
  if (found == file.tensors.end() || found->second.dtype != DType::f64) {
    throw Error(ExitCode::bad_input, "[train] resume: {}: got no float64 tensor {}", path.string(),
                kTimesTensor);
  }
  std::vector<double> values(found->second.bytes.size() / sizeof(double));
  std::memcpy(values.data(), found->second.bytes.data(), found->second.bytes.size());
  return values;
}

}  // namespace

std::vector<CheckpointFile> checkpoint_files(CheckpointParts parts) {
  std::vector<CheckpointFile> files;
  for (auto& [path, bytes] : parts.model) {
    files.push_back({path, [text = std::move(bytes)]() mutable { return std::move(text); }});
  }
  Learner& learner = parts.learner;
  const TimeSampler& times = parts.times;
  files.push_back({kStateFile, [info = parts.info] { return encode_info(info); }});
  files.push_back({kConfigFile, [config = parts.config] { return config; }});
  files.push_back({kRawFile, [&learner] { return encode(learner.params()); }});
  files.push_back({kMoment1File, [&learner] { return encode(learner.moment1()); }});
  files.push_back({kMoment2File, [&learner] { return encode(learner.moment2()); }});
  if (!times.state().empty()) {
    files.push_back({kTimesFile, [&times] { return encode_doubles(times.state()); }});
  }
  if (parts.best) files.push_back({kBestFile, [best = *parts.best] { return encode(best); }});
  return files;
}

std::optional<BestScore> read_best_score(const std::filesystem::path& checkpoint) {
  const std::filesystem::path path = checkpoint / kBestFile;
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown)) return std::nullopt;
  const Json json =
      value_or_throw(parse_json(value_or_throw(read_file(path, kMaxBestBytes)), path.string()));
  const Json *of = json.find("of"), *step = json.find("step"), *value = json.find("value");
  if (!of || !of->is(Json::Kind::string) || !step || !step->integer() || !value || !value->real()) {
    throw Error(ExitCode::bad_input, "[train] resume: {}: got no `of`, `step` and `value`",
                path.string());
  }
  return BestScore{{*value->real(), of->text}, *step->integer()};
}

void restore(Learner& learner, TimeSampler& times, const std::filesystem::path& checkpoint,
             const std::string& weight_file) {
  read_params(checkpoint / weight_file, learner.ema());
  read_params(checkpoint / kRawFile, learner.params());
  read_params(checkpoint / kMoment1File, learner.moment1());
  read_params(checkpoint / kMoment2File, learner.moment2());
  learner.params_changed();
  const std::filesystem::path path = checkpoint / kTimesFile;
  std::error_code unknown;
  times.restore(std::filesystem::exists(path, unknown) ? read_doubles(path)
                                                       : std::vector<double>());
}

std::uint64_t checkpoint_bytes(std::size_t parameters) {
  constexpr std::uint64_t kCopies = 4, kRest = 1 << 18;  // average, weights, moments; JSON, headers
  return kCopies * sizeof(float) * parameters + kRest;
}

}  // namespace ddpm
