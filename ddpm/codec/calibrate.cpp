#include "ddpm/codec/calibrate.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/context.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {
namespace {

constexpr std::size_t kLeastItems = 16;
constexpr int kSingleTimes = 12;
// Beyond this error, in [-1, 1], nobody would code levels: 30 of 255.
constexpr double kCoarse = 0.055;
constexpr double kDoubt = 50;  // elements for which the mean of all contexts stands in each
constexpr double kLeastError = 1e-9;

// x_t of all items; one noise for each item and time.
std::vector<float> noised(const Schedule& schedule, int t, Shape shape,
                          std::span<const Item> items) {
  std::vector<float> x(items.size() * shape.size());
  for (std::size_t k = 0; k < items.size(); ++k) {
    const auto mine = std::span(x).subspan(k * shape.size(), shape.size());
    fill_normal(
        {.purpose = Purpose::forward_chain, .image = k, .step = static_cast<std::uint32_t>(t)},
        mine);
    q_sample(schedule, t, floats_of(items[k]), mine, mine);
  }
  return x;
}

// Mean square errors by context, and how many elements are in each.
void add_errors(Shape shape, std::span<const Item> items, std::span<const float> x0,
                Measured& measured) {
  ContextErrors sum{}, count{};
  double all = 0;
  std::vector<std::uint8_t> contexts(shape.size());
  for (std::size_t k = 0; k < items.size(); ++k) {
    const auto mine = x0.subspan(k * shape.size(), shape.size());
    contexts_of(mine, shape, contexts);
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const double miss = double{byte_to_float(items[k][i])} - mine[i];
      sum[contexts[i]] += miss * miss;
      count[contexts[i]] += 1;
      all += miss * miss;
    }
  }
  const double elements = static_cast<double>(x0.size());
  ContextErrors& errors = measured.errors.emplace_back();
  ContextErrors& shares = measured.shares.emplace_back();
  for (int c = 0; c < kContexts; ++c) {
    errors[c] = std::max((sum[c] + kDoubt * all / elements) / (count[c] + kDoubt), kLeastError);
    shares[c] = count[c] / elements;
  }
}

double mean_error(const Measured& measured) {
  double error = 0;
  for (int c = 0; c < kContexts; ++c)
    error += measured.shares.back()[c] * measured.errors.back()[c];
  return error;
}

}  // namespace

std::vector<int> calibration_times(int T) {
  std::vector<int> times;
  for (int t = 1; t < T; t = t < kSingleTimes ? t + 1 : t + std::max(1, t / 7)) times.push_back(t);
  times.push_back(T);
  return times;
}

Measured measure(Predictor& predictor, std::span<const Item> items,
                 const std::function<void()>& progress) {
  if (items.size() < kLeastItems) {
    throw Error("[codec] calibrate: got {} images, expected at least {}", items.size(),
                kLeastItems);
  }
  const CodecModel& model = predictor.model();
  Measured measured;
  bool coarse = false;
  for (const int t : calibration_times(model.schedule.T())) {
    const std::vector<float> x = noised(model.schedule, t, model.shape, items);
    std::vector<float> x0(x.size());
    predictor.x0(t, x, x0);
    measured.times.push_back(t);
    add_errors(model.shape, items, x0, measured);
    coarse = coarse || (t > 1 && mean_error(measured) > kCoarse * kCoarse);
    if (!coarse) {
      FittedDecoder fitted = fit_decoder(t, model.shape, items, x0);
      measured.decoders.push_back(std::move(fitted.decoder));
      measured.decoder_bits.push_back(fitted.bits);
    }
    if (progress) progress();
  }
  return measured;
}

bool prefers_learned_variance(Predictor& predictor, std::span<const Item> items) {
  constexpr std::size_t kItems = 16;
  constexpr int kTimes = 25;
  const CodecModel& model = predictor.model();
  if (!is_learned(model.view.variance)) return false;
  items = items.subspan(0, std::min(items.size(), kItems));
  const Respaced process =
      respace(model.schedule, {model.tables.chain.rbegin(), model.tables.chain.rend()});
  const int K = process.schedule.T(), step = std::max(1, K / kTimes);
  double learned = 0, measured = 0;
  std::vector<std::uint8_t> contexts(model.shape.size());
  for (int k = 2; k <= K; k += step) {
    const int t = process.times[k - 1];
    const std::vector<float> x = noised(model.schedule, t, model.shape, items);
    std::vector<float> x0(x.size()), v(x.size());
    predictor.x0(t, x, x0, v);
    const LogVariance p = log_variance_of(process.schedule, k, model.view.variance);
    const Posterior q = process.schedule.posterior(k);
    const ContextErrors errors = model.tables.errors_at(model.schedule, t);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t in_item = i % model.shape.size();
      if (in_item == 0)
        contexts_of(std::span(x0).subspan(i, model.shape.size()), model.shape, contexts);
      const double miss = q.c_x0 * (byte_to_float(items[i / model.shape.size()][in_item]) - x0[i]);
      const auto cost = [&](double log_variance) {  // KL divergence in nats, less what both have
        return 0.5 * (log_variance + (q.variance + miss * miss) * exact::exp(-log_variance));
      };
      learned += cost(p.offset + p.slope * v[i]);
      measured += cost(exact::log(q.variance + q.c_x0 * q.c_x0 * errors[contexts[in_item]]));
    }
  }
  return learned < measured;
}

}  // namespace ddpm
