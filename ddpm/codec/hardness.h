// How much more than the tables expect the network errs about an item: the sender sees it, and says
// it in hints of a bit or two that come where the expected bits are worth one. docs/format.md,
// "Walks".
#pragma once

#include <cstdint>

namespace ddpm {

class Hardness {
 public:
  /// Goes by the rules of the codec's tables of this format.
  explicit Hardness(int format) : format_(format) {}

  /// What the tables' errors are multiplied by; 1 without hints.
  double scale() const { return scale_; }

  /// Whether a stage that is expected to take so many bits begins with a hint; asked once a stage.
  bool due(double stage_bits);
  /// Bits of the next hint.
  int bits() const;
  /// The hint that says best that the error is `ratio` >= 0 times the tables' times scale().
  std::uint32_t choose(double ratio) const;
  /// Takes in the hint, 0 .. 2^bits() - 1.
  void take(std::uint32_t hint);

 private:
  double factor(std::uint32_t hint) const;

  int format_;
  int hints_ = 0;
  double scale_ = 1;
  double unhinted_ = 0;  // bits expected of the stages since the last hint
};

}  // namespace ddpm
