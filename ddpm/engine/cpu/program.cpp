#include "ddpm/engine/cpu/program.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "ddpm/base/error.h"

namespace ddpm::cpu {
namespace {

// Multi-head rows may load a vector that begins in the last pixel of the last value.
constexpr std::size_t kSlack = 4 * kLanes;

float* allocate(std::size_t floats) {
  const std::size_t bytes = (floats + kSlack) * sizeof(float) / 64 * 64 + 64;
  auto* p = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (!p) {
    throw Error(ExitCode::resources,
                "[engine] memory: could not get {} MiB for activations; try a smaller batch",
                bytes >> 20);
  }
  std::fill_n(p, bytes / sizeof(float), 0.0f);
  return p;
}

std::unique_ptr<RowOp> make_row(const RowContext& c) {
  switch (c.node.op) {
    case Op::conv:
      return make_conv(c);
    case Op::conv_dx:
      return make_conv_dx(c);
    case Op::conv_dw:
      return make_conv_dw(c);
    default:
      break;
  }
  for (const auto make :
       {make_norm_row, make_attention_row, make_condition_row, make_pool_row, make_simple_row}) {
    if (auto row = make(c)) return row;
  }
  DDPM_CHECK(false, "no row for {}", to_string(c.node.op));
  return nullptr;
}

// Rows that make a parameter's gradient have no value.
bool trains(const Tape& tape) {
  return std::ranges::any_of(tape.order, [&](Value row) { return tape.graph.shape(row).c == 0; });
}

}  // namespace

void Program::Free::operator()(float* p) const { std::free(p); }

Program::Program(Tape tape, int max_images, ThreadPool& pool, Profile profile)
    : tape_(std::move(tape)),
      max_images_(max_images),
      pool_(pool),
      parts_(find_parts(tape_)),
      plan_(plan_memory(lifetimes(tape_, parts_, max_images))),
      arena_(allocate(plan_.floats)),
      workspace_(pool.threads()),
      rows_(tape_.graph.nodes().size()) {
  const bool training = trains(tape_);
  for (const Value v : tape_.order) {
    if (rows_[v]) continue;  // runs twice
    std::vector<View> in;
    for (const Value input : graph().node(v).inputs) in.push_back(view(input));
    rows_[v] = make_row({.graph = graph(),
                         .node = graph().node(v),
                         .out = view(v),
                         .in = in,
                         .workspace = workspace_,
                         .threads = pool.threads(),
                         .max_images = max_images,
                         .training = training,
                         .profile = profile});
  }
  workspace_.allocate();
}

View Program::view(Value v) const {
  const auto& [whole, channel] = parts_[v];
  if (whole == kNoValue) return {arena_.get() + plan_.offsets[v], graph().shape(v)};
  const View outer = view(whole);
  return {outer.data + channel, graph().shape(v), outer.stride()};
}

void Program::pack(const Params& params, const Params& folded) {
  for (std::size_t v = 0; v < rows_.size(); ++v) {
    if (!rows_[v]) continue;
    const bool from_folded =  // no name is put together in training, which may not allocate
        !folded.specs().empty() && folded.has(graph().nodes()[v].param + ".weight");
    rows_[v]->pack(from_folded ? folded : params, pool_);
  }
}

void Program::run(int first, int last, const Run& run) {
  DDPM_CHECK(run.images >= 1 && run.images <= max_images_, "{} images, at most {}", run.images,
             max_images_);
  if (OpClock* clock = OpClock::current()) return run_timed(first, last, run, *clock);
  for (int step = first; step < last; ++step) rows_[tape_.order[step]]->run(run, pool_);
}

void Program::run_timed(int first, int last, const Run& run, OpClock& clock) {
  using Clock = std::chrono::steady_clock;
  for (int step = first; step < last; ++step) {
    const Value v = tape_.order[step];
    const auto start = Clock::now();
    rows_[v]->run(run, pool_);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    const double flops = direct_flops(graph(), graph().node(v)) * run.images;
    clock.add(op_kind(graph().node(v)), {seconds.count(), flops, flops * rows_[v]->work_ratio()});
  }
}

std::vector<Value> input_rows(const Graph& graph) {
  std::vector<Value> rows;
  for (Value v = 0; v < static_cast<Value>(graph.nodes().size()); ++v) {
    const Node& node = graph.node(v);
    if (node.op != Op::input) continue;
    rows.resize(std::max<std::size_t>(rows.size(), node.a.slot + 1), kNoValue);
    rows[node.a.slot] = v;
  }
  return rows;
}

}  // namespace ddpm::cpu
