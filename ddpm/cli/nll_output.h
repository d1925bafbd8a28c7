// What `ddpm nll` says: text, JSON, CSV, pictures.
#pragma once

#include <string>
#include <vector>

#include "ddpm/image/image.h"
#include "ddpm/likelihood/flow_measure.h"
#include "ddpm/likelihood/measure.h"

namespace ddpm::cli {

/// What was measured, for headings and for JSON.
struct NllSubject {
  std::string model, data;  // as the user named the model; the data set's own description
  std::size_t data_size = 0;
  std::string variance, decoder;
  int T = 0;         // of the model
  int estimate = 0;  // terms an image; 0: all
  std::uint64_t seed = 0;
};

void print_bound(const NllSubject& subject, const BoundReport& report);
/// fitted_schedule: a spec, or "".
void print_bound_json(const NllSubject& subject, const BoundReport& report,
                      const std::vector<BoundReport>& sweep, const std::string& fitted_schedule);

/// The bound against the number of steps that the process is re-spaced to.
void print_sweep(const std::vector<BoundReport>& sweep);

void print_flow(const NllSubject& subject, const FlowReport& report);
void print_flow_json(const NllSubject& subject, const FlowReport& report);

std::string bound_csv(const BoundReport& report);
std::string flow_csv(const FlowReport& report);

/// L_{t-1} over t.
Image terms_picture(const NllSubject& subject, const BoundReport& report);
/// The bound, and its rate and distortion, over re-spaced T.
Image sweep_picture(const NllSubject& subject, const std::vector<BoundReport>& sweep);

/// `2.1234 +- 0.0031`, or without the error where it is not known.
std::string with_error(double value, double error);

}  // namespace ddpm::cli
