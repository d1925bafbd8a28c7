#include "ddpm/cli/sample_draw.h"

#include <algorithm>
#include <chrono>

#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"

namespace ddpm::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCommitPeriod{2};  // what a killed process loses, at most

std::int64_t batches_of(std::int64_t images) { return (images + kMaxBatch - 1) / kMaxBatch; }

class Drawing {
 public:
  Drawing(const SampleJob& job, SampleOutput& output)
      : job_(job),
        output_(output),
        begun_(output.done()),
        done_(begun_),
        rows_(std::ssize(job.plan)),
        progress_("sample", batches_of(job.count - begun_) * rows_) {}

  void run() {
    for (; done_ < job_.count; ++batch_) {
      const auto n = std::min<std::int64_t>(kMaxBatch, job_.count - done_);
      draw_batch(static_cast<std::size_t>(n));
      done_ += n;
      commit_when_due();
    }
    progress_.finish();
  }

 private:
  void draw_batch(std::size_t n) {
    const std::uint64_t first = job_.first + static_cast<std::uint64_t>(done_);
    SampleTrace* const trace = done_ == 0 ? job_.trace : nullptr;
    std::vector<float> x(n * job_.denoiser.shape().size());
    start_noise(job_.seed, first, job_.denoiser.shape(), x);
    if (trace) trace->start(x);
    std::vector<int> labels;
    for (std::size_t i = 0; i < n && !job_.labels.empty(); ++i) {
      labels.push_back(*label_of(job_.labels, first + i));
    }
    int calls = 0;
    const RowObserver watch_row = [&](int row, std::span<const float> now,
                                      std::span<const float> x0) {
      if (trace) trace->add(row, now, x0);
      const bool called = job_.plan[row].time.has_value();
      if (called && job_.preview > 0 && ++calls % job_.preview == 0) preview(x0, first);
      show(row, n);
      watch_.check();
      return true;
    };
    run_plan(job_.plan, job_.denoiser, x, philox_noise(job_.seed, first), watch_row, labels);
    if (trace) trace->finish();
    output_.add(x);
  }

  void show(int row, std::size_t n) {
    const double part = static_cast<double>(row + 1) / static_cast<double>(rows_);
    const double drawn = static_cast<double>(done_ - begun_) + part * static_cast<double>(n);
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    progress_.update(
        batch_ * rows_ + row + 1,
        fmt::format("image {}/{}, {:.3g} images/s", done_ + static_cast<std::int64_t>(n),
                    job_.count, drawn / std::max(seconds, 1e-9)));
  }

  void preview(std::span<const float> x0, std::uint64_t first) {
    const std::vector<Image> images = images_from_floats(x0, job_.denoiser.shape());
    progress_.picture(preview_for_stderr(grid_of_samples(images, first, job_.labels)));
  }

  void commit_when_due() {
    if (done_ == job_.count) return;
    if (batch_ > 0 && Clock::now() - committed_ < kCommitPeriod) return;
    output_.commit();
    committed_ = Clock::now();
  }

  const SampleJob& job_;
  SampleOutput& output_;
  SignalWatch watch_;
  const std::int64_t begun_;  // images that were there
  std::int64_t done_;
  const std::int64_t rows_;
  std::int64_t batch_ = 0;
  Progress progress_;
  Clock::time_point start_ = Clock::now(), committed_ = start_;
};

}  // namespace

void draw_samples(const SampleJob& job, SampleOutput& output) {
  if (output.done() > 0) {
    print_note(fmt::format("{} of {} images are there; going on{}", output.done(), job.count,
                           job.trace ? ", without a trace: the first batch is drawn" : ""));
  }
  try {
    Drawing(job, output).run();
  } catch (const Interrupted&) {
    if (output.done() > 0) {
      output.commit();
      print_note(fmt::format("{} of {} images are kept; the same command goes on", output.done(),
                             job.count));
    }
    throw;
  }
}

}  // namespace ddpm::cli
