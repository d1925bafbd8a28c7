#include "ddpm/codec/transmitter.h"

#include <array>
#include <cmath>
#include <numbers>

#include "ddpm/base/philox.h"
#include "ddpm/codec/candidates.h"
#include "ddpm/codec/hadamard.h"

namespace ddpm {
namespace {

constexpr std::array<const char*, 4> kNames = {"hadamard", "pfr", "greedy", "ideal"};

void check_step(const StepKey& key, int budget, std::size_t n) {
  DDPM_CHECK(key.item >> 44 == 0, "item {}", key.item);
  DDPM_CHECK(0 <= budget && budget <= 65535, "budget {}", budget);
  DDPM_CHECK(1 <= n && n <= kMaxStepSize, "{} elements", n);
}

double send_ideal(const StepKey& key, std::span<const float> u, std::span<float> z) {
  fill_normal({key.seed, Purpose::codec_sample, key.item, key.step}, z);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] += u[i];
  return kl_bits(u);
}

void shared_noise(const StepKey& key, std::span<float> z) {
  fill_normal({key.seed, Purpose::codec_noise, key.item, key.step}, z);
}

}  // namespace

Transmitter parse_transmitter(const std::string& name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Transmitter>(i);
  }
  throw Error("[codec] transmitter: got '{}', expected hadamard, pfr, greedy or ideal", name);
}

std::string name_of(Transmitter transmitter) {
  return kNames.at(static_cast<std::size_t>(transmitter));
}

double kl_bits(std::span<const float> u) {
  double square = 0;
  for (const double value : u) square += value * value;
  return square * (std::numbers::log2e / 2);
}

double send(Transmitter transmitter, const StepKey& key, int budget, std::span<const float> u,
            BitWriter& writer, std::span<float> z) {
  check_step(key, budget, z.size());
  DDPM_CHECK(u.size() == z.size() && std::isfinite(kl_bits(u)));
  if (transmitter == Transmitter::ideal) return send_ideal(key, u, z);
  const std::size_t before = writer.bits();
  shared_noise(key, z);
  if (transmitter == Transmitter::hadamard) send_hadamard(key, budget, u, writer, z);
  if (transmitter == Transmitter::pfr) send_pfr(key, budget, u, writer, z);
  if (transmitter == Transmitter::greedy) send_greedy(key, budget, u, writer, z);
  return static_cast<double>(writer.bits() - before);
}

Result<void> receive(Transmitter transmitter, const StepKey& key, int budget, BitReader& reader,
                     std::span<float> z) {
  check_step(key, budget, z.size());
  switch (transmitter) {
    case Transmitter::hadamard:
      return receive_hadamard(key, budget, reader, z);
    case Transmitter::pfr:
      return receive_pfr(key, budget, reader, z);
    case Transmitter::greedy:
      return receive_greedy(key, budget, reader, z);
    case Transmitter::ideal:
      break;
  }
  return fail(FailureCode::unsupported,
              "[codec] transmitter: got '{}', expected one whose samples can be received",
              name_of(transmitter));
}

}  // namespace ddpm
