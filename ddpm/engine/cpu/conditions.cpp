#include "ddpm/engine/cpu/conditions.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/engine/engine.h"

namespace ddpm::cpu {

Conditions::Conditions(const Graph& graph, int max_images) {
  for (const Node& node : graph.nodes()) {
    if (node.op != Op::embedding && node.op != Op::time_embedding) continue;
    if (node.a.of_label) {
      has_labels_ = true;
      has_null_ = node.a.null_row != kNoValue;
      classes_ = node.a.rows - (has_null_ ? 1 : 0);
    } else if (node.op == Op::embedding) {
      times_ = node.a.rows;
    }
  }
  time_.reserve(max_images);
  label_.reserve(max_images);
}

void Conditions::set(std::span<const double> time, std::span<const int> label) {
  DDPM_CHECK(label.empty() || label.size() == time.size(), "{} labels of {} images", label.size(),
             time.size());
  for (const double t : time) check_time(t);
  for (const int l : label) check_label(l);
  if (label.empty()) check_label(kNoLabel);
  time_.assign(time.begin(), time.end());
  if (!has_labels_) return;
  label_.assign(time.size(), kNoLabel);
  std::ranges::copy(label, label_.begin());
}

void Conditions::check_label(int label) const {
  if (!has_labels_) {
    if (label == kNoLabel) return;
    throw Error("[engine] label: got class {}, expected none: the network has no classes", label);
  }
  if (label == kNoLabel && has_null_) return;
  if (label >= 0 && (classes_ == 0 || label < classes_)) return;
  if (label == kNoLabel) {
    throw Error(
        "[engine] label: got an image without a class, expected one: the network was trained "
        "without dropping labels");
  }
  if (classes_ == 0) {
    throw Error("[engine] label: got class {}, expected a number that is not negative", label);
  }
  throw Error("[engine] label: got class {}, expected 0..{}", label, classes_ - 1);
}

void Conditions::check_time(double time) const {
  if (times_ == 0 || (time >= 0 && time < times_ && time == std::floor(time))) return;
  throw Error(
      "[engine] time: got {}, expected whole numbers 0..{}: the network has a table of times; try "
      "a sampler that stays on them, such as ddim",
      time, times_ - 1);
}

}  // namespace ddpm::cpu
