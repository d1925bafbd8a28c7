// What the rows of group norm share: how channels are cut into tasks, and the statistics.
#pragma once

#include <string>

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {

/// One group norm's geometry: work is cut into chunks of channels that hold whole groups and whole
/// vectors, and whose pixels stay in the second-level cache while a task visits them several times.
/// No value depends on the cut.
struct NormGroups {
  NormGroups(const View& x, int groups, int threads);

  int width_of(int first) const;  // floats of the chunk that begins at channel `first`
  int first_group(int first) const { return first / size; }
  int last_group(int first) const;  // one past it

  int count, size;  // groups, channels of a group
  int channels, width, pixels, chunk, chunks;
};

/// Shares the chunks of all images out: body(image, first channel, the worker's memory).
template <class Body>
void for_chunks(ThreadPool& pool, int images, const NormGroups& g, Workspace& workspace,
                const Body& body) {
  pool.run(images * g.chunks, [&](int task, int worker) {
    body(task / g.chunks, task % g.chunks * g.chunk, workspace.of(worker));
  });
}

/// Mean and 1 / sqrt(variance + epsilon) of the chunk's groups of one image, in two passes: the
/// mean, then the mean square distance from it. A group's sums run over its channels in order, a
/// channel's over the pixels in fixed blocks. scratch: 3 floats a channel of the chunk.
void norm_stats(const View& x, const NormGroups& g, double epsilon, int image, int first,
                float* stats, float* scratch);

/// The parameters of one norm, padded with zeros to whole vectors.
struct NormParams {
  NormParams(const std::string& param, const NormGroups& g);
  void pack(const Params& params);

  std::string weight_name, bias_name;
  std::vector<float> weight, bias;
};

/// Weight and bias of a chunk's channels for one image, padding included.
struct ChannelAffine {
  const float* weight;
  const float* bias;
};

/// The parameters' own; or, where the image has a modulation (scales s, then shifts t, of all
/// channels), weight (1 + s) and bias (1 + s) + t, which are written to `memory`: 2 floats a
/// channel of the chunk.
ChannelAffine channel_affine(const NormGroups& g, const NormParams& params, const float* modulation,
                             int first, float* memory);

/// For the channels of a chunk of one image, padding included: shift = mean, gain = rstd * weight.
/// `weight`: of the chunk's first channel on.
void norm_coefficients(const NormGroups& g, const float* stats, const float* weight, int first,
                       float* shift, float* gain);

std::unique_ptr<RowOp> make_norm_gradient_row(const RowContext& c);  // normalize_*

}  // namespace ddpm::cpu
