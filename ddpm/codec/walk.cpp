#include "ddpm/codec/walk.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/context.h"
#include "ddpm/codec/hadamard.h"

namespace ddpm {
namespace {

// Expected bits per element above which a stage is cut into more steps: an index that says much at
// once says it at a worse price.
constexpr double kLargestStep = 0.04;
// By tables of formats 1 and 2 no step is expected to take fewer bits than these, which nearly pay
// for an atom; by later ones a stage has no more steps than its bits pay atoms for.
constexpr double kSmallestStep = 14;
constexpr int kMostBudget = 60'000;
constexpr double kMostStepsAStage = 1000;

}  // namespace

// With a = SNR / (1 + SNR) and beta = 1 - a_t / a_s nothing cancels.
Move move_between(double snr_t, double snr_s) {
  DDPM_CHECK(0 <= snr_t && snr_t < snr_s, "{} {}", snr_t, snr_s);
  const double step = snr_s - snr_t;
  const double root_a_s = std::sqrt(snr_s / (1 + snr_s));
  const double ratio = snr_t * (1 + snr_s) / (snr_s * (1 + snr_t));  // a_t / a_s
  return {root_a_s * step / snr_s, std::sqrt(ratio) * (1 + snr_t) / (1 + snr_s),
          step / (snr_s * (1 + snr_s))};
}

Walk::Walk(Predictor& predictor, const WalkOptions& options, std::size_t items)
    : predictor_(predictor),
      options_(options),
      times_(options.times.begin(), options.times.end()),
      items_(items, Item(predictor.model().tables.format)),
      z_(predictor.model().shape.size()),
      u_(z_.size()),
      codebook_(predictor.model().tables.format < 3 ? Codebook::small : Codebook::large),
      atom_bits_(hadamard_bits(codebook_, z_.size(), 1)) {
  DDPM_CHECK(!times_.empty());
  for (std::size_t i = 0; i < items; ++i) {
    Item& item = items_[i];
    item.x.resize(z_.size());
    item.x0.resize(z_.size());
    item.contexts.resize(z_.size());
    item.snr = predictor.model().schedule.snr(times_.front());
    fill_normal({options.seed, Purpose::codec_start, options.first_item + i}, item.x);
  }
}

bool Walk::begin() {
  if (stage_ == times_.size()) return false;
  ++stage_;
  std::vector<float> x, x0;
  for (const Item& item : items_) {
    if (stops(item)) x.insert(x.end(), item.x.begin(), item.x.end());
  }
  x0.resize(x.size());
  predictor_.x0(time(), x, x0);
  const float* read = x0.data();
  for (Item& item : items_) {
    if (!stops(item)) continue;
    std::copy_n(read, item.x0.size(), item.x0.begin());
    read += item.x0.size();
    look(item);
    plan(item);
  }
  return true;
}

void Walk::look(Item& item) const {
  contexts_of(item.x0, predictor_.model().shape, item.contexts);
  item.count.fill(0);
  for (const std::uint8_t context : item.contexts) ++item.count[context];
  item.fresh = true;
}

// Until the first time that pays for an atom, in steps of equal SNR. Both sides know x0, and so how
// far and in how many steps.
void Walk::plan(Item& item) const {
  const CodecModel& model = predictor_.model();
  item.error = model.tables.errors_at(model.schedule, time());
  for (double& error : item.error) error *= item.hardness.scale();
  item.left = 0;
  if (stage_ == times_.size()) return;
  double& bits = item.stage_bits;
  for (item.next = stage_;; ++item.next) {
    item.snr_step = model.schedule.snr(times_[item.next]) - item.snr;
    bits = expected_bits(item, item.snr_step);
    if (item.credit + options_.spending * bits >= atom_bits_ || item.next + 1 == times_.size())
      break;
  }
  item.left = steps(item, bits);
  item.snr_step /= item.left;
}

int Walk::steps(const Item& item, double bits) const {
  const bool early = predictor_.model().tables.format < 3;
  const double large = kLargestStep * static_cast<double>(z_.size());
  const double wanted = std::ceil(bits / (early ? std::max(kSmallestStep, large) : large));
  const double paid = std::floor((item.credit + options_.spending * bits) / atom_bits_);
  return static_cast<int>(
      std::clamp(early ? wanted : std::min(wanted, paid), 1.0, kMostStepsAStage));
}

// KL divergence of a step: 1/2 log2(1 + error * snr_step) an element (tables.h).
double Walk::expected_bits(const Item& item, double snr_step) const {
  double bits = 0;
  for (int c = 0; c < kContexts; ++c) {
    if (item.count[c] != 0) bits += item.count[c] * exact::log1p(snr_step * item.error[c]);
  }
  return bits * (std::numbers::log2e / 2);
}

double Walk::expected_error(std::size_t i) const {
  const Item& item = items_[i];
  double sum = 0;
  for (int c = 0; c < kContexts; ++c) sum += item.count[c] * item.error[c];
  return sum / static_cast<double>(z_.size());
}

// What is not spent, because an atom more would cost too much, is kept for the next step.
int Walk::budget(Item& item) const {
  item.credit += options_.spending * expected_bits(item, item.snr_step);
  const int most = static_cast<int>(std::clamp(item.credit, 0.0, double{kMostBudget}));
  const int bits =
      options_.transmitter == Transmitter::hadamard
          ? hadamard_bits(codebook_, z_.size(), hadamard_atoms(codebook_, z_.size(), most))
          : most;
  item.credit -= bits;
  return bits;
}

// x moves to where z says; z is also a look at x_0 with noise of variance 1 / snr_step, which x0
// takes in as if its errors were independent normals (Kalman's update).
void Walk::move(Item& item, std::span<const float> z) const {
  const Move m = move_between(item.snr, item.snr + item.snr_step);
  const double sigma = std::sqrt(m.variance), root_step = std::sqrt(item.snr_step);
  std::array<double, kContexts> gain{};
  for (int c = 0; c < kContexts; ++c) {
    const double known = 1 + item.snr_step * item.error[c];
    gain[c] = item.error[c] * root_step / known;
    item.error[c] /= known;
  }
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double x0 = item.x0[i];
    item.x[i] = static_cast<float>((m.c_x0 * x0 + m.c_xt * item.x[i]) + sigma * z[i]);
    item.x0[i] = static_cast<float>(std::clamp(x0 + gain[item.contexts[i]] * z[i], -1.0, 1.0));
  }
  item.snr += item.snr_step;
  item.fresh = false;
  ++item.number;
  if (--item.left == 0) item.snr = predictor_.model().schedule.snr(times_[item.next]);
}

