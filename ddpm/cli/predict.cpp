// ddpm predict MODEL IN.safetensors OUT.safetensors: the network alone, for comparing with other
// programs.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/safetensors.h"

namespace ddpm::cli {
namespace {

constexpr double kMaxTime = 1e6;  // beyond it sines lose digits (base/exact.h)
constexpr const char* kLabels = "class_labels";

struct PredictArgs {
  std::string model, in, out, profile = "f32";
  int threads = 0;
};

template <class T>
std::vector<double> decode(const std::string& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

std::vector<double> to_doubles(const RawTensor& tensor) {
  switch (tensor.dtype) {
    case DType::i64:
      return decode<std::int64_t>(tensor.bytes);
    case DType::i32:
      return decode<std::int32_t>(tensor.bytes);
    case DType::u8:
      return decode<std::uint8_t>(tensor.bytes);
    case DType::f64:
      return decode<double>(tensor.bytes);
    default:
      break;
  }
  const std::vector<float> floats = to_floats(tensor);
  return {floats.begin(), floats.end()};
}

bool is_integer(DType type) {
  return type == DType::i64 || type == DType::i32 || type == DType::u8;
}

const RawTensor& find(const TensorFile& file, const std::string& name, const std::string& path) {
  const auto tensor = file.tensors.find(name);
  if (tensor != file.tensors.end()) return tensor->second;
  throw Error(ExitCode::bad_input, "[cli] predict: {} has no tensor `{}`, expected x and t", path,
              name);
}

struct Inputs {
  std::vector<float> x;      // [n, C, H, W]
  std::vector<double> time;  // [n]
  std::vector<int> label;    // [n], or empty
};

void check_inputs(const TensorFile& file, const PredictArgs& args, const Shape& shape) {
  for (const auto& [name, tensor] : file.tensors) {
    if (name == "x" || name == "t" || name == kLabels) continue;
    throw Error(ExitCode::bad_input,
                "[cli] predict: {} has a tensor `{}`, expected x, t and perhaps class_labels",
                args.in, name);
  }
  const RawTensor& x = find(file, "x", args.in);
  const RawTensor& t = find(file, "t", args.in);
  const bool fits = x.shape.size() == 4 && x.shape[0] >= 1 && x.shape[1] == shape.c &&
                    x.shape[2] == shape.h && x.shape[3] == shape.w;
  if (!fits || is_integer(x.dtype)) {
    throw Error(ExitCode::bad_input, "[cli] predict: x of {} is not real [N >= 1, {}, {}, {}]",
                args.in, shape.c, shape.h, shape.w);
  }
  if (t.shape.size() != 1 || t.shape[0] != x.shape[0]) {
    throw Error(ExitCode::bad_input, "[cli] predict: t of {} is not [{}], one time an image",
                args.in, x.shape[0]);
  }
}

// -1 is an image without a class.
std::vector<int> read_labels(const TensorFile& file, const PredictArgs& args, std::size_t count) {
  const auto found = file.tensors.find(kLabels);
  if (found == file.tensors.end()) return {};
  const RawTensor& tensor = found->second;
  if (!is_integer(tensor.dtype) || tensor.shape.size() != 1 ||
      tensor.shape[0] != static_cast<std::int64_t>(count)) {
    throw Error(ExitCode::bad_input,
                "[cli] predict: class_labels of {} is not [{}] integers, one class an image",
                args.in, count);
  }
  std::vector<int> labels;
  for (const double label : to_doubles(tensor)) {
    if (label < kNoLabel || label > kMaxTime) {
      throw Error(ExitCode::bad_input,
                  "[cli] predict: class_labels of {}: got {}, expected classes, or -1 for none",
                  args.in, label);
    }
    labels.push_back(static_cast<int>(label));
  }
  return labels;
}

Inputs read_inputs(const PredictArgs& args, const Shape& shape) {
  const TensorFile file = value_or_throw(read_safetensors(args.in));
  check_inputs(file, args, shape);
  Inputs inputs{to_floats(file.tensors.at("x")), to_doubles(file.tensors.at("t")), {}};
  inputs.label = read_labels(file, args, inputs.time.size());
  for (const double time : inputs.time) {
    if (time >= 0 && time <= kMaxTime) continue;
    throw Error(ExitCode::bad_input, "[cli] predict: t of {}: got {}, expected 0..{}", args.in,
                time, kMaxTime);
  }
  return inputs;
}

void run_predict(const PredictArgs& args) {
  const auto profile = cpu::parse_profile("[cli] predict: --profile", args.profile);
  check_output_file(args.out);
  const Model model = open_model(args.model);
  const Shape shape = image_shape(model);
  const Inputs inputs = read_inputs(args, shape);
  const std::size_t count = inputs.time.size(), size = shape.size();
  ThreadPool pool(thread_count(args.threads));
  const int batch = static_cast<int>(std::min<std::size_t>(count, kMaxBatch));
  const auto denoiser = cpu::make_denoiser(model.graph, model.params, batch, pool, profile);

  const Shape out_shape = denoiser->out_shape();
  const std::size_t out_size = out_shape.size();
  std::vector<float> out(count * out_size);
  for (std::size_t i = 0; i < count; i += batch) {
    const std::size_t n = std::min<std::size_t>(batch, count - i);
    const auto label = inputs.label.empty() ? std::span<const int>()
                                            : std::span<const int>(inputs.label).subspan(i, n);
    denoiser->predict(std::span(inputs.x).subspan(i * size, n * size),
                      std::span(inputs.time).subspan(i, n), label,
                      std::span(out).subspan(i * out_size, n * out_size));
  }
  TensorFile result;
  result.tensors["out"] =
      f32_tensor(out, {static_cast<std::int64_t>(count), out_shape.c, out_shape.h, out_shape.w});
  write_file_atomic(args.out, encode_safetensors(result));
  put_line("{}", args.out);
}

}  // namespace

void add_predict(CLI::App& app) {
  auto args = std::make_shared<PredictArgs>();
  auto* command =
      app.add_subcommand("predict", "One raw call of the network: x, t[, class_labels] -> out.");
  command->add_option("model", args->model, "model folder, run folder, or a shipped model's name")
      ->required();
  command
      ->add_option("in", args->in,
                   "IN.safetensors: x real [N, C, H, W], t [N] as networks are fed (0-based), "
                   "class_labels [N] where the network has classes (-1 = none)")
      ->required();
  command
      ->add_option("out", args->out,
                   "OUT.safetensors: out float32 [N, C, H, W]; 2 C where a variance is learned")
      ->required();
  command->add_option("--profile", args->profile,
                      "f32, or f32-direct: every row as the graph has it, without Winograd");
  add_threads(*command, args->threads);
  command->callback([args] { run_predict(*args); });
}

}  // namespace ddpm::cli
