#include "ddpm/cli/nll_output.h"

#include <cmath>

#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

using Members = std::map<std::string, Json>;

Json real_or_null(double value) { return std::isfinite(value) ? json_real(value) : Json(); }

void print_subject(const NllSubject& subject, std::size_t images) {
  put_line("model         {}, T = {}", subject.model, subject.T);
  put_line("data          {}", subject.data);
  put_line("images        {} of {}", images, subject.data_size);
}

Members common(const NllSubject& subject, const std::string& method, std::size_t images) {
  return {{"method", json_string(method)},
          {"model", json_string(subject.model)},
          {"data", json_string(subject.data)},
          {"n_images", json_integer(static_cast<std::int64_t>(images))},
          {"seed", json_string(fmt::format("{}", subject.seed))}};
}

void add_bound(Members& out, const BoundReport& r) {
  out["steps"] = json_integer(r.steps);
  out["bits_per_dim"] = json_real(r.mean.total());
  out["standard_error"] = real_or_null(r.standard_error);
  out["prior_bits_per_dim"] = json_real(r.mean.prior);
  out["decoder_bits_per_dim"] = json_real(r.mean.decoder);
  out["rate_bits_per_dim"] = json_real(r.mean.rate());
}

Json terms_json(const BoundReport& report) {
  std::vector<Json> terms;
  for (const TermMean& term : report.terms) {
    terms.push_back(json_object({{"t", json_integer(term.t)},
                                 {"bits_per_dim", json_real(term.bits_per_dim)},
                                 {"x0_mse", json_real(term.x0_mse)},
                                 {"eps_mse", json_real(term.eps_mse)},
                                 {"n_images", json_integer(term.images)}}));
  }
  return json_list(std::move(terms));
}

}  // namespace

std::string with_error(double value, double error) {
  if (!std::isfinite(error)) return fmt::format("{:.4f}", value);
  return fmt::format("{:.4f} +- {:.4f}", value, error);
}

void print_bound(const NllSubject& subject, const BoundReport& r) {
  print_subject(subject, r.images.size());
  const std::string process =
      r.steps < subject.T ? fmt::format("re-spaced to {} steps", r.steps) : std::string("whole");
  put_line("bound         {}, variance {}, decoder {}{}", process, subject.variance,
           subject.decoder,
           subject.estimate > 0
               ? fmt::format(", estimated from at most {} terms an image", subject.estimate)
               : "");
  put_line("bits/dim      {}", with_error(r.mean.total(), r.standard_error));
  put_line("  L_T         {:.3g}  (prior)", r.mean.prior);
  put_line("  sum L_t     {:.4f}  (t = 1..{})", r.mean.between, r.steps - 1);
  put_line("  L_0         {:.4f}  (decoder)", r.mean.decoder);
  put_line("rate          {:.4f}  (L_T + sum L_t: to send x_1)", r.mean.rate());
  put_line("distortion    {:.4f}  (L_0: to send x_0 then)", r.mean.decoder);
}

void print_bound_json(const NllSubject& subject, const BoundReport& report,
                      const std::vector<BoundReport>& sweep, const std::string& fitted_schedule) {
  Members out = common(subject, subject.estimate > 0 ? "estimate" : "bound", report.images.size());
  add_bound(out, report);
  out["terms"] = terms_json(report);
  out["variance"] = json_string(subject.variance);
  out["decoder"] = json_string(subject.decoder);
  if (subject.estimate > 0) out["estimate_terms"] = json_integer(subject.estimate);
  std::vector<Json> rows;
  for (const BoundReport& one : sweep) {
    Members row;
    add_bound(row, one);
    rows.push_back(json_object(std::move(row)));
  }
  if (!sweep.empty()) out["sweep"] = json_list(std::move(rows));
  if (!fitted_schedule.empty()) out["fitted_schedule"] = json_string(fitted_schedule);
  print_json("ddpm.nll/1", std::move(out));
}

void print_sweep(const std::vector<BoundReport>& sweep) {
  put_line("{:>6}  {:>18}  {:>8}  {:>10}  {:>8}", "steps", "bits/dim", "rate", "distortion", "L_T");
  for (const BoundReport& r : sweep) {
    put_line("{:>6}  {:>18}  {:>8.4f}  {:>10.4f}  {:>8.2g}", r.steps,
             with_error(r.mean.total(), r.standard_error), r.mean.rate(), r.mean.decoder,
             r.mean.prior);
  }
}

void print_flow(const NllSubject& subject, const FlowReport& r) {
  print_subject(subject, r.images.size());
  put_line("flow          {}, {} evaluations an image",
           r.exact_trace ? "exact trace" : "trace by Hutchinson's estimate",
           r.evaluations / std::ssize(r.images));
  put_line("bits/dim      {}", with_error(r.bits_per_dim.mean, r.bits_per_dim.standard_error));
}

void print_flow_json(const NllSubject& subject, const FlowReport& r) {
  Members out = common(subject, "ode", r.images.size());
  out["bits_per_dim"] = json_real(r.bits_per_dim.mean);
  out["standard_error"] = real_or_null(r.bits_per_dim.standard_error);
  out["trace"] = json_string(r.exact_trace ? "exact" : "hutchinson");
  out["evaluations"] = json_integer(r.evaluations);
  print_json("ddpm.nll/1", std::move(out));
}

std::string bound_csv(const BoundReport& report) {
  std::string text =
      "image,bits_per_dim,prior_bits_per_dim,between_bits_per_dim,decoder_bits_per_dim\n";
  for (std::size_t i = 0; i < report.images.size(); ++i) {
    const ImageBound& b = report.images[i];
    text += fmt::format("{},{},{},{},{}\n", i, b.total(), b.prior, b.between, b.decoder);
  }
  return text;
}

std::string flow_csv(const FlowReport& report) {
  std::string text = "image,bits_per_dim,evaluations\n";
  for (std::size_t i = 0; i < report.images.size(); ++i) {
    text +=
        fmt::format("{},{},{}\n", i, report.images[i].bits_per_dim, report.images[i].evaluations);
  }
  return text;
}

}  // namespace ddpm::cli
