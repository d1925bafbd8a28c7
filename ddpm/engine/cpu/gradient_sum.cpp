#include "ddpm/engine/cpu/gradient_sum.h"

#include <algorithm>

namespace ddpm::cpu {
namespace {

void add_into(std::span<float> to, std::span<const float> from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

}  // namespace

std::unique_ptr<Params> GradientSum::take() {
  if (free_.empty()) return std::make_unique<Params>(specs_);
  auto params = std::move(free_.back());
  free_.pop_back();
  return params;
}

void GradientSum::add(std::unique_ptr<Params> gradient) {
  partials_.push_back({1, std::move(gradient)});
  while (partials_.size() > 1 &&
         partials_[partials_.size() - 2].slices == partials_.back().slices) {
    merge_newest();
  }
}

std::unique_ptr<Params> GradientSum::finish() {
  if (partials_.empty()) return nullptr;
  while (partials_.size() > 1) merge_newest();
  auto sum = std::move(partials_.back().sum);
  partials_.clear();
  return sum;
}

Params GradientSum::peek() const {
  Params sum(specs_);
  for (auto p = partials_.rbegin(); p != partials_.rend(); ++p) {
    Params next = *p->sum;
    if (p != partials_.rbegin()) add_into(next.all(), sum.all());
    sum = std::move(next);
  }
  return sum;
}

void GradientSum::merge_newest() {
  Partial newest = std::move(partials_.back());
  partials_.pop_back();
  Partial& older = partials_.back();
  constexpr std::size_t kChunk = 65'536;
  const std::size_t total = older.sum->all().size();
  pool_.run(static_cast<int>((total + kChunk - 1) / kChunk), [&](int task, int) {
    const std::size_t first = task * kChunk, n = std::min(kChunk, total - first);
    add_into(older.sum->all().subspan(first, n), newest.sum->all().subspan(first, n));
  });
  older.slices += newest.slices;
  free_.push_back(std::move(newest.sum));
}

}  // namespace ddpm::cpu
