#include "ddpm/base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// About 20-50 microseconds: longer than the gap between two rows of a network, shorter than a time
// slice.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Returns when `value` is no longer `old`: spins for a moment, then sleeps.
template <class T>
void wait_for_change(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::State {
  // A worker's share of a loop: neighbouring tasks, so that it meets the same images in loop after
  // loop, whose values its caches hold. It begins with its own share and then helps with the
  // others.
  //
  // One loop is one generation. `ticket` holds the generation and how many of the share's tasks are
  // still to be drawn, so that a worker that wakes up late finds nothing to draw and the caller
  // need not wait for it: a loop ends when its tasks are done, not when every worker has looked.
  // Who has drawn a ticket may read call, body and tasks until it counts its task as done.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> ticket{0};

    void open(unsigned generation, int count) {
      ticket.store(std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(count),
                   std::memory_order_release);
    }

    // Draws one of the generation's tasks: the number left before it, or 0 when there is none.
    std::uint32_t draw(unsigned generation) {
      std::uint64_t t = ticket.load(std::memory_order_acquire);
      do {
        if (t >> 32 != generation || static_cast<std::uint32_t>(t) == 0) return 0;
      } while (!ticket.compare_exchange_weak(t, t - 1, std::memory_order_acq_rel,
                                             std::memory_order_acquire));
      return static_cast<std::uint32_t>(t);
    }
  };

  explicit State(int threads) : shares(threads) {}

  std::vector<std::thread> workers;
  std::vector<Share> shares;  // [threads]
  Call call = nullptr;
  void* body = nullptr;
  int tasks = 0;
  std::atomic<int> done{0};
  std::atomic<unsigned> generation{0};
  std::atomic<bool> stop{false};

  int threads() const { return static_cast<int>(shares.size()); }
  // The first task of a worker's share; of threads(), where the last share ends.
  int first_task(int count, int worker) const {
    return static_cast<int>(std::int64_t{count} * worker / threads());
  }

  void draw_all(unsigned of_generation, int worker) {
    for (int i = 0; i < threads(); ++i) {
      const int owner = (worker + i) % threads();
      while (const std::uint32_t left = shares[owner].draw(of_generation)) {
        const int total = tasks;
        call(body, first_task(total, owner + 1) - static_cast<int>(left), worker);
        if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == total) done.notify_one();
      }
    }
  }

  void work(int worker) {
    for (unsigned seen = 0; !stop.load();) {
      wait_for_change(generation, seen);
      seen = generation.load(std::memory_order_acquire);
      draw_all(seen, worker);
    }
  }

  unsigned publish(int count) {
    const unsigned next = generation.load(std::memory_order_relaxed) + 1;
    for (int w = 0; w < threads(); ++w) {
      shares[w].open(next, first_task(count, w + 1) - first_task(count, w));
    }
    generation.store(next, std::memory_order_release);
    generation.notify_all();
    return next;
  }
};

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > 1024) {
    throw Error("[base] threads: got {}, expected 1..1024; try --threads {}", threads,
                default_threads());
  }
  state_ = std::make_unique<State>(threads);
  for (int i = 1; i < threads; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] { state->work(i); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop = true;
  state_->publish(0);
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return state_->threads(); }

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
  s.done.store(0, std::memory_order_relaxed);
  s.draw_all(s.publish(tasks), 0);
  for (int done; (done = s.done.load(std::memory_order_acquire)) != tasks;) {
    wait_for_change(s.done, done);
  }
}

int ThreadPool::default_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace ddpm
