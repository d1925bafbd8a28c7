// Measures on data what the codec must know of a model (tables.h).
#pragma once

#include <functional>
#include <span>

#include "ddpm/codec/predictor.h"
#include "ddpm/codec/tiles.h"

namespace ddpm {

/// Times at which a model is measured: each of the first, then ever fewer, the last is T.
std::vector<int> calibration_times(int T);

/// Errors of the network's x_0 at calibration_times, one noise an item and time, and decoders for
/// the times before which levels are known to some 30. The same items give the same tables. At
/// least 16 items (Error, usage); some hundreds are worth it. `progress` after every time.
Measured measure(Predictor& predictor, std::span<const Item> items,
                 const std::function<void()>& progress = {});

/// The best decoder for the levels of some items, given what the network says of them, and its bits
/// an element.
struct FittedDecoder {
  LevelDecoder decoder;
  double bits;
};
FittedDecoder fit_decoder(int time, Shape shape, std::span<const Item> items,
                          std::span<const float> x0);

/// Whether p by the network's own variances costs a chain with these tables less than p by the
/// measured errors; for models that have them.
bool prefers_learned_variance(Predictor& predictor, std::span<const Item> items);

}  // namespace ddpm
