// x0 as a model's network sees it: what every coder of this room asks.
#pragma once

#include <span>
#include <vector>

#include "ddpm/codec/container.h"
#include "ddpm/codec/tables.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

/// What coding needs of a model; `shape` is an item's.
struct CodecModel {
  Schedule schedule = Schedule::linear();
  ModelView view;
  CodecTables tables;
  Fingerprint fingerprint;
  Shape shape;
};

/// The network's x_0, and how often it was asked.
class Predictor {
 public:
  /// Both must outlive it; the denoiser computes with kCodecNumerics. Throws Error when the
  /// network's shape is not the model's (usage), or when an item has more than kMaxStepSize numbers
  /// (bad_input).
  Predictor(const CodecModel& model, Denoiser& denoiser);

  /// x0 = the network's reading of x_t, held in [-1, 1], each rounded once to float; v: its
  /// variance channels, where it has them and `v` is not empty. x, x0, v: any number of items.
  /// Throws Error (numeric) for what is not finite.
  void x0(int t, std::span<const float> x, std::span<float> x0, std::span<float> v = {});

  const CodecModel& model() const { return model_; }
  Denoiser& denoiser() { return denoiser_; }
  /// Items that the network was called for.
  std::int64_t calls() const { return calls_; }

 private:
  const CodecModel& model_;
  Denoiser& denoiser_;
  std::vector<float> out_;
  std::int64_t calls_ = 0;
};

}  // namespace ddpm
