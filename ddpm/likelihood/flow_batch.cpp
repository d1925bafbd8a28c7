#include "ddpm/likelihood/flow_batch.h"

#include <algorithm>
#include <thread>
#include <utility>

namespace ddpm {

void FlowBatch::fail(std::exception_ptr error) {
  const std::lock_guard lock(mutex_);
  if (!error_) error_ = std::move(error);
}

void FlowBatch::ask(FlowQuestion question) {
  std::unique_lock lock(mutex_);
  if (error_) throw Stopped();
  questions_.push_back(question);
  const std::uint64_t round = round_;
  asked_.notify_one();
  answered_.wait(lock, [&] { return round_ != round || error_; });
  if (error_) throw Stopped();
}

void FlowBatch::work(std::size_t count, const Task& task) {
  try {
    for (;;) {
      std::size_t image = 0;
      {
        const std::lock_guard lock(mutex_);
        if (error_ || next_ == count) break;
        image = next_++;
      }
      task(image, [this](FlowQuestion question) { ask(question); });
      const std::lock_guard lock(mutex_);
      ++finished_;
    }
  } catch (const Stopped&) {
  } catch (...) {
    fail(std::current_exception());
  }
  const std::lock_guard lock(mutex_);
  --active_;
  asked_.notify_one();
}

void FlowBatch::serve(const Answer& answer, const Done& done) {
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [&] { return questions_.size() == active_ || error_; });
    if (active_ == 0 || error_) return;
    // Tasks wait: the questions are ours alone, and the lock may go.
    const std::size_t finished = finished_;
    lock.unlock();
    answer(questions_);
    done(finished);
    lock.lock();
    questions_.clear();
    ++round_;
    answered_.notify_all();
  }
}

void FlowBatch::run(std::size_t count, std::size_t width, const Task& task, const Answer& answer,
                    const Done& done) {
  active_ = std::min(count, width);
  std::vector<std::thread> threads;
  const std::size_t started = active_;
  try {
    for (std::size_t i = 0; i < started; ++i) {
      threads.emplace_back([this, count, &task] { work(count, task); });
    }
    serve(answer, done);
  } catch (...) {
    fail(std::current_exception());
  }
  answered_.notify_all();
  for (std::thread& thread : threads) thread.join();
  if (error_) std::rethrow_exception(error_);
}

}  // namespace ddpm
