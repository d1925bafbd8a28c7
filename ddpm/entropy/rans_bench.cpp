// Time a symbol of what the coder is made of.
#include <benchmark/benchmark.h>

#include "ddpm/base/philox.h"
#include "ddpm/entropy/bin_model.h"
#include "ddpm/entropy/subset_code.h"
#include "ddpm/entropy/symbol_table.h"

namespace ddpm {
namespace {

constexpr int kSymbols = 1 << 16;

SymbolTable bell(int symbols) {
  std::vector<std::uint64_t> weights;
  const BinModel model(CdfTable::normal(), symbols / 2 * 65536, symbols * 8192U, 0, symbols - 1);
  for (int i = 0; i < symbols; ++i) weights.push_back(model.interval(i).size);
  return SymbolTable(interval_sizes(weights));
}

// What random bits decode to: symbols as frequent as the table says.
std::vector<int> draws(const SymbolTable& table) {
  Rans rans = Rans::seeded(std::string(4096, 'x'));
  std::vector<int> symbols(kSymbols);
  for (int i = 0; i < kSymbols; ++i) {
    rans.push_bits(random_block({.seed = 1}, i)[0] >> 1, 31);
    symbols[i] = table.pop(rans);
  }
  return symbols;
}

void per_symbol(benchmark::State& state) {
  state.counters["ns_per_symbol"] = benchmark::Counter(
      kSymbols * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void push_table(benchmark::State& state) {
  const SymbolTable table = bell(static_cast<int>(state.range(0)));
  const std::vector<int> symbols = draws(table);
  for (auto _ : state) {
    Rans rans;
    for (const int symbol : symbols) table.push(rans, symbol);
    benchmark::DoNotOptimize(rans.state());
  }
  per_symbol(state);
}
BENCHMARK(push_table)->Arg(32)->Arg(256);

void pop_table(benchmark::State& state) {
  const SymbolTable table = bell(static_cast<int>(state.range(0)));
  Rans full;
  for (const int symbol : draws(table)) table.push(full, symbol);
  for (auto _ : state) {
    state.PauseTiming();
    Rans rans = full;
    state.ResumeTiming();
    int sum = 0;
    for (int i = 0; i < kSymbols; ++i) sum += table.pop(rans);
    benchmark::DoNotOptimize(sum);
  }
  per_symbol(state);
}
BENCHMARK(pop_table)->Arg(32)->Arg(256);

// A model of its own for every symbol, as latents (scale 1.33) and pixels (scale 20) have.
void push_normal(benchmark::State& state) {
  const auto scale = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    Rans rans;
    for (int i = 0; i < kSymbols; ++i) {
      const BinModel model(CdfTable::normal(), i * 97 & 0xffffff, scale, 0, 255);
      rans.push(model.interval(i * 97 >> 16 & 255));
    }
    benchmark::DoNotOptimize(rans.state());
  }
  per_symbol(state);
}
BENCHMARK(push_normal)->Arg(87381)->Arg(20 * 65536);

void pop_window(benchmark::State& state) {
  Rans full;
  for (int i = 0; i < kSymbols; ++i) {
    WindowModel(CdfTable::normal(), i * 97, 87381).push(full, i * 97 >> 16);
  }
  for (auto _ : state) {
    state.PauseTiming();
    Rans rans = full;
    state.ResumeTiming();
    std::int64_t sum = 0;
    for (int i = kSymbols; i-- > 0;)
      sum += WindowModel(CdfTable::normal(), i * 97, 87381).pop(rans);
    benchmark::DoNotOptimize(sum);
  }
  per_symbol(state);
}
BENCHMARK(pop_window);

void subset(benchmark::State& state) {
  const auto m = static_cast<std::uint32_t>(state.range(0));
  std::vector<std::uint32_t> items(m);
  for (std::uint32_t i = 0; i < m; ++i) items[i] = i * (65536 / m) + i % 7;
  for (auto _ : state) {
    BitWriter writer;
    put_subset(65536, items, writer);
    BitReader reader(writer.bytes());
    benchmark::DoNotOptimize(take_subset(65536, m, reader));
  }
}
BENCHMARK(subset)->Arg(4)->Arg(32)->Arg(128)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ddpm
