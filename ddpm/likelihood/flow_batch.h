// Many integrations at a time, one thread each, whose questions a network answers in one batch.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace ddpm {

/// A question: eps and v^T d eps / d x at (t, x) of a flow. The spans are the asker's.
struct FlowQuestion {
  std::size_t image;
  double t;
  std::span<const double> x, v;
  std::span<double> eps, vjp;
};

/// Runs a task for each of `count` images, at most `width` at a time. A task asks through the
/// function that it is given, which returns when its question is answered; `answer` is called on
/// the caller's thread with the questions of all tasks under way, and `done` after it with the
/// number of finished images. What a task does may depend on its own answers alone. The first
/// exception of any part ends all of them and is thrown again.
class FlowBatch {
 public:
  using Ask = std::function<void(FlowQuestion)>;
  using Task = std::function<void(std::size_t image, const Ask& ask)>;
  using Answer = std::function<void(std::span<const FlowQuestion>)>;
  using Done = std::function<void(std::size_t finished)>;

  void run(std::size_t count, std::size_t width, const Task& task, const Answer& answer,
           const Done& done);

 private:
  struct Stopped {};  // thrown into tasks when another failed

  void work(std::size_t count, const Task& task);
  void ask(FlowQuestion question);
  void serve(const Answer& answer, const Done& done);
  void fail(std::exception_ptr error);

  std::mutex mutex_;
  std::condition_variable asked_, answered_;
  std::vector<FlowQuestion> questions_;
  std::size_t next_ = 0, finished_ = 0, active_ = 0;
  std::uint64_t round_ = 0;
  std::exception_ptr error_;
};

}  // namespace ddpm
