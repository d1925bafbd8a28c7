#include "ddpm/cli/score_report.h"

#include "ddpm/base/version.h"
#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

// The first word names the network, the last its weights.
std::string network(const Report& r) { return r.made_by.substr(0, r.made_by.find(' ')); }
std::string fingerprint(const Report& r) { return r.made_by.substr(r.made_by.rfind(' ') + 1); }

std::string recipe_line(const Recipe& recipe, const Report& r, const std::string& how) {
  const auto count = [](std::int64_t n) { return n > 0 ? fmt::format("{}", n) : std::string("?"); };
  return fmt::format("{}; {}{}, {} dimensions, N = {} / {}; ddpm {}", describe(followed(recipe, r)),
                     r.made_by.empty() ? "given features" : "features " + r.made_by, how, r.dims,
                     count(r.n_generated), count(r.n_reference), kVersion);
}

Json real_or_null(std::optional<double> value) { return value ? json_real(*value) : Json(); }

Json count_or_null(std::int64_t n) { return n > 0 ? json_integer(n) : Json(); }

using Members = std::map<std::string, Json>;

void add_share(Members& out, const std::string& name, const std::optional<NeighbourScores>& scores,
               Share NeighbourScores::* share) {
  out[name] = scores ? json_real(((*scores).*share).value) : Json();
  out[name + "_se"] = scores ? json_real(((*scores).*share).standard_error) : Json();
}

// `fid` and its relatives under their own name, or `fd` and null under FID's.
void add_distances(Members& out, const Report& r) {
  for (const bool fid : {true, false}) {
    const std::string name = fid ? "fid" : "fd";
    const bool here = fid == is_fid(r);
    if (!here && !fid) continue;  // no `fd` beside a FID
    const auto put = [&](const char* end, std::optional<double> value) {
      out[name + end] = real_or_null(here ? value : std::nullopt);
    };
    const auto of = [&](auto member) -> std::optional<double> {
      return r.fid ? std::optional(member(*r.fid)) : std::nullopt;
    };
    put("", of([](const FrechetDistance& d) { return d.value(); }));
    put("_doubt", of([](const FrechetDistance& d) { return d.doubt; }));
    put("_se", r.fid_standard_error);
    const auto& line = r.fid_infinity;
    put("_infinity", line ? std::optional(line->value) : std::nullopt);
    put("_infinity_se", line ? std::optional(line->standard_error) : std::nullopt);
    put("_infinity_slope", line ? std::optional(line->slope) : std::nullopt);
  }
  out["sfid"] = r.sfid ? json_real(r.sfid->value()) : Json();
  out["sfid_se"] = real_or_null(r.sfid_standard_error);
}

void put_share(const char* name, const Share& share) {
  put_line("{:<13} {:.6g} +- {:.2g}", name, share.value, share.standard_error);
}

std::string with_error(std::optional<double> error) {
  return error ? fmt::format(" +- {:.2g}", *error) : "";
}

void put_distances(const Report& r) {
  const char* name = is_fid(r) ? "FID" : "FD";
  if (r.fid) {
    put_line("{:<13} {:.10g}{}", name, r.fid->value(), with_error(r.fid_standard_error));
  }
  if (r.sfid) {
    put_line("sFID          {:.10g}{}", r.sfid->value(), with_error(r.sfid_standard_error));
  }
  if (r.fid_infinity) {
    put_line("{:<13} {:.10g} +- {:.2g}  ({} = {:.6g} + {:.6g} / N over N = {}..{})",
             fmt::format("{}-infinity", name), r.fid_infinity->value,
             r.fid_infinity->standard_error, name, r.fid_infinity->value, r.fid_infinity->slope,
             r.fid_infinity->sizes.front(), r.fid_infinity->sizes.back());
  }
}

}  // namespace

void print_scores_as_json(const Report& r, const Recipe& recipe, const std::string& how) {
  Members out;
  add_distances(out, r);
  out["is_mean"] = r.inception_score ? json_real(r.inception_score->mean) : Json();
  out["is_std"] = real_or_null(r.inception_score ? r.inception_score->deviation : std::nullopt);
  out["is_se"] = r.inception_score ? json_real(r.inception_score->standard_error) : Json();
  out["kid_mean"] = r.kid ? json_real(r.kid->mean) : Json();
  out["kid_std"] = r.kid ? json_real(r.kid->deviation) : Json();
  out["kid_se"] = r.kid ? json_real(r.kid->standard_error) : Json();
  add_share(out, "precision", r.neighbours, &NeighbourScores::precision);
  add_share(out, "recall", r.neighbours, &NeighbourScores::recall);
  add_share(out, "density", r.dense, &NeighbourScores::density);
  add_share(out, "coverage", r.dense, &NeighbourScores::coverage);
  out["n_generated"] = count_or_null(r.n_generated);
  out["n_reference"] = count_or_null(r.n_reference);
  out["features"] = json_string(r.made_by.empty() ? "given" : network(r));
  out["weights_fingerprint"] = r.made_by.empty() ? Json() : json_string(fingerprint(r));
  out["recipe"] = json_string(recipe_line(recipe, r, how));
  std::vector<Json> notes;
  for (const std::string& note : r.notes) notes.push_back(json_string(note));
  out["notes"] = json_list(std::move(notes));
  print_json("ddpm.metrics/1", std::move(out));
}

void print_scores(const Report& r, const Recipe& recipe, const std::string& how) {
  if (!is_fid(r)) put_line("features      {} (not Inception's)", network(r));
  put_distances(r);
  if (r.inception_score) {
    const auto& [mean, deviation, error, parts, underflows] = *r.inception_score;
    put_line("IS            {:.10g} +- {:.2g}{}", mean, error,
             deviation ? fmt::format("  (over splits {:.3g})", *deviation) : "");
  }
  if (r.kid) {
    put_line("KID           {:.10g} +- {:.2g}  (over subsets {:.3g})", r.kid->mean,
             r.kid->standard_error, r.kid->deviation);
  }
  if (r.neighbours) {
    put_share("precision", r.neighbours->precision);
    put_share("recall", r.neighbours->recall);
  }
  if (r.dense) {
    put_share("density", r.dense->density);
    put_share("coverage", r.dense->coverage);
  }
  put_line("recipe        {}", recipe_line(recipe, r, how));
  for (const std::string& note : r.notes) print_warning(note);
}

}  // namespace ddpm::cli
