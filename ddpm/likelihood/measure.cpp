#include "ddpm/likelihood/measure.h"

#include <algorithm>
#include <deque>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/estimate.h"

namespace ddpm {
namespace {

// Gathers one process's terms. Sums are in the order of the images, and of t within an image.
class Meter {
 public:
  Meter(const BoundProcess& process, std::size_t images)
      : process_(process), images_(images), terms_(static_cast<std::size_t>(process.steps())) {}

  // A term that stands for others weighs more than 1 in its image's bound.
  void add(const Reading& r, double weight) {
    const int k = process_.step_at(r.t);
    if (k == 0) return;
    const BoundTerm term = process_.term(k, r.x0, r.eps, r.out);
    if (!std::isfinite(term.bits_per_dim)) {
      throw Error(ExitCode::numeric,
                  "[likelihood] bound: got {} bits/dim for image {} at t = {}; try ddpm info, and "
                  "another checkpoint if its weights are not finite",
                  term.bits_per_dim, r.image, r.t);
    }
    TermMean& sum = terms_[k - 1];
    sum.bits_per_dim += term.bits_per_dim;
    sum.x0_mse += term.x0_mse;
    sum.eps_mse += term.eps_mse;
    ++sum.images;
    ImageBound& image = images_[r.image];
    if (k > 1) {
      image.between += weight * term.bits_per_dim;
    } else {  // once an image
      image.decoder += term.bits_per_dim;
      image.prior = process_.prior(r.x0);
    }
  }

  // The mean total of the first `images`, all of whose terms are there.
  double so_far(std::size_t images) const {
    double sum = 0;
    for (std::size_t i = 0; i < images; ++i) sum += images_[i].total();
    return sum / static_cast<double>(images);
  }

  BoundReport report() && {
    BoundReport report{.steps = process_.steps(), .images = std::move(images_)};
    std::vector<double> totals;
    const auto n = static_cast<double>(report.images.size());
    for (const ImageBound& image : report.images) {
      report.mean.prior += image.prior / n;
      report.mean.between += image.between / n;
      report.mean.decoder += image.decoder / n;
      totals.push_back(image.total());
    }
    report.standard_error = mean_and_error(totals).standard_error;
    for (int k = 1; k <= process_.steps(); ++k) {
      TermMean& term = terms_[k - 1];
      if (term.images == 0) continue;
      const auto count = static_cast<double>(term.images);
      report.terms.push_back({process_.time(k), term.bits_per_dim / count, term.x0_mse / count,
                              term.eps_mse / count, term.images});
    }
    return report;
  }

 private:
  const BoundProcess& process_;
  std::vector<ImageBound> images_;
  std::vector<TermMean> terms_;  // of step k at k - 1; sums until report()
};

// The whole process's times that any of the processes keeps, increasing.
std::vector<int> times_of(std::span<const BoundProcess> processes) {
  std::vector<int> times;
  for (const BoundProcess& process : processes) {
    for (int k = 1; k <= process.steps(); ++k) times.push_back(process.time(k));
  }
  std::ranges::sort(times);
  times.erase(std::ranges::unique(times).begin(), times.end());
  return times;
}

// What to ask about each image: all times, or an estimate's.
class Questions {
 public:
  Questions(std::span<const BoundProcess> processes, const MeasureOptions& options)
      : process_(processes[0]), options_(options) {
    for (const int t : times_of(processes)) all_.push_back({t, 1});
    if (options.estimate > 0) estimate_.emplace(process_.schedule(), options.estimate);
  }

  std::vector<EstimateTerm> of(std::size_t image) const {
    if (!estimate_) return all_;
    const NoiseKey key{.seed = options_.seed, .purpose = Purpose::bound_time, .image = image};
    std::vector<EstimateTerm> terms = estimate_->draw(uniform(key));
    for (EstimateTerm& term : terms) term.t = process_.time(term.t);
    terms.insert(terms.begin(), {process_.time(1), 1});
    return terms;
  }

 private:
  const BoundProcess& process_;
  const MeasureOptions& options_;
  std::vector<EstimateTerm> all_;
  std::optional<EstimateTimes> estimate_;
};

void check(std::span<const BoundProcess> processes, const TestImages& images,
           const MeasureOptions& options) {
  DDPM_CHECK(!processes.empty() && images.count > 0, "{}, {}", processes.size(), images.count);
  DDPM_CHECK(options.estimate == 0 || processes.size() == 1, "{} processes", processes.size());
}

}  // namespace

std::int64_t evaluations(std::span<const BoundProcess> processes, std::size_t images,
                         const MeasureOptions& options) {
  const Questions questions(processes, options);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < images; ++i) total += std::ssize(questions.of(i));
  return total;
}

std::vector<BoundReport> measure_bounds(std::span<const BoundProcess> processes,
                                        const Schedule& whole, Denoiser& denoiser,
                                        const TestImages& images, const MeasureOptions& options,
                                        const MeasureObserver& observer, const Reader::Sink& also) {
  check(processes, images, options);
  std::vector<Meter> meters;
  for (const BoundProcess& process : processes) meters.emplace_back(process, images.count);
  const Questions questions(processes, options);
  std::int64_t done = 0;
  const std::int64_t total = observer ? evaluations(processes, images.count, options) : 0;
  std::deque<double> weights;  // of the readings to come
  Reader reader(denoiser, whole, images, options.seed, [&](const Reading& r) {
    for (Meter& meter : meters) meter.add(r, weights.front());
    weights.pop_front();
    if (also) also(r);
    if (++done % denoiser.max_batch() != 0 || !observer) return;
    observer(done, total, r.image > 0 ? meters.front().so_far(r.image) : NAN);
  });
  for (std::size_t i = 0; i < images.count; ++i) {
    for (const auto& [t, weight] : questions.of(i)) {
      weights.push_back(weight);
      reader.ask(i, t);
    }
  }
  reader.finish();
  std::vector<BoundReport> reports;
  for (Meter& meter : meters) reports.push_back(std::move(meter).report());
  return reports;
}

}  // namespace ddpm
