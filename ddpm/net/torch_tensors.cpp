#include "ddpm/net/torch_tensors.h"

#include <algorithm>
#include <array>

#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

using Kind = PickleValue::Kind;

constexpr std::array<std::pair<std::string_view, DType>, 7> kStorages = {
    {{"torch FloatStorage", DType::f32},
     {"torch HalfStorage", DType::f16},
     {"torch BFloat16Storage", DType::bf16},
     {"torch DoubleStorage", DType::f64},
     {"torch LongStorage", DType::i64},
     {"torch IntStorage", DType::i32},
     {"torch ByteStorage", DType::u8}}};
constexpr std::string_view kTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kParameter = "torch._utils _rebuild_parameter";

constexpr std::size_t kMostAxes = 8;

// What the pickle says of tensors; every number is checked against the storage that it names.
class StateDict {
 public:
  StateDict(const Pickle& pickle, const std::string& name) : p_(pickle), name_(name) {}

  Result<TorchTensors> read() const {
    const PickleValue& top = p_.at(p_.top);
    if (top.kind != Kind::dict) {
      return fail(FailureCode::unsupported,
                  "[net] {}: got a pickle of another thing, expected a dictionary of tensors",
                  name_);
    }
    TorchTensors tensors;
    for (std::size_t i = 0; i + 1 < top.items.size(); i += 2) {
      const PickleValue& key = p_.at(top.items[i]);
      if (key.kind != Kind::text) return bad("a key that is no text", "?");
      auto tensor = read_tensor(p_.at(top.items[i + 1]), key.text);
      if (!tensor) return tl::unexpected(tensor.error());
      if (!tensors.emplace(key.text, std::move(*tensor)).second)
        return bad("named twice", key.text);
    }
    return tensors;
  }

 private:
  tl::unexpected<Failure> bad(std::string_view what, const std::string& tensor) const {
    return fail(FailureCode::corrupt, "[net] {}: tensor {}: {}", name_,
                quote_json(tensor.substr(0, 100)), what);
  }

  const PickleValue* argument(const PickleValue& call, std::size_t i, Kind kind) const {
    const auto& items = p_.at(call.items[1]).items;
    if (i >= items.size() || p_.at(items[i]).kind != kind) return nullptr;
    return &p_.at(items[i]);
  }

  bool calls(const PickleValue& v, std::string_view function) const {
    return v.kind == Kind::call && p_.at(v.items[0]).text == function;
  }

  Result<TorchTensor> read_tensor(const PickleValue& v, const std::string& key) const {
    if (calls(v, kParameter)) {
      const PickleValue* inner = argument(v, 0, Kind::call);
      if (inner == nullptr || !calls(*inner, kTensor)) return bad("a parameter of no tensor", key);
      return read_tensor(*inner, key);
    }
    if (!calls(v, kTensor)) {
      return fail(FailureCode::unsupported, "[net] {}: {} is no tensor, expected tensors alone",
                  name_, quote_json(key.substr(0, 100)));
    }
    const PickleValue* storage = argument(v, 0, Kind::persistent);
    const PickleValue* offset = argument(v, 1, Kind::integer);
    const PickleValue* shape = argument(v, 2, Kind::tuple);
    const PickleValue* strides = argument(v, 3, Kind::tuple);
    if (!storage || !offset || !shape || !strides) return bad("a description that is none", key);
    auto of = read_storage(p_.at(storage->items[0]));
    if (!of) return bad("a storage of no known type", key);
    TorchTensor t{.storage = std::move(*of), .offset = static_cast<std::uint64_t>(offset->integer)};
    if (!integers(*shape, t.shape) || !integers(*strides, t.strides) || offset->integer < 0 ||
        !fits(t)) {
      return bad("a shape that does not fit its storage", key);
    }
    return t;
  }

