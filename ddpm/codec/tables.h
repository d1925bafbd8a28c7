// What the codec must know of a model besides its weights: how wrong it is at each time, and at
// which times it is asked. Measured by calibrate.h, kept in the model's ddpm.json under `codec`.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ddpm/codec/context.h"
#include "ddpm/codec/level_coder.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/net/strict_json.h"

namespace ddpm {

using ContextErrors = std::array<double, kContexts>;

struct CodecTables {
  /// What the walks and chains go by: 1, of the first tables and of models without any, to 4.
  int format = 4;
  std::vector<int> times;             // increasing, within 1..T
  std::vector<ContextErrors> errors;  // E (x0 - x0 read from x_t)^2 at each of them, by context
  // The network is asked at these times, decreasing: progressive files (to the last detail), single
  // lossless ones, chains.
  std::vector<int> progressive, lossless, chain;
  // What a walk down the first two is expected to send, per element; 0 where nobody worked it out.
  double progressive_bits = 0, lossless_bits = 0;
  std::vector<LevelDecoder> decoders;  // one for the last time of each of the three
  bool learned_variance = false;       // chains use the network's own variances

  /// Errors at any t in 1..T: logarithms interpolated linearly in log SNR, constant beyond the
  /// ends.
  ContextErrors errors_at(const Schedule& schedule, int t) const;
  /// The decoder of a time that has one.
  const LevelDecoder& decoder_of(int time) const;

  bool operator==(const CodecTables&) const = default;
};

/// Reads ddpm.json's `codec`; `file` is what errors call it. Throws Error (bad_input) unless the
/// tables are whole and fit the schedule.
CodecTables read_tables(const Json& json, const Schedule& schedule, const std::string& file);
Json tables_json(const CodecTables& tables);

/// What is known or assumed of a model at some times: how wrong it is, what share of the elements a
/// context has, what the levels cost after this time and with which decoder.
struct Measured {
  std::vector<int> times;
  std::vector<ContextErrors> errors, shares;
  std::vector<LevelDecoder> decoders;  // of the first times
  std::vector<double> decoder_bits;    // per element, one a decoder
};

/// How often the network is asked about an item, as far as can be foretold; less often when there
/// are fewer times.
struct Calls {
  int progressive = 250, lossless = 250, chain = 250;
};

/// Chooses the times by dynamic programming (optimal_times) over what jumps cost: chain and
/// lossless by bits in all, progressive by what is lost at each time relative to the bits sent
/// until then. Throws Error for schedules of more than 4000 steps or alpha_bar(T) == 0.
CodecTables plan_tables(const Schedule& schedule, const Measured& measured,
                        const Calls& calls = {});

/// Gives walks every time down to their last, if the bits of an item of `elements` pay for no more
/// stops than they had times: a walk stops where an atom is paid for, and the fewer bits it is
/// beyond that the better.
void fill_walks(CodecTables& tables, std::size_t elements);

/// Calls of the network that a walk down `times` is expected to make for an item of `elements`; a
/// stop pays for an atom, so `bits` per element limit them, if they are not 0.
int expected_calls(const std::vector<int>& times, double bits, std::size_t elements);

/// Tables for a model that nobody measured: as if images were noise of standard deviation 1/2.
CodecTables nominal_tables(const Schedule& schedule);

/// Bits per element that a perfect transmitter sends for the listed times of the network and the
/// levels after the last of them, as the measured errors predict it.
double predicted_bits(const Schedule& schedule, const Measured& measured,
                      const std::vector<int>& times);

}  // namespace ddpm
