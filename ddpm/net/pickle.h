// Python's pickle as torch.save writes it (protocol 2), read as data. A pickle is a program; this
// machine knows the opcodes that build values, and a global is a name that is on a list: nothing is
// ever called.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

/// A value of the pickle's table; `items` are indices into it, and may form circles.
struct PickleValue {
  enum class Kind {
    none,
    boolean,  // integer: 0 or 1
    integer,
    real,
    big,  // an integer beyond 64 bits: its little-endian bytes in `text`
    text,
    tuple,
    list,
    dict,        // key, value, key, value, ...
    global,      // "module name" in `text`
    persistent,  // items: the id
    call,        // items: a global, its arguments (a tuple). Not done; OrderedDict alone is a dict
  };

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<int> items;
};

struct Pickle {
  std::vector<PickleValue> values;
  int top = 0;           // what the pickle is
  std::size_t size = 0;  // bytes up to and including the STOP

  const PickleValue& at(int i) const { return values[i]; }
};

inline constexpr std::size_t kMostPickleValues = std::size_t{1} << 20;

/// Reads one pickle from the start of `bytes`. Failure: need_more (no STOP), corrupt (a stack that
/// runs empty, a memo never set), unsupported (another opcode or protocol, a global that is not in
/// `globals` ("module name"), more than kMostPickleValues values); each names the byte.
Result<Pickle> parse_pickle(std::string_view bytes, std::span<const std::string_view> globals,
                            const std::string& name);

}  // namespace ddpm
