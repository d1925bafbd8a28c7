#include "ddpm/net/torch_file.h"

#include "ddpm/base/bytes.h"
#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/zip.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/torch_tensors.h"

namespace ddpm {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr int kLegacyVersion = 1001;

// torch.save stores entries as they are; a packed one could grow a thousandfold.
Result<std::string> read_stored(std::string_view bytes, const ZipEntry& entry,
                                const std::string& name) {
  if (entry.method == 0) return read_zip_entry(bytes, entry, name);
  return fail(FailureCode::unsupported, "[net] {}: {} is packed, expected a stored entry", name,
              quote_json(entry.name.substr(0, 100)));
}

Result<TensorFile> parse_archive(std::string_view bytes, const std::string& name) {
  const auto entries = list_zip(bytes, name);
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string_view, const ZipEntry*> by_name;
  std::string root;
  for (const ZipEntry& entry : *entries) {
    by_name[entry.name] = &entry;
    if (entry.name.ends_with("/constants.pkl")) {
      return fail(FailureCode::unsupported,
                  "[net] {}: got a TorchScript program, expected a state dict as torch.save writes "
                  "it",
                  name);
    }
    if (entry.name.ends_with("/data.pkl")) root = entry.name.substr(0, entry.name.size() - 8);
  }
  if (root.empty()) {
    return fail(FailureCode::unsupported,
                "[net] {}: got a ZIP archive without data.pkl, expected "
                "a file that torch.save wrote",
                name);
  }
  const auto pickled = read_stored(bytes, *by_name.at(root + "data.pkl"), name);
  if (!pickled) return tl::unexpected(pickled.error());
  const auto pickle = parse_pickle(*pickled, torch_globals(), name);
  if (!pickle) return tl::unexpected(pickle.error());
  const auto tensors = torch_tensors(*pickle, name);
  if (!tensors) return tl::unexpected(tensors.error());
  std::map<std::string, std::string> contents;
  TorchStorages storages;
  for (const auto& [key, tensor] : *tensors) {
    const auto entry = by_name.find(root + "data/" + tensor.storage.key);
    if (contents.contains(tensor.storage.key) || entry == by_name.end()) continue;
    auto content = read_stored(bytes, *entry->second, name);
    if (!content) return tl::unexpected(content.error());
    storages[tensor.storage.key] = contents[tensor.storage.key] = std::move(*content);
  }
  return assemble(*tensors, storages, bytes.size(), name);
}

// What PyTorch wrote before 1.6: pickles of a magic number, a version, the machine, the object and
// the storages' keys; then each storage, its length before it.
class Legacy {
 public:
  Legacy(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  Result<TensorFile> read() {
    const std::size_t all = rest_.size();
    const auto magic = next(), version = next(), machine = next(), object = next(), keys = next();
    for (const auto* part : {&magic, &version, &machine, &object, &keys}) {
      if (!*part) return tl::unexpected(part->error());
    }
    if (magic->at(magic->top).text != kMagic ||
        version->at(version->top).integer != kLegacyVersion || !is_little_endian(*machine)) {
      return fail(FailureCode::unsupported,
                  "[net] {}: got a pickle, expected a file that torch.save wrote", name_);
    }
    const auto tensors = torch_tensors(*object, name_);
    if (!tensors) return tl::unexpected(tensors.error());
    const auto storages = read_storages(*keys, *tensors);
    if (!storages) return tl::unexpected(storages.error());
    return assemble(*tensors, *storages, all, name_);
  }

 private:
  // After a failure the rest is empty, so that what follows fails too.
  Result<Pickle> next() {
    auto pickle = parse_pickle(rest_, torch_globals(), name_);
    rest_ = pickle ? rest_.substr(pickle->size) : std::string_view();
    return pickle;
  }

  static bool is_little_endian(const Pickle& machine) {
    const PickleValue& top = machine.at(machine.top);
    if (top.kind != Kind::dict) return false;
    for (std::size_t i = 0; i + 1 < top.items.size(); i += 2) {
      if (machine.at(top.items[i]).text == "little_endian") {
        return machine.at(top.items[i + 1]).integer == 1;
      }
    }
    return false;
  }

  Result<TorchStorages> read_storages(const Pickle& keys, const TorchTensors& tensors) {
    std::map<std::string_view, DType> types;
    for (const auto& [key, tensor] : tensors) types[tensor.storage.key] = tensor.storage.type;
    TorchStorages storages;
    for (const int i : keys.at(keys.top).items) {
      const auto type = types.find(keys.at(i).text);
      if (type == types.end()) {
        return fail(FailureCode::corrupt, "[net] {}: a storage that no tensor has", name_);
      }
      const std::uint64_t elements = little_endian(rest_.substr(0, 8));
      const auto width = static_cast<std::uint64_t>(bytes_of(type->second));
      if (rest_.size() < 8 || elements > (rest_.size() - 8) / width) {
        return fail(FailureCode::need_more, "[net] {}: the storages are cut short", name_);
      }
      storages[keys.at(i).text] = rest_.substr(8, elements * width);
      rest_ = rest_.substr(8 + elements * width);
    }
    return storages;
  }

  std::string_view rest_;
  const std::string& name_;
};

bool is_archive(std::string_view bytes) { return bytes.starts_with("PK\x03\x04"); }

}  // namespace

bool is_torch_file(std::string_view bytes) {
  return is_archive(bytes) || bytes.starts_with("\x80\x02");
}

Result<TensorFile> parse_torch_file(std::string_view bytes, const std::string& name) {
  return is_archive(bytes) ? parse_archive(bytes, name) : Legacy(bytes, name).read();
}

Result<TensorFile> read_tensor_file(const std::filesystem::path& path) {
  if (path.extension() == ".safetensors") return read_safetensors(path);
  const auto bytes = read_file(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (is_torch_file(*bytes)) return parse_torch_file(*bytes, path.string());
  return parse_safetensors(*bytes, path.string());
}

}  // namespace ddpm
