// Running a network allocates nothing: memory is planned when it is compiled.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/nets_for_test.h"

namespace {
std::atomic<long> allocations{0};

void* counted(std::size_t size) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size == 0 ? 1 : size);
}

void* counted_or_throw(std::size_t size) {
  if (void* p = counted(size)) return p;
  throw std::bad_alloc();
}

// Not inlined: the compiler would take the pair of new and free for a mistake.
[[gnu::noinline]] void give_back(void* p) noexcept { std::free(p); }
}  // namespace

// The whole test program counts. All forms but the aligned ones, which nothing here uses: under
// AddressSanitizer a form that is left alone would not fit the deletes.
void* operator new(std::size_t size) { return counted_or_throw(size); }
void* operator new[](std::size_t size) { return counted_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* p) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete(void* p, std::size_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { give_back(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give_back(p); }

namespace ddpm::cpu {
namespace {

template <class Body>
long allocations_of(const Body& body) {
  const long before = allocations;
  body();
  return allocations - before;
}

TEST(Allocations, AreCounted) {
  EXPECT_EQ(
      allocations_of([] { std::vector<float>(3).swap(*std::make_unique<std::vector<float>>()); }),
      2);
}

TEST(Allocations, PredictMakesNone) {
  for (const int threads : {1, 2}) {
    for (const Graph& g : small_unets()) {
      ThreadPool pool(threads);
      const auto denoiser = make_denoiser(g, random_params(g), 4, pool);
      const auto x = normals(4 * g.shape(0).size(), 1);
      std::vector<float> out(x.size());
      std::vector<double> time = {1, 2, 3, 4};
      EXPECT_EQ(allocations_of([&] {
                  for (int call = 0; call < 3; ++call) {
                    denoiser->predict(x, time, out);
                    for (double& t : time) t += 2;  // some new, some known
                  }
                }),
                0);
    }
  }
}

TEST(Allocations, ATrainingStepAfterTheFirstMakesNone) {
  for (const Recompute recompute : {Recompute::none, Recompute::blocks}) {
    for (const Graph& g : small_unets()) {
      ThreadPool pool(2);
      const auto learner = make_learner(g, random_params(g), 4, 2, pool, Profile::f32, recompute);
      const auto x = normals(4 * g.shape(0).size(), 1);
      const std::vector<double> time = {1, 2, 3, 4};
      const std::vector<std::uint64_t> sample = {1, 2, 3, 4};
      const std::vector<int> slices = {2, 2};
      const auto step = [&](int number) {
        for (int micro_batch = 0; micro_batch < 3; ++micro_batch) {
          learner->forward({.x = x, .time = time, .sample = sample, .slices = slices});
          learner->backward(x);
        }
        learner->update({.step = number});
      };
      step(1);
      EXPECT_EQ(allocations_of([&] { step(2); }), 0);
    }
  }
}

}  // namespace
}  // namespace ddpm::cpu
