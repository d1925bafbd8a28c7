#include "ddpm/cli/sample_trace.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMostFrames = 100;
constexpr std::int64_t kMostPixels = std::int64_t{32} << 20;  // of all frames
constexpr std::chrono::milliseconds kDelay{50}, kLastDelay{2000};

fs::path made(const fs::path& folder) {
  make_folders(folder);
  return folder;
}

std::vector<std::int64_t> array_shape(std::size_t rows, const SampleTraceSpec& spec) {
  return {static_cast<std::int64_t>(rows), std::ssize(spec.images), spec.shape.c, spec.shape.h,
          spec.shape.w};
}

// Rows -1 .. rows - 1, evenly, the last included.
std::vector<int> rows_with_frames(std::size_t rows, const SampleTraceSpec& spec) {
  const std::int64_t pixels = std::ssize(spec.images) * 2 * spec.shape.pixels();
  const std::int64_t most = std::clamp(kMostPixels / pixels, std::int64_t{2}, kMostFrames);
  const std::int64_t all = static_cast<std::int64_t>(rows) + 1, count = std::min(all, most);
  std::vector<int> chosen;
  for (std::int64_t i = 1; i <= count; ++i) chosen.push_back(static_cast<int>(i * all / count) - 2);
  chosen.front() = -1;
  return chosen;
}

// What the network is fed is c_in x: x_t of the paper, also where the sampler's state is x_t over
// the signal.
double scale_after(const Plan& plan, int row) {
  const auto calls = [](const Row& r) { return r.time.has_value(); };
  const auto next = std::find_if(plan.begin() + row + 1, plan.end(), calls);
  return next == plan.end() ? 1 : next->c_in;
}

Json times_of(const Plan& plan) {
  std::vector<Json> times;
  for (const Row& row : plan) times.push_back(row.time ? json_real(*row.time) : Json{});
  return json_list(std::move(times));
}

}  // namespace

SampleTrace::SampleTrace(SampleTraceSpec spec, const Plan& plan)
    : spec_(std::move(spec)),
      plan_(plan),
      x_(made(spec_.folder) / "x.npy", array_shape(plan.size() + 1, spec_)),
      x0_(spec_.folder / "x0.npy", array_shape(plan.size(), spec_)),
      frame_rows_(rows_with_frames(plan.size(), spec_)) {}

SampleTrace::Part SampleTrace::part(std::span<const float> batch, std::uint64_t image) const {
  const std::size_t size = spec_.shape.size();
  return batch.subspan((image - spec_.first) * size, size);
}

void SampleTrace::start(std::span<const float> noise) {
  std::vector<float> x(noise.begin(), noise.end());
  for (float& value : x) value = static_cast<float>(plan_.initial_scale * value);
  for (const std::uint64_t image : spec_.images) x_.append(part(x, image));
  add_frame(-1, x, std::vector<float>(x.size(), 0.0f));
}

void SampleTrace::add(int row, std::span<const float> x, std::span<const float> x0) {
  for (const std::uint64_t image : spec_.images) {
    x_.append(part(x, image));
    x0_.append(part(x0, image));
  }
  if (std::ranges::binary_search(frame_rows_, row)) add_frame(row, x, x0);
}

void SampleTrace::add_frame(int row, Part x, Part x0) {
  const double scale = scale_after(plan_, row);
  std::vector<Image> cells;
  for (const std::uint64_t image : spec_.images) {
    const Part state = part(x, image);
    std::vector<float> shown(state.begin(), state.end());
    for (float& value : shown) value = static_cast<float>(scale * value);
    cells.push_back(image_from_floats(shown, spec_.shape));
  }
  for (const std::uint64_t image : spec_.images) {
    cells.push_back(image_from_floats(part(x0, image), spec_.shape));
  }
  frames_.push_back({image_grid(cells, static_cast<int>(spec_.images.size())), kDelay});
}

void SampleTrace::finish() {
  x_.finish();
  x0_.finish();
  frames_.back().delay = kLastDelay;
  write_file_atomic(spec_.folder / "trace.png", encode_apng(frames_, spec_.text));
  std::vector<Json> images;
  for (const std::uint64_t image : spec_.images) {
    images.push_back(json_integer(static_cast<std::int64_t>(image)));
  }
  write_file_atomic(spec_.folder / "trace.json",
                    write_json(json_object({{"schema", json_string("ddpm.trace/1")},
                                            {"images", json_list(std::move(images))},
                                            {"times", times_of(plan_)}})));
}

}  // namespace ddpm::cli
