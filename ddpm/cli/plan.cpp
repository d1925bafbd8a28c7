// ddpm plan MODEL|SCHEDULE: a sampler shown as its table of coefficients. docs/plan_format.md.
#include <algorithm>
#include <array>

#include "ddpm/base/error.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/plan_json.h"

namespace ddpm::cli {
namespace {

struct PlanArgs {
  std::string process, plan = "ddim", prediction, variance;
  bool json = false;
};

Process process_of(const PlanArgs& args) {
  Process process = open_process(args.process);
  if (!args.prediction.empty()) process.view.prediction = parse_prediction(args.prediction);
  if (!args.variance.empty()) process.view.variance = parse_variance(args.variance);
  return process;
}

void print_as_json(const PlanArgs& args, const Process& process, const Plan& plan) {
  const ModelView& view = process.view;
  print_json("ddpm.plan/1", {{"plan", json_string(args.plan)},
                             {"schedule", json_string(process.schedule.spec())},
                             {"prediction", json_string(std::string(to_string(view.prediction)))},
                             {"variance", json_string(std::string(to_string(view.variance)))},
                             {"calls", json_integer(calls_of(plan))},
                             {"initial_scale", json_real(plan.initial_scale)},
                             {"rows", plan_rows_json(plan)}});
}

std::string number(double value) { return value == 0 ? "" : fmt::format("{:.6g}", value); }

std::string limit_text(const Limit& limit) {
  switch (limit.kind) {
    case Limit::Kind::clip:
      return fmt::format("clip {}", limit.range);
    case Limit::Kind::quantile:
      return fmt::format("{} quantile, 1..{}", limit.quantile, limit.range);
    case Limit::Kind::none:
      break;
  }
  return "";
}

// Lines of cells, the first the heading; columns that stay empty are left out.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { lines_.push_back(std::move(heading)); }
  void add(std::vector<std::string> line) { lines_.push_back(std::move(line)); }

  std::string text() const {
    std::string out;
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < lines_[0].size(); ++c) widths.push_back(width(c));
    for (const auto& line : lines_) {
      std::string row;
      for (std::size_t c = 0; c < widths.size(); ++c) {
        if (widths[c] > 0) row += fmt::format("{:>{}}", line[c], widths[c] + 2);
      }
      out += row.substr(0, row.find_last_not_of(' ') + 1) + '\n';
    }
    return out;
  }

 private:
  std::size_t width(std::size_t column) const {
    std::size_t most = 0;
    for (std::size_t i = 1; i < lines_.size(); ++i) most = std::max(most, lines_[i][column].size());
    return most == 0 ? 0 : std::max(most, lines_[0][column].size());
  }

  std::vector<std::vector<std::string>> lines_;
};

std::vector<std::string> heading() {
  std::vector<std::string> cells = {"row",   "time",   "c_in",     "x0: x",   "x0: out",
                                    "limit", "eps: x", "eps: out", "eps: x0", "set"};
  for (std::size_t i = 0; i < kRegs; ++i) {
    cells.emplace_back(to_string(static_cast<Reg>(i)));
  }
  for (const char* name : {"z", "z exp(v)", "snr"}) cells.emplace_back(name);
  return cells;
}

// What a row says of its call, in the first line; every update has a line.
void add_row(const Row& row, std::size_t index, Table& table) {
  std::vector<std::string> call = {fmt::format("{}", index)};
  if (row.time) {
    const std::string reading[] = {fmt::format("{:.6g}", *row.time),
                                   row.c_in == 1 ? "" : number(row.c_in),
                                   number(row.r_x),
                                   number(row.r_out),
                                   limit_text(row.limit),
                                   number(row.e_x),
                                   number(row.e_out),
                                   number(row.e_x0)};
    call.insert(call.end(), std::begin(reading), std::end(reading));
  }
  call.resize(9);
  if (row.updates.empty()) {
    call.resize(heading().size());
    return table.add(call);
  }
  for (const Update& update : row.updates) {
    std::vector<std::string> line = call;
    line.emplace_back(to_string(update.dst));
    std::array<double, kRegs> sums{};
    for (const Term& term : update.terms) sums[static_cast<std::size_t>(term.reg)] += term.c;
    for (const double sum : sums) line.push_back(number(sum));
    line.push_back(number(update.c_z));
    line.push_back(number(update.z_v));
    line.push_back(number(update.snr));
    table.add(line);
    call.assign(9, "");
  }
}

void print_table(const PlanArgs& args, const Process& process, const Plan& plan) {
  Table table(heading());
  for (std::size_t i = 0; i < plan.size(); ++i) add_row(plan[i], i, table);
  put_line("{} on {}: {}; the network says {}", args.plan,
           process.schedule.spec().empty() ? args.process : process.schedule.spec(),
           counted(calls_of(plan), "network call"), to_string(process.view.prediction));
  put_line(
      "x starts as standard normal noise times {:.6g}. Times are 0-based, as the network is fed.",
      plan.initial_scale);
  put_line(
      "A row: x0 = limit(c x + c out), eps = c x + c out + c x0; then set = sum of c register + c "
      "z.");
  put(table.text());
}

void run_plan_command(const PlanArgs& args) {
  const Process process = process_of(args);
  const Plan plan = parse_plan(args.plan, process.schedule, process.view);
  if (args.json) return print_as_json(args, process, plan);
  print_table(args, process, plan);
}

// For --help.
std::string sampler_table() {
  std::string text = "Samplers, and the keys of each (a default in brackets):\n";
  for (const SamplerHelp& sampler : sampler_help()) {
    text += fmt::format("  {}: {}\n", sampler.name, sampler.what);
    std::string line = "     ";
    for (const KeyHelp& key : sampler.keys) {
      const std::string word = key.usual.empty() ? fmt::format(" {}", key.key)
                                                 : fmt::format(" {} [{}]", key.key, key.usual);
      if (line.size() + word.size() > 95) {
        text += line + '\n';
        line = "     ";
      }
      line += word;
    }
    text += line + '\n';
  }
  return text + "docs/samplers.md says what they mean.";
}

}  // namespace

void add_plan(CLI::App& app) {
  auto args = std::make_shared<PlanArgs>();
  auto* command = app.add_subcommand("plan", "Show a sampler as its table of coefficients.");
  command
      ->add_option("process", args->process, "schedule, as linear:1000 or cosine:4000, or a model")
      ->required();
  command->add_option("--plan", args->plan, "sampler:calls[,key=value...]");
  command->add_option("--prediction", args->prediction,
                      "what the network says: eps, x0, v, mu or score (the model's)");
  command->add_option("--variance", args->variance,
                      "fixed_small, fixed_large, learned or learned_range (the model's)");
  command->add_flag("--json", args->json, "every coefficient in full, docs/plan_format.md");
  command->footer(sampler_table());
  command->callback([args] { run_plan_command(*args); });
}

}  // namespace ddpm::cli