double Walk::send_hint(std::size_t i, std::span<const float> target, BitWriter& writer) {
  Item& item = items_[i];
  if (item.left == 0 || !item.hardness.due(item.stage_bits)) return 0;
  double is = 0, expected = 0;
  for (std::size_t k = 0; k < target.size(); ++k) {
    const double miss = double{target[k]} - item.x0[k];
    is += miss * miss;
    expected += item.error[item.contexts[k]];
  }
  const int bits = item.hardness.bits();
  const std::uint32_t hint = item.hardness.choose(is / expected);
  writer.put(hint, bits);
  item.hardness.take(hint);
  plan(item);
  return options_.transmitter == Transmitter::ideal ? 0 : bits;
}

Result<void> Walk::receive_hint(std::size_t i, BitReader& reader) {
  Item& item = items_[i];
  if (item.left == 0 || !item.hardness.due(item.stage_bits)) return {};
  const auto hint = reader.take(item.hardness.bits());
  if (!hint) return tl::unexpected(hint.error());
  item.hardness.take(static_cast<std::uint32_t>(*hint));
  plan(item);
  return {};
}

double Walk::send_step(std::size_t i, std::span<const float> target, BitWriter& writer) {
  Item& item = items_[i];
  DDPM_CHECK(item.left > 0 && target.size() == z_.size());
  const double root_step = std::sqrt(item.snr_step);
  for (std::size_t k = 0; k < z_.size(); ++k) {
    u_[k] = static_cast<float>((double{target[k]} - item.x0[k]) * root_step);
  }
  const int bits = budget(item);
  const double sent = send(options_.transmitter, key_of(i), bits, u_, writer, z_);
  move(item, z_);
  return sent;
}

Result<void> Walk::receive_step(std::size_t i, BitReader& reader) {
  Item& item = items_[i];
  DDPM_CHECK(item.left > 0);
  const double credit = item.credit;
  const int bits = budget(item);
  auto received = receive(options_.transmitter, key_of(i), bits, reader, z_);
  if (!received) {
    item.credit = credit;
    return received;
  }
  move(item, z_);
  return {};
}

}  // namespace ddpm
