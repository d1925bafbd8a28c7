// What a network is told beside x: a time and, where it has classes, a label for each image.
#pragma once

#include <span>
#include <vector>

#include "ddpm/net/graph.h"

namespace ddpm::cpu {

/// The times and labels of a batch, checked against a graph and kept.
class Conditions {
 public:
  Conditions(const Graph& graph, int max_images);

  /// label: as Denoiser::predict's. Throws Error (usage) for a class or a time that the graph's
  /// tables do not have. Allocates nothing for up to max_images times.
  void set(std::span<const double> time, std::span<const int> label);

  int images() const { return static_cast<int>(time_.size()); }
  std::span<const double> time() const { return time_; }
  /// One an image, kNoLabel where the null row is meant; empty when the graph has no classes.
  std::span<const int> label() const { return label_; }

 private:
  void check_label(int label) const;
  void check_time(double time) const;

  bool has_labels_ = false, has_null_ = false;
  int classes_ = 0;  // labels are below it; 0 = any that is not negative
  int times_ = 0;    // times are whole and below it; 0 = any
  std::vector<double> time_;
  std::vector<int> label_;
};

}  // namespace ddpm::cpu
