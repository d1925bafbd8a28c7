#include "ddpm/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

class ThreadPoolOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, testing::Values(1, 2, 3, 4));

TEST_P(ThreadPoolOf, RunsEveryTaskOnceInEveryGeneration) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (int generation = 0; generation < 2000; ++generation) {
    const int tasks = generation % 23;  // none, one, fewer than threads, more
    std::vector<std::atomic<int>> runs(tasks);
    pool.run(tasks, [&](int task, int) { ++runs[task]; });
    for (int task = 0; task < tasks; ++task) {
      ASSERT_EQ(runs[task], 1) << "task " << task << " of generation " << generation;
    }
  }
}

// run() publishes what its tasks wrote: no atomics here, so TSan would see a missing barrier.
TEST_P(ThreadPoolOf, ResultsAreVisibleWhenRunReturns) {
  ThreadPool pool(GetParam());
  std::vector<int> values(64, 0);
  for (int generation = 1; generation <= 500; ++generation) {
    pool.run(64, [&](int task, int) { values[task] += task; });
    for (int task = 0; task < 64; ++task) ASSERT_EQ(values[task], generation * task);
  }
}

// A worker's number lets it own scratch memory, so no two threads may hold one number at a time.
TEST_P(ThreadPoolOf, WorkerNumbersAreInRangeAndNeverShared) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> inside(GetParam());
  std::atomic<bool> good{true};
  for (int generation = 0; generation < 200; ++generation) {
    pool.run(16, [&](int, int worker) {
      if (worker < 0 || worker >= GetParam()) {
        good = false;
        return;
      }
      if (inside[worker].fetch_add(1) != 0) good = false;
      inside[worker].fetch_sub(1);
    });
  }
  EXPECT_TRUE(good);
}

TEST_P(ThreadPoolOf, WorkersThatFellAsleepWakeUp) {
  ThreadPool pool(GetParam());
  for (int generation = 0; generation < 5; ++generation) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // far beyond the spinning
    std::atomic<int> sum{0};
    pool.run(8, [&](int task, int) { sum += task; });
    EXPECT_EQ(sum, 28);
  }
}

TEST_P(ThreadPoolOf, EndsWithoutHavingRun) { ThreadPool pool(GetParam()); }

// The first task to start waits for a second one, which only another thread can run; that one then
// takes its time.
TEST(ThreadPool, TasksRunAtTheSameTimeAndRunWaitsForTheSlowest) {
  ThreadPool pool(2);
  std::atomic<int> started{0}, finished{0};
  std::atomic<bool> together{false};
  pool.run(2, [&](int, int worker) {
    ++started;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (started < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    if (started == 2) together = true;
    if (worker != 0) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++finished;
  });
  EXPECT_EQ(finished, 2);
  EXPECT_TRUE(together);
}

TEST(ThreadPool, RefusesImpossibleCounts) {
  EXPECT_THROW(ThreadPool(0), Error);
  EXPECT_THROW(ThreadPool(-1), Error);
  EXPECT_THROW(ThreadPool(100'000), Error);
  EXPECT_GE(ThreadPool::default_threads(), 1);
}

}  // namespace
}  // namespace ddpm
