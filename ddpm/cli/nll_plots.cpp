#include <fmt/format.h>

#include "ddpm/cli/nll_output.h"
#include "ddpm/image/plot.h"

namespace ddpm::cli {
namespace {

std::string what(const NllSubject& subject, std::size_t images) {
  return fmt::format("{}, {} images, variance {}", subject.model, images, subject.variance);
}

}  // namespace

Image terms_picture(const NllSubject& subject, const BoundReport& report) {
  Series terms{.label = "L_{t-1}"};
  if (subject.estimate > 0) terms.mark = Mark::dots;
  for (const TermMean& term : report.terms) {
    terms.x.push_back(term.t);
    terms.y.push_back(term.bits_per_dim);
  }
  return draw_plot(
      {.title =
           fmt::format("Where the {:.2f} bits/dim of the bound come from", report.mean.total()),
       .subtitle = what(subject, report.images.size()),
       .x = {.label = "t, step of the forward process (t = 1: almost clean; log scale)",
             .log = true,
             .low = 1,
             .high = subject.T},
       .y = {.label = "term of the bound (bits/dim, log scale)", .log = true},
       .series = {terms}});
}

Image sweep_picture(const NllSubject& subject, const std::vector<BoundReport>& sweep) {
  Series total{.label = "bound", .mark = Mark::line_and_dots, .width = 2.5};
  Series rate{.label = "rate, L_{1}..L_{T}", .mark = Mark::line_and_dots};
  Series distortion{.label = "distortion, L_{0}", .mark = Mark::line_and_dots};
  for (const BoundReport& r : sweep) {
    for (Series* s : {&total, &rate, &distortion}) s->x.push_back(r.steps);
    total.y.push_back(r.mean.total());
    total.error.push_back(std::isfinite(r.standard_error) ? r.standard_error : 0);
    rate.y.push_back(r.mean.rate());
    distortion.y.push_back(r.mean.decoder);
  }
  return draw_plot(
      {.title = "Why T must be large: the bound of fewer, longer steps",
       .subtitle = what(subject, sweep.front().images.size()),
       .x = {.label = "steps that the process is re-spaced to (log scale)", .log = true},
       .y = {.label = "bits/dim", .low = 0},
       .series = {total, rate, distortion}});
}

}  // namespace ddpm::cli
