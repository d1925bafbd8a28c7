// Any text as a schedule or a sampler: a plan of numbers, or an error of the kind that a user gets.
#include <cmath>

#include "ddpm/diffusion/plan.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

void expect_numbers(const Plan& plan) {
  expect(std::isfinite(plan.initial_scale));
  for (const Row& row : plan) {
    expect(!row.time || std::isfinite(*row.time));
    for (const double c : {row.c_in, row.r_x, row.r_out, row.e_x, row.e_out, row.e_x0}) {
      expect(std::isfinite(c));
    }
    for (const Update& update : row.updates) {
      expect(std::isfinite(update.c_z));
      for (const auto& term : update.terms) expect(std::isfinite(term.c));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(text_of(data, size));
  static const Schedule linear = Schedule::linear(200), cosine = Schedule::cosine(50);
  for (const Schedule* schedule : {&linear, &cosine}) {
    succeeds([&] { expect_numbers(parse_plan(text, *schedule, {})); });
  }
  // Long schedules take their time and say nothing new.
  if (text.find_first_of("0123456789") == std::string::npos || size > 64) return 0;
  succeeds([&] {
    const Schedule schedule = Schedule::parse(text);
    for (const int t : {1, schedule.T()}) expect(std::isfinite(schedule.alpha_bar(t)));
  });
  return 0;
}
