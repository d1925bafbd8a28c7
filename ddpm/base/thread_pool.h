// A pool of workers that share the tasks of one loop at a time. Between loops they spin for a
// moment, then sleep.
#pragma once

#include <memory>
#include <type_traits>

namespace ddpm {

class ThreadPool {
 public:
  /// threads >= 1, the caller's own thread included; throws Error otherwise.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// Calls body(task, worker) for every task in [0, tasks), worker in [0, threads()), and returns
  /// when all are done. Which worker runs a task is left open, so results may not depend on it.
  /// `body` may not throw or call run().
  template <class Body>
  void run(int tasks, Body&& body) {
    using B = std::remove_reference_t<Body>;
    run(
        tasks, [](void* b, int task, int worker) { (*static_cast<B*>(b))(task, worker); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  /// The number of CPUs this process may use.
  static int default_threads();

 private:
  using Call = void (*)(void* body, int task,
                        int worker);  // no std::function: a loop may not allocate
  void run(int tasks, Call call, void* body);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ddpm
