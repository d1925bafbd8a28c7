#include "ddpm/base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// About 20-50 microseconds: longer than the gap between two rows of a network, shorter than a time
// slice.
constexpr int kSpins = 4000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

// One loop is one generation. Workers wait for the generation to change, draw tasks from `next`,
// and count themselves out in `busy`; the caller draws tasks too and returns when busy is 0.
struct ThreadPool::State {
  std::vector<std::thread> workers;
  Call call = nullptr;
  void* body = nullptr;
  int tasks = 0;
  std::atomic<int> next{0}, busy{0};
  std::atomic<unsigned> generation{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable wake, done;

  void draw_tasks(int worker) {
    for (int task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      call(body, task, worker);
    }
  }

  void wait_for_generation(unsigned seen) {
    for (int i = 0; i < kSpins; ++i) {
      if (generation.load(std::memory_order_acquire) != seen || stop.load()) return;
      pause();
    }
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return generation.load() != seen || stop.load(); });
  }

  void work(int worker) {
    for (unsigned seen = 0;;) {
      wait_for_generation(seen);
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      draw_tasks(worker);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        std::lock_guard lock(mutex);
        done.notify_one();
      }
    }
  }

  void wait_until_idle() {
    for (int i = 0; i < kSpins; ++i) {
      if (busy.load(std::memory_order_acquire) == 0) return;
      pause();
    }
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return busy.load(std::memory_order_acquire) == 0; });
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1 || threads > 1024) {
    throw Error("[base] threads: got {}, expected 1..1024; try --threads {}", threads,
                default_threads());
  }
  for (int i = 1; i < threads; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] { state->work(i); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stop = true;
    state_->wake.notify_all();
  }
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(int tasks, Call call, void* body) {
  if (tasks <= 0) return;
  if (tasks == 1 || threads() == 1) {
    for (int task = 0; task < tasks; ++task) call(body, task, 0);
    return;
  }
  State& s = *state_;
  s.call = call;
  s.body = body;
  s.tasks = tasks;
  s.next.store(0, std::memory_order_relaxed);
  s.busy.store(static_cast<int>(s.workers.size()), std::memory_order_relaxed);
  {
    std::lock_guard lock(s.mutex);
    s.generation.fetch_add(1, std::memory_order_release);
    s.wake.notify_all();
  }
  s.draw_tasks(0);
  s.wait_until_idle();
}

int ThreadPool::default_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace ddpm
