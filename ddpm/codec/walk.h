// The paper's Algorithms 3 and 4 for several items at once: from noise that both sides know down
// the model's times, each time in as many transmitted steps as keep a step small. Sender and
// receiver run the same walk and differ in where a step's z comes from: docs/format.md, "Walks".
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/codec/hardness.h"
#include "ddpm/codec/predictor.h"
#include "ddpm/codec/transmitter.h"

namespace ddpm {

/// Coefficients of q(x_s | x_t, x_0) = N(c_x0 x_0 + c_xt x_t, variance) for SNRs t < s (Eq. (7)).
struct Move {
  double c_x0, c_xt, variance;
};
Move move_between(double snr_t, double snr_s);

struct WalkOptions {
  std::span<const int> times;  // decreasing
  std::uint64_t seed = 0;
  std::uint64_t first_item = 0;
  Transmitter transmitter = Transmitter::hadamard;
  /// Bits given to a step for each bit of KL divergence that is expected of it.
  double spending = 0.9;
};

class Walk {
 public:
  /// `items` items numbered from first_item on, all at x_{times[0]}, which is noise.
  Walk(Predictor& predictor, const WalkOptions& options, std::size_t items);

  /// Goes on to the next time: asks the network about the items that stop there and plans their
  /// steps until their next one. A time that an item's bits don't pay for is left out; the first
  /// and the last are everyone's. False, without asking, when the last is done.
  bool begin();
  /// Time of the last begin().
  int time() const { return times_[stage_ - 1]; }
  /// Whether that was the last: no step follows.
  bool at_end() const { return stage_ == times_.size(); }

  /// Steps that this stage still has for an item; 0 in the last and where it doesn't stop.
  int steps_left(std::size_t item) const { return items_[item].left; }

  /// Says, where the stage is worth it, how much more or less the model errs about this item than
  /// was thought (hardness.h); to be called once a stage, before its first step. Returns the bits,
  /// 0 for the ideal transmitter, which sends what there is whatever was thought.
  double send_hint(std::size_t item, std::span<const float> target, BitWriter& writer);
  Result<void> receive_hint(std::size_t item, BitReader& reader);

  /// Sends the item's next step towards `target`, x_0 in [-1, 1]: makes the move and returns the
  /// bits.
  double send_step(std::size_t item, std::span<const float> target, BitWriter& writer);
  /// Makes the move that the sender made. Failure: receive()'s; the item is then where it was.
  Result<void> receive_step(std::size_t item, BitReader& reader);

  /// No more network calls for an item.
  void end(std::size_t item) { items_[item].ended = true; }

  /// What is known of x_0: the network's reading, with the steps since then taken in. [C, H, W]
  std::span<const float> x0(std::size_t item) const { return items_[item].x0; }
  std::span<const float> x(std::size_t item) const { return items_[item].x; }
  /// SNR that x has.
  double snr(std::size_t item) const { return items_[item].snr; }
  /// Whether x0 is the network's own reading of x.
  bool fresh(std::size_t item) const { return items_[item].fresh; }
  std::size_t items() const { return items_.size(); }
  /// E (x_0 - x0)^2 an element, as the model's tables expect it.
  double expected_error(std::size_t item) const;

 private:
  struct Item {
    explicit Item(int format) : hardness(format) {}

    std::vector<float> x, x0;
    std::vector<std::uint8_t> contexts;
    ContextErrors error{};  // E (x_0 - x0)^2 by context
    std::array<std::uint32_t, kContexts> count{};
    double snr = 0, snr_step = 0;
    double credit = 0;      // bits that may be spent
    double stage_bits = 0;  // expected until the next time
    Hardness hardness;      // its scale is that of the table's errors
    int left = 0;
    std::size_t next = 0;      // index of the time where it stops next
    std::uint32_t number = 0;  // of the next step
    bool ended = false, fresh = false;
  };

  bool stops(const Item& item) const { return !item.ended && item.next + 1 == stage_; }
  void look(Item& item) const;
  void plan(Item& item) const;
  int steps(const Item& item, double bits) const;
  double expected_bits(const Item& item, double snr_step) const;
  int budget(Item& item) const;
  void move(Item& item, std::span<const float> z) const;
  StepKey key_of(std::size_t item) const {
    return {options_.seed, options_.first_item + item, items_[item].number, codebook_};
  }

  Predictor& predictor_;
  WalkOptions options_;
  std::vector<int> times_;
  std::vector<Item> items_;
  std::size_t stage_ = 0;  // how often begin() was called
  std::vector<float> z_, u_;
  Codebook codebook_;
  double atom_bits_;
};

}  // namespace ddpm
