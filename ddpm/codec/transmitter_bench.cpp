// Time of one transmitted step.
#include <benchmark/benchmark.h>

#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/codec/transmitter.h"

namespace ddpm {
namespace {

void sending(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  std::vector<float> u(n), z(n);
  fill_normal({}, u);
  for (float& value : u) value *= 0.3F;
  std::uint32_t step = 0;
  for (auto _ : state) {
    BitWriter writer;
    send(Transmitter::hadamard, {.step = step++}, static_cast<int>(state.range(1)), u, writer, z);
    benchmark::DoNotOptimize(z.data());
  }
}
BENCHMARK(sending)->ArgsProduct({{784, 1024, 3072}, {64, 200}})->Unit(benchmark::kMicrosecond);

void receiving(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  std::vector<float> u(n), z(n);
  fill_normal({}, u);
  BitWriter writer;
  const auto budget = static_cast<int>(state.range(1));
  send(Transmitter::hadamard, {}, budget, u, writer, z);
  for (auto _ : state) {
    BitReader reader(writer.bytes());
    benchmark::DoNotOptimize(receive(Transmitter::hadamard, {}, budget, reader, z));
  }
}
BENCHMARK(receiving)->ArgsProduct({{784, 1024, 3072}, {64, 200}})->Unit(benchmark::kMicrosecond);

void sending_greedy(benchmark::State& state) {
  std::vector<float> u(784, 0.1F), z(784);
  for (auto _ : state) {
    BitWriter writer;
    send(Transmitter::greedy, {}, 14, u, writer, z);
    benchmark::DoNotOptimize(z.data());
  }
}
BENCHMARK(sending_greedy)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ddpm
