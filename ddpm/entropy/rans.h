// rANS (Duda 2013) on a 64-bit state and 32-bit words, as ryg_rans' rans64, with a fixed byte
// order: docs/format.md, "rANS". A stack of symbols: what was pushed last is popped first, and
// popping before pushing turns the stack's bits into samples (bits-back, Townsend et al. 2019).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

/// Probabilities are multiples of 2^-kPrecision. 24 bits cost a symbol 1e-6 bits; 16 and 31 cost
/// hundreds of times that, by coarse probabilities and by a state too near its lower bound.
inline constexpr int kPrecision = 24;
inline constexpr std::uint32_t kWhole = 1U << kPrecision;

/// A symbol's share [start, start + size) of 0..kWhole, size >= 1.
struct Interval {
  std::uint32_t start, size;
  bool operator==(const Interval&) const = default;
};

/// Invariant between calls: 2^31 <= state < 2^63. push is the exact inverse of pop and pop of push,
/// words included.
class Rans {
 public:
  /// An empty stack; `bottom` comes back from bottom() when all has been popped. It costs its 32
  /// bits and one more: a check sum there is free, because a state needs such a bottom anyway.
  explicit Rans(std::uint32_t bottom = 0) : state_(std::uint64_t{1} << 32 | bottom) {}

  /// A stack whose bits are `seed`'s, to be popped as samples. seed_bytes() gives them back. When
  /// it has too few it is starved and fed words of Philox, which come back below them and cost no
  /// more than the bits that were missing.
  static Rans seeded(std::string_view seed);

  /// Reads bytes(), or any prefix of it from the head on. need_more: no whole head. corrupt: a
  /// state that no stack has.
  static Result<Rans> parse(std::string_view bytes);

  /// State, then words in the order in which pops need them; docs/format.md.
  std::string bytes() const;

  void push(Interval symbol) { push(symbol, kPrecision); }

  /// The top kPrecision bits: pop(s) must follow, with the symbol s whose interval has them.
  std::uint32_t peek() const { return static_cast<std::uint32_t>(state_ & (kWhole - 1)); }
  void pop(Interval symbol) {
    state_ = symbol.size * (state_ >> kPrecision) + peek() - symbol.start;
    if (state_ < kLow) refill();
  }

  /// The low `bits` bits of `value`, each worth one bit; 0 <= bits <= 31.
  void push_bits(std::uint32_t value, int bits);
  std::uint32_t pop_bits(int bits);

  /// True when a pop has wanted words that the stack did not have: a cut or corrupt stream, which
  /// is fed zeros and whose later symbols mean nothing; or too small a seed, which still decodes.
  /// Symbols popped while it was false are right.
  bool starved() const { return starved_; }

  /// The constructor's word. need_more: starved. corrupt: there is more on the stack.
  Result<std::uint32_t> bottom() const;

  /// Words that a seed was fed.
  std::uint32_t fed_words() const { return fed_; }

  /// What seeded() was given. corrupt: the stack is not what seeded() made, which for any other one
  /// it seems to be by a chance of 2^-60.
  Result<std::string> seed_bytes() const;

  /// Words besides the state; about 32 bits each.
  std::size_t words() const { return words_.size(); }
  std::uint64_t state() const { return state_; }

 private:
  friend class SymbolTable;
  static constexpr std::uint64_t kLow = std::uint64_t{1} << 31;

  void push(Interval symbol, int precision);
  void spill() {
    words_.push_back(static_cast<std::uint32_t>(state_));
    state_ >>= 32;
  }
  void refill() {
    if (words_.empty()) return feed();
    state_ = state_ << 32 | words_.back();
    words_.pop_back();
  }
  void feed();

  std::uint64_t state_;
  std::vector<std::uint32_t> words_;  // the last one is needed first
  bool starved_ = false;
  bool seeded_ = false;
  std::uint32_t fed_ = 0;  // words, of those that a seed is fed
  bool ragged_ = false;    // parsed from bytes that end within a word
};

/// First in, first out: symbols are kept and coded backwards, so that a decoder reads them from the
/// front and a prefix of the bytes gives a prefix of the symbols.
class RansQueue {
 public:
  void put(Interval symbol) { symbols_.push_back(symbol); }

  /// The bytes; Rans::parse() pops the symbols in the order in which they were put.
  std::string bytes(std::uint32_t bottom) const;

 private:
  std::vector<Interval> symbols_;
};

}  // namespace ddpm
