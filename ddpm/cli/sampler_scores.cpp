#include "ddpm/cli/sampler_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "ddpm/cli/output.h"
#include "ddpm/image/plot.h"

namespace ddpm::cli {
namespace {

using Value = std::function<double(const SamplerScore&)>;

std::vector<std::string> samplers_of(const std::vector<SamplerScore>& rows) {
  std::vector<std::string> names;
  for (const SamplerScore& row : rows) {
    if (std::ranges::find(names, row.sampler) == names.end()) names.push_back(row.sampler);
  }
  return names;
}

// A bar that reaches 0 has no place on a logarithmic axis.
double bar_of(const SamplerScore& row, double value) {
  const double error = row.standard_error.value_or(0);
  return error < value ? error : 0;
}

Image plot_of(const std::vector<SamplerScore>& rows, Plot plot, const Value& value, bool bars) {
  plot.x = {.label = "calls of the network an image (log scale)", .log = true};
  plot.y.log = std::ranges::all_of(rows, [&](const SamplerScore& row) { return value(row) > 0; });
  if (plot.y.log) plot.y.label += ", log scale";
  for (const std::string& sampler : samplers_of(rows)) {
    // Colours repeat: lines of the second turn are thin.
    Series series{.label = sampler,
                  .mark = Mark::line_and_dots,
                  .width = plot.series.size() < kPlotColours ? 2.0 : 0.8};
    for (const SamplerScore& row : rows) {
      if (row.sampler != sampler) continue;
      series.x.push_back(row.calls);
      series.y.push_back(value(row));
      if (bars) series.error.push_back(bar_of(row, series.y.back()));
    }
    plot.series.push_back(std::move(series));
  }
  return draw_plot(plot);
}

std::string score_form(const SamplerScore& row) {
  if (!row.distance) return "";
  const std::string error =
      row.standard_error ? fmt::format(" +- {:.2g}", *row.standard_error) : "";
  return fmt::format("{:.6g}{}", *row.distance, error);
}

}  // namespace

std::string sampler_line(const SamplerScore& row, const SamplerStudy& study) {
  const std::string line =
      fmt::format("{}: {}, {:.3g} s an image", row.plan, counted(row.calls, "call"), row.seconds);
  return row.distance ? fmt::format("{}, {} {}", line, study.score, score_form(row)) : line;
}

void print_sampler_table(const std::vector<SamplerScore>& rows, const SamplerStudy& study) {
  std::size_t width = 4;
  for (const SamplerScore& row : rows) width = std::max(width, row.plan.size());
  const auto put_row = [&](const std::string& plan, const std::string& calls,
                           const std::string& seconds, const std::string& score) {
    const auto line = fmt::format("{:<{}} {:>6} {:>11}  {}", plan, width, calls, seconds, score);
    put_line("{}", line.substr(0, line.find_last_not_of(' ') + 1));
  };
  put_row("plan", "calls", "s an image", study.score);
  for (const SamplerScore& row : rows) {
    put_row(row.plan, fmt::format("{}", row.calls), fmt::format("{:.4g}", row.seconds),
            score_form(row));
  }
}

std::string sampler_csv(const std::vector<SamplerScore>& rows) {
  const auto number = [](std::optional<double> x) { return x ? fmt::format("{}", *x) : ""; };
  std::string text = "sampler,plan,calls,seconds_per_image,distance,distance_se\n";
  for (const SamplerScore& row : rows) {
    text += fmt::format("\"{}\",\"{}\",{},{},{},{}\n", row.sampler, row.plan, row.calls,
                        row.seconds, number(row.distance), number(row.standard_error));
  }
  return text;
}

Json sampler_json(const std::vector<SamplerScore>& rows) {
  const auto real = [](std::optional<double> x) { return x ? json_real(*x) : Json(); };
  std::vector<Json> items;
  for (const SamplerScore& row : rows) {
    items.push_back(json_object({{"sampler", json_string(row.sampler)},
                                 {"plan", json_string(row.plan)},
                                 {"calls", json_integer(row.calls)},
                                 {"seconds_per_image", json_real(row.seconds)},
                                 {"distance", real(row.distance)},
                                 {"distance_se", real(row.standard_error)}}));
  }
  return json_list(std::move(items));
}

Image sampler_picture(const std::vector<SamplerScore>& rows, const SamplerStudy& study) {
  const std::string subtitle =
      fmt::format("{}, {} images a plan, seed {}", study.model, study.count, study.seed);
  std::vector<Image> images;
  if (!study.score.empty()) {
    images.push_back(plot_of(
        rows,
        {.title = fmt::format("{} against {}", study.score, study.data),
         .subtitle = subtitle + ", bars: standard error",
         .y = {.label = study.score.substr(0, study.score.find(' ')) + " (lower is better)"}},
        [](const SamplerScore& row) { return row.distance.value_or(NAN); }, /*bars=*/true));
  }
  images.push_back(plot_of(
      rows,
      {.title = "Time to draw an image", .subtitle = subtitle, .y = {.label = "time (s an image)"}},
      [](const SamplerScore& row) { return row.seconds; }, /*bars=*/false));
  return image_grid(images, 1, 0);
}

}  // namespace ddpm::cli
