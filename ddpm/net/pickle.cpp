#include "ddpm/net/pickle.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "ddpm/base/bytes.h"
#include "ddpm/base/error.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

using Kind = PickleValue::Kind;
using Done = std::optional<Failure>;  // none: go on

constexpr std::size_t kMostName = 200;  // bytes of a global in a message
constexpr int kProtocol = 2;

class Machine {
 public:
  Machine(std::string_view bytes, std::span<const std::string_view> globals,
          const std::string& name)
      : bytes_(bytes), globals_(globals), name_(name) {}

  Result<Pickle> run() {
    for (;;) {
      op_at_ = at_;
      const auto op = take(1);
      if (!op) return tl::unexpected(cut_short());
      if ((*op)[0] == '.') break;
      if (Done failure = step(static_cast<unsigned char>((*op)[0]))) {
        return tl::unexpected(std::move(*failure));
      }
    }
    if (stack_.size() != 1 || stack_[0] == kMark)
      return tl::unexpected(corrupt("it ends without one value"));
    pickle_.top = stack_[0];
    pickle_.size = at_;
    return std::move(pickle_);
  }

 private:
  static constexpr int kMark = -1;

  Failure failure(FailureCode code, const std::string& what) const {
    return {code, fmt::format("[net] {}: pickle, byte {}: {}", name_, op_at_, what)};
  }
  Failure corrupt(const std::string& what) const { return failure(FailureCode::corrupt, what); }
  Failure cut_short() const { return failure(FailureCode::need_more, "the pickle is cut short"); }

