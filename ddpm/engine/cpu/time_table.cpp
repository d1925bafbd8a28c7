#include "ddpm/engine/cpu/time_table.h"

#include <algorithm>
#include <bit>

namespace ddpm::cpu {

TimeTable::TimeTable(Program& program, TimeRows rows, int capacity)
    : program_(program),
      rows_(std::move(rows)),
      capacity_(std::max(capacity, program.max_images())),
      keys_(capacity_),
      last_batch_(capacity_) {
  for (const Value v : rows_.values) {
    views_.push_back(program_.view(v));
    entry_floats_ += views_.back().image_size();
  }
  entries_.reset(new float[capacity_ * entry_floats_]);  // not make_unique: it would touch them
  missing_.reserve(program_.max_images());
  missing_time_.reserve(program_.max_images());
  missing_label_.reserve(program_.max_images());
}

void TimeTable::write(std::span<const double> time, std::span<const int> label) {
  if (views_.empty()) return;
  ++batch_;
  missing_.clear();
  missing_time_.clear();
  missing_label_.clear();
  const auto key_of = [&](std::size_t n) {
    return Key{std::bit_cast<std::uint64_t>(time[n]), label.empty() ? 0 : label[n]};
  };
  for (std::size_t n = 0; n < time.size(); ++n) {
    const int i = find(key_of(n));
    if (i >= 0) {
      last_batch_[i] = batch_;
    } else {
      add_missing(key_of(n), time[n], !label.empty());
    }
  }
  compute_missing();
  for (std::size_t n = 0; n < time.size(); ++n) {
    const float* from = entry(find(key_of(n)));
    for (const View& view : views_) {
      std::copy_n(from, view.image_size(), view.image(static_cast<int>(n)));
      from += view.image_size();
    }
  }
}

void TimeTable::add_missing(const Key& key, double time, bool labelled) {
  if (std::find(missing_.begin(), missing_.end(), key) != missing_.end()) return;
  missing_.push_back(key);
  missing_time_.push_back(time);
  if (labelled) missing_label_.push_back(key.label);
}

// The rows' memory is free for other values between runs, so every value is kept here.
void TimeTable::compute_missing() {
  if (missing_.empty()) return;
  const int images = static_cast<int>(missing_.size());
  program_.run(0, rows_.steps, {.images = images, .time = missing_time_, .label = missing_label_});
  for (int n = 0; n < images; ++n) {
    const int i = free_entry();
    keys_[i] = missing_[n];
    last_batch_[i] = batch_;
    float* to = entry(i);
    for (const View& view : views_) to = std::copy_n(view.image(n), view.image_size(), to);
  }
}

int TimeTable::find(const Key& key) const {
  const auto end = keys_.begin() + used_;
  const auto found = std::find(keys_.begin(), end, key);
  return found == end ? -1 : static_cast<int>(found - keys_.begin());
}

// Entries of this batch are never given up: there is room for all of them.
int TimeTable::free_entry() {
  if (used_ < capacity_) return used_++;
  const auto oldest = std::min_element(last_batch_.begin(), last_batch_.end());
  return static_cast<int>(oldest - last_batch_.begin());
}

}  // namespace ddpm::cpu
