#include "ddpm/codec/tables.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

double log_snr(const Schedule& schedule, int t) {
  return exact::log(std::max(schedule.snr(t), 1e-300));
}

}  // namespace

ContextErrors CodecTables::errors_at(const Schedule& schedule, int t) const {
  const auto above = std::ranges::lower_bound(times, t);
  const auto i = static_cast<std::size_t>(above - times.begin());
  if (above != times.end() && *above == t) return errors[i];
  if (above == times.begin()) return errors.front();
  if (above == times.end()) return errors.back();
  const double low = log_snr(schedule, times[i - 1]), high = log_snr(schedule, times[i]);
  const double share = (log_snr(schedule, t) - low) / (high - low);
  ContextErrors result{};
  for (int c = 0; c < kContexts; ++c) {
    const double a = exact::log(errors[i - 1][c]), b = exact::log(errors[i][c]);
    result[c] = exact::exp(a + share * (b - a));
  }
  return result;
}

const LevelDecoder& CodecTables::decoder_of(int time) const {
  const auto found =
      std::ranges::find_if(decoders, [&](const LevelDecoder& d) { return d.time == time; });
  DDPM_CHECK(found != decoders.end(), "{}", time);
  return *found;
}

}  // namespace ddpm