  std::optional<std::string_view> take(std::size_t n) {
    if (bytes_.size() - at_ < n) return {};
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

  Done step(unsigned char op);
  Done step_structure(unsigned char op);
  Done step_number(unsigned char op);

  Done push(PickleValue value) {
    if (pickle_.values.size() >= kMostPickleValues) {
      return failure(FailureCode::unsupported, "more values than a model's tensors need");
    }
    stack_.push_back(static_cast<int>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
    return {};
  }

  // The top value, not a mark.
  std::optional<int> pop() {
    if (stack_.empty() || stack_.back() == kMark) return {};
    const int v = stack_.back();
    stack_.pop_back();
    return v;
  }

  std::optional<std::vector<int>> pop_to_mark() {
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), kMark);
    if (mark == stack_.rend()) return {};
    std::vector<int> items(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
  }

  std::optional<std::vector<int>> pop_some(std::size_t n) {
    const auto some = static_cast<std::ptrdiff_t>(n);
    if (stack_.size() < n || std::count(stack_.end() - some, stack_.end(), kMark) > 0) return {};
    std::vector<int> items(stack_.end() - some, stack_.end());
    stack_.resize(stack_.size() - n);
    return items;
  }

  Done collect(Kind kind, std::optional<std::vector<int>> items) {
    if (!items) return corrupt("the stack is empty");
    return push({.kind = kind, .items = std::move(*items)});
  }

  // Adds to the list or dict that lies below the items.
  Done extend(Kind kind, std::optional<std::vector<int>> items) {
    if (!items || stack_.empty() || stack_.back() == kMark) return corrupt("the stack is empty");
    PickleValue& target = pickle_.values[stack_.back()];
    if (target.kind != kind || (kind == Kind::dict && items->size() % 2 != 0)) {
      return corrupt("items for what holds none");
    }
    target.items.insert(target.items.end(), items->begin(), items->end());
    return {};
  }

  Done put(std::optional<std::string_view> index) {
    if (!index) return cut_short();
    if (stack_.empty() || stack_.back() == kMark) return corrupt("the stack is empty");
    memo_[little_endian(*index)] = stack_.back();
    return {};
  }

  Done get(std::optional<std::string_view> index) {
    if (!index) return cut_short();
    const auto found = memo_.find(little_endian(*index));
    if (found == memo_.end()) return corrupt("a memo that was never set");
    stack_.push_back(found->second);
    return {};
  }

  Done global() {
    const std::size_t first = bytes_.find('\n', at_);
    const std::size_t second = first == bytes_.npos ? first : bytes_.find('\n', first + 1);
    if (second == bytes_.npos) return cut_short();
    const std::string full = fmt::format("{} {}", bytes_.substr(at_, first - at_),
                                         bytes_.substr(first + 1, second - first - 1));
    at_ = second + 1;
    if (std::find(globals_.begin(), globals_.end(), full) == globals_.end()) {
      return failure(FailureCode::unsupported,
                     fmt::format("got the name {}, which may run code and is not read, expected "
                                 "tensors alone",
                                 quote_json(full.substr(0, kMostName))));
    }
    return push({.kind = Kind::global, .text = full});
  }

  Done reduce() {
    const auto call = pop_some(2);
    if (!call) return corrupt("the stack is empty");
    const PickleValue& function = pickle_.at((*call)[0]);
    const PickleValue& arguments = pickle_.at((*call)[1]);
    if (function.kind != Kind::global || arguments.kind != Kind::tuple) {
      return corrupt("a call of what is no function");
    }
    if (function.text != "collections OrderedDict") return collect(Kind::call, call);
    if (!arguments.items.empty()) {
      return failure(FailureCode::unsupported, "an OrderedDict of arguments");
    }
    return push({.kind = Kind::dict});
  }

  // The attributes of a dict (a state dict's _metadata) say nothing about tensors.
  Done build() {
    const auto both = pop_some(2);
    if (!both) return corrupt("the stack is empty");
    if (pickle_.at((*both)[0]).kind != Kind::dict) {
      return failure(FailureCode::unsupported, "attributes of what is no dict");
    }
    stack_.push_back((*both)[0]);
    return {};
  }

  Done text() {
    const auto size = take(4);
    const auto content = size ? take(little_endian(*size)) : std::nullopt;
    if (!content) return cut_short();
    return push({.kind = Kind::text, .text = std::string(*content)});
  }

  Done long1() {
    const auto size = take(1);
    const auto content = size ? take(little_endian(*size)) : std::nullopt;
    if (!content) return cut_short();
    if (content->size() > 8) return push({.kind = Kind::big, .text = std::string(*content)});
    std::uint64_t value = little_endian(*content);
    const std::size_t bits = 8 * content->size();
    const bool negative = bits > 0 && (value >> (bits - 1) & 1) != 0;
    if (negative && bits < 64) value |= ~std::uint64_t{0} << bits;
    return push({.kind = Kind::integer, .integer = static_cast<std::int64_t>(value)});
  }

  Done real() {
    const auto content = take(8);
    if (!content) return cut_short();
    return push({.kind = Kind::real, .real = std::bit_cast<double>(big_endian(*content))});
  }

  Done integer(std::size_t size) {
    const auto content = take(size);
    if (!content) return cut_short();
    const std::uint64_t value = little_endian(*content);
    return push({.kind = Kind::integer,
                 .integer = size == 4 ? static_cast<std::int32_t>(value)
                                      : static_cast<std::int64_t>(value)});
  }

  Done protocol() {
    const auto version = take(1);
    if (!version) return cut_short();
    if (little_endian(*version) == kProtocol) return {};
    return failure(FailureCode::unsupported,
                   fmt::format("got protocol {}, expected {}, torch.save's own",
                               little_endian(*version), kProtocol));
  }

  std::string_view bytes_;
  std::span<const std::string_view> globals_;
  const std::string& name_;
  std::size_t at_ = 0, op_at_ = 0;
  std::vector<int> stack_;
  std::map<std::uint64_t, int> memo_;
  Pickle pickle_;
};

Done Machine::step(unsigned char op) {
  switch (op) {
    case 0x80:
      return protocol();
    case 'c':
      return global();
    case 'R':
      return reduce();
    case 'b':
      return build();
    case 'Q':
      return collect(Kind::persistent, pop_some(1));
    case 'q':
      return put(take(1));
    case 'r':
      return put(take(4));
    case 'h':
      return get(take(1));
    case 'j':
      return get(take(4));
    case 'X':
      return text();
    default:
      return step_structure(op);
  }
}

Done Machine::step_structure(unsigned char op) {
  switch (op) {
    case '(':
      stack_.push_back(kMark);
      return {};
    case ')':
      return push({.kind = Kind::tuple});
    case ']':
      return push({.kind = Kind::list});
    case '}':
      return push({.kind = Kind::dict});
    case 't':
      return collect(Kind::tuple, pop_to_mark());
    case 0x85:
    case 0x86:
    case 0x87:
      return collect(Kind::tuple, pop_some(op - 0x84U));
    case 'a':
      return extend(Kind::list, pop_some(1));
    case 'e':
      return extend(Kind::list, pop_to_mark());
    case 's':
      return extend(Kind::dict, pop_some(2));
    case 'u':
      return extend(Kind::dict, pop_to_mark());
    default:
      return step_number(op);
  }
}

Done Machine::step_number(unsigned char op) {
  switch (op) {
    case 'N':
      return push({.kind = Kind::none});
    case 0x88:
    case 0x89:
      return push({.kind = Kind::boolean, .integer = op == 0x88});
    case 'J':
      return integer(4);
    case 'K':
      return integer(1);
    case 'M':
      return integer(2);
    case 'G':
      return real();
    case 0x8a:
      return long1();
    default:
      return failure(FailureCode::unsupported,
                     fmt::format("got the opcode 0x{:02x}, which no file of tensors has", op));
  }
}

}  // namespace

Result<Pickle> parse_pickle(std::string_view bytes, std::span<const std::string_view> globals,
                            const std::string& name) {
  return Machine(bytes, globals, name).run();
}

}  // namespace ddpm