  // ("storage", type, key, device, elements[, None])
  std::optional<TorchStorage> read_storage(const PickleValue& id) const {
    if (id.kind != Kind::tuple || id.items.size() < 5 || id.items.size() > 6) return {};
    const auto item = [&](int i) -> const PickleValue& { return p_.at(id.items[i]); };
    const bool sound = item(0).text == "storage" && item(1).kind == Kind::global &&
                       item(2).kind == Kind::text && item(4).kind == Kind::integer &&
                       item(4).integer >= 0 && (id.items.size() == 5 || item(5).kind == Kind::none);
    const auto type = std::ranges::find(kStorages, item(1).text,
                                        [](const auto& s) -> std::string_view { return s.first; });
    if (!sound || type == kStorages.end()) return {};
    return TorchStorage{type->second, item(2).text, static_cast<std::uint64_t>(item(4).integer)};
  }

  bool integers(const PickleValue& tuple, std::vector<std::int64_t>& out) const {
    if (tuple.items.size() > kMostAxes) return false;
    for (const int i : tuple.items) {
      if (p_.at(i).kind != Kind::integer || p_.at(i).integer < 0) return false;
      out.push_back(p_.at(i).integer);
    }
    return true;
  }

  // No more elements than the storage has, and the last one inside it. Stepwise, so that nothing
  // overflows.
  static bool fits(TorchTensor& t) {
    if (t.shape.size() != t.strides.size()) return false;
    const std::uint64_t n = t.storage.elements;
    if (std::ranges::find(t.shape, 0) != t.shape.end()) {
      t.size = 0;
      return true;
    }
    std::uint64_t last = t.offset;
    for (std::size_t i = 0; i < t.shape.size(); ++i) {
      const auto side = static_cast<std::uint64_t>(t.shape[i]);
      const auto stride = static_cast<std::uint64_t>(t.strides[i]);
      if (side > n / t.size) return false;
      t.size *= side;
      if (side > 1 && stride > n / (side - 1)) return false;
      last += (side - 1) * stride;
      if (last >= n) return false;
    }
    return last < n;
  }

  const Pickle& p_;
  const std::string& name_;
};

// The tensor's elements in C order.
std::string gather(const TorchTensor& t, std::string_view storage) {
  const auto width = static_cast<std::uint64_t>(bytes_of(t.storage.type));
  std::string out;
  out.reserve(t.size * width);
  std::vector<std::int64_t> index(t.shape.size());
  for (std::uint64_t k = 0; k < t.size;) {
    std::uint64_t at = t.offset;
    for (std::size_t i = 0; i < index.size(); ++i) {
      at += static_cast<std::uint64_t>(index[i] * t.strides[i]);
    }
    // A run of the last axis at once where it is dense.
    const bool dense = !index.empty() && t.strides.back() == 1;
    const std::uint64_t run = dense ? static_cast<std::uint64_t>(t.shape.back()) : 1;
    out += storage.substr(at * width, run * width);
    k += run;
    std::size_t axis = index.size();
    if (dense) --axis;  // it is done
    while (axis-- > 0) {
      if (++index[axis] < t.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return out;
}

}  // namespace

std::vector<std::string_view> torch_globals() {
  std::vector<std::string_view> names = {"collections OrderedDict", kTensor, kParameter};
  for (const auto& [name, type] : kStorages) names.push_back(name);
  return names;
}

Result<TorchTensors> torch_tensors(const Pickle& pickle, const std::string& name) {
  return StateDict(pickle, name).read();
}

Result<TensorFile> assemble(const TorchTensors& tensors, const TorchStorages& storages,
                            std::size_t bytes, const std::string& name) {
  TensorFile file;
  std::uint64_t total = 0;  // tensors that share a storage could be larger than it many times over
  for (const auto& [key, t] : tensors) {
    const auto found = storages.find(t.storage.key);
    const auto width = static_cast<std::uint64_t>(bytes_of(t.storage.type));
    if (found == storages.end() || found->second.size() / width < t.storage.elements) {
      return fail(FailureCode::need_more, "[net] {}: the storage of tensor {} is cut short", name,
                  quote_json(key.substr(0, 100)));
    }
    total += t.size * width;
    if (total > 2 * std::uint64_t{bytes}) {
      return fail(FailureCode::unsupported, "[net] {}: tensors twice the size of the file", name);
    }
    file.tensors[key] = {t.storage.type, t.shape, gather(t, found->second)};
  }
  return file;
}

}  // namespace ddpm
