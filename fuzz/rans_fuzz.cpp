// Any bytes as a stream of symbols, numbers and bits: all that was popped, pushed again, gives the
// same stack.
#include <algorithm>
#include <vector>

#include "ddpm/entropy/bin_model.h"
#include "ddpm/entropy/subset_code.h"
#include "ddpm/entropy/symbol_table.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

void pop_and_push(Rans rans) {
  static const SymbolTable table(interval_sizes(std::vector<std::uint64_t>{1, 50, 0, 7, 900, 3}));
  const Rans before = rans;
  struct Popped {
    int symbol;
    std::int64_t value;
    std::uint32_t bits;
  };
  const auto model = [](std::uint32_t i) {
    const CdfTable& cdf = i % 2 ? CdfTable::normal() : CdfTable::logistic();
    return WindowModel(cdf, std::int64_t{i} * 1234567 - 99999999, 1 + i * 54321 % (1U << 26));
  };
  std::vector<Popped> popped;
  for (std::uint32_t i = 0; i < 2000 && !rans.starved(); ++i) {
    popped.push_back(
        {table.pop(rans), model(i).pop(rans), rans.pop_bits(static_cast<int>(i % 32))});
  }
  (void)rans.bottom();
  (void)rans.seed_bytes();
  for (auto i = static_cast<std::uint32_t>(popped.size()); i-- > 0;) {
    rans.push_bits(popped[i].bits, static_cast<int>(i % 32));
    model(i).push(rans, popped[i].value);
    table.push(rans, popped[i].symbol);
  }
  expect(rans.state() == before.state() && rans.words() >= before.words());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = ddpm::text_of(data, size);
  if (auto rans = Rans::parse(bytes)) pop_and_push(*rans);
  pop_and_push(Rans::seeded(bytes));
  if (size < 2) return 0;
  BitReader reader(bytes.substr(2));
  const std::uint32_t n = 1 + data[0] * 257U, m = data[1] % std::min(n, 64U);
  if (const auto subset = take_subset(n, m, reader)) {
    BitWriter writer;
    put_subset(n, *subset, writer);
    expect(writer.bits() == reader.position());
  }
  return 0;
}
