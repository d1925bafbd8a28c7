#include "ddpm/cli/plan_json.h"

namespace ddpm::cli {
namespace {

Json limit_json(const Limit& limit) {
  switch (limit.kind) {
    case Limit::Kind::clip:
      return json_object({{"kind", json_string("clip")}, {"range", json_real(limit.range)}});
    case Limit::Kind::quantile:
      return json_object({{"kind", json_string("quantile")},
                          {"quantile", json_real(limit.quantile)},
                          {"range", json_real(limit.range)}});
    case Limit::Kind::none:
      break;
  }
  return {};
}

Json update_json(const Update& update) {
  std::vector<Json> terms;
  for (const Term& term : update.terms) {
    terms.push_back(json_object(
        {{"reg", json_string(std::string(to_string(term.reg)))}, {"c", json_real(term.c)}}));
  }
  return json_object({{"dst", json_string(std::string(to_string(update.dst)))},
                      {"terms", json_list(std::move(terms))},
                      {"c_z", json_real(update.c_z)},
                      {"z_v", json_real(update.z_v)},
                      {"snr", json_real(update.snr)}});
}

Json row_json(const Row& row) {
  std::map<std::string, Json> members;
  std::vector<Json> updates;
  for (const Update& update : row.updates) updates.push_back(update_json(update));
  members["updates"] = json_list(std::move(updates));
  members["time"] = row.time ? json_real(*row.time) : Json{};
  if (!row.time) return json_object(std::move(members));
  members["c_in"] = json_real(row.c_in);
  members["x0"] = json_object({{"x", json_real(row.r_x)}, {"out", json_real(row.r_out)}});
  members["eps"] = json_object(
      {{"x", json_real(row.e_x)}, {"out", json_real(row.e_out)}, {"x0", json_real(row.e_x0)}});
  members["limit"] = limit_json(row.limit);
  return json_object(std::move(members));
}

}  // namespace

Json plan_rows_json(const Plan& plan) {
  std::vector<Json> rows;
  for (const Row& row : plan) rows.push_back(row_json(row));
  return json_list(std::move(rows));
}

}  // namespace ddpm::cli
