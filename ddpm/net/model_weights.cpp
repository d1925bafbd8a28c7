// The weights of a model folder: which files hold them, and their tensors as Params.
#include <algorithm>
#include <set>

#include "ddpm/net/json_writer.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStem = "diffusion_pytorch_model";
constexpr std::size_t kMostListed = 10;

// Attention layers had other names up to diffusers 0.17.
std::string current_name(const std::string& name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}};
  if (name.find(".attentions.") == std::string::npos) return name;
  for (const auto& [old, now] : kRenamed) {
    for (const char* end : {".weight", ".bias"}) {
      const std::string tail = fmt::format(".{}{}", old, end);
      if (!name.ends_with(tail)) continue;
      return fmt::format("{}.{}{}", name.substr(0, name.size() - tail.size()), now, end);
    }
  }
  return name;
}

// A linear layer may have been stored as the 1x1 convolution that it was once.
bool fits(const std::vector<std::int64_t>& shape, const std::vector<int>& expected) {
  const std::size_t rank = expected.size();
  if (shape.size() < rank || !std::equal(expected.begin(), expected.end(), shape.begin()))
    return false;
  const auto one = [](std::int64_t d) { return d == 1; };
  return shape.size() == rank ||
         (rank == 2 && shape.size() == 4 && std::all_of(shape.begin() + 2, shape.end(), one));
}

// The first names of a list that may be long.
class Listing {
 public:
  void add(std::string text) {
    if (++count_ <= kMostListed) first_.push_back(std::move(text));
  }
  // "" or "; missing (12): a, b, ..."
  std::string text(std::string_view title) const {
    if (count_ == 0) return {};
    return fmt::format("; {} ({}): {}{}", title, count_, fmt::join(first_, ", "),
                       count_ > kMostListed ? ", ..." : "");
  }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> first_;
};

// A Listing each for missing, mismatched and extra tensors; throws when there is any.
void check_tensors(const std::vector<ParamSpec>& specs, const TensorFile& file,
                   const std::string& name) {
  Listing missing, mismatched, extra;
  std::set<std::string> expected;
  for (const ParamSpec& spec : specs) {
    expected.insert(spec.name);
    const auto found = file.tensors.find(spec.name);
    if (found == file.tensors.end()) {
      missing.add(spec.name);
    } else if (!fits(found->second.shape, spec.shape) || !is_float(found->second.dtype)) {
      mismatched.add(
          fmt::format("{} is {} [{}], expected [{}]", spec.name, to_string(found->second.dtype),
                      fmt::join(found->second.shape, ", "), fmt::join(spec.shape, ", ")));
    }
  }
  for (const auto& [tensor, raw] : file.tensors) {
    if (!expected.contains(tensor)) extra.add(quote_json(tensor.substr(0, 100)));
  }
  const std::string problems =
      missing.text("missing") + mismatched.text("mismatched") + extra.text("extra");
  if (problems.empty()) return;
  throw Error(ExitCode::bad_input, "[net] {}: got {} tensors, expected {} as config.json says{}",
              name, file.tensors.size(), specs.size(), problems);
}

TensorFile with_current_names(TensorFile file, const std::string& name) {
  TensorFile renamed{.tensors = {}, .metadata = std::move(file.metadata)};
  while (!file.tensors.empty()) {
    auto tensor = file.tensors.extract(file.tensors.begin());
    const std::string old = tensor.key();
    tensor.key() = current_name(old);
    if (renamed.tensors.insert(std::move(tensor)).inserted) continue;
    throw Error(ExitCode::bad_input, "[net] {}: got {} and {}, which are the same tensor", name,
                quote_json(old), quote_json(current_name(old)));
  }
  return renamed;
}

// The shard's name as a plain file name; anything else could point outside of the folder.
bool is_plain(const std::string& file) {
  return file.ends_with(".safetensors") &&
         file.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

std::map<std::string, std::set<std::string>> shards_of(const fs::path& index) {
  const Json json = read_json(index);
  const Json* map = json.find("weight_map");
  if (map == nullptr || !map->is(Json::Kind::object)) {
    throw Error(ExitCode::bad_input, "[net] {}: no weight_map, expected tensor -> file",
                index.string());
  }
  std::map<std::string, std::set<std::string>> shards;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Json& file = map->items[i];
    if (!file.is(Json::Kind::string) || !is_plain(file.text)) {
      throw Error(ExitCode::bad_input,
                  "[net] {}: weight_map: got {}, expected a plain file name x.safetensors",
                  index.string(), describe(file));
    }
    shards[file.text].insert(map->keys[i]);
  }
  return shards;
}

TensorFile read_shards(const fs::path& index) {
  TensorFile all;
  for (const auto& [shard, names] : shards_of(index)) {
    TensorFile part = value_or_throw(read_safetensors(index.parent_path() / shard));
    std::set<std::string> held;
    for (const auto& [name, tensor] : part.tensors) held.insert(name);
    if (held != names) {
      throw Error(ExitCode::bad_input,
                  "[net] {}: {} holds {} tensors, but not the {} that weight_map names",
                  index.string(), shard, held.size(), names.size());
    }
    all.tensors.merge(part.tensors);
  }
  return all;
}

[[noreturn]] void throw_no_weights(const fs::path& folder) {
  const fs::path bin = folder / (std::string(kStem) + ".bin");
  if (!is_there(bin)) {
    throw Error(ExitCode::bad_input, "[net] {}: no {}.safetensors, expected the weights there",
                folder.string(), kStem);
  }
  throw Error(
      ExitCode::bad_input,
      "[net] {}: a pickle may run code and is not read, expected {}.safetensors; try python3 -c "
      "\"import torch; from safetensors.torch import save_file; d = '{}/'; save_file(torch.load(d "
      "+ "
      "'{}.bin', map_location='cpu', weights_only=True), d + '{}.safetensors', "
      "metadata={{'format': 'pt'}})\"",
      bin.string(), kStem, folder.string(), kStem, kStem);
}

}  // namespace

Params take_params(std::vector<ParamSpec> specs, TensorFile file, const std::string& name) {
  file = with_current_names(std::move(file), name);
  check_tensors(specs, file, name);
  Params params(std::move(specs));
  for (const ParamSpec& spec : params.specs()) {
    const auto tensor = file.tensors.extract(spec.name);  // freed when copied
    std::ranges::copy(to_floats(tensor.mapped()), params.tensor(spec.name).begin());
  }
  return params;
}

TensorFile read_weights(const fs::path& folder, Warnings& warnings) {
  const std::string path = (folder / kStem).string();
  if (is_there(path + ".safetensors"))
    return value_or_throw(read_safetensors(path + ".safetensors"));
  const std::string index = path + ".safetensors.index.json";
  if (is_there(index)) return read_shards(index);
  const std::string half = path + ".fp16.safetensors";
  if (!is_there(half)) throw_no_weights(folder);
  warnings.push_back(half + ": the fp16 variant, for want of the full one");
  return value_or_throw(read_safetensors(half));
}

}  // namespace ddpm
