#include "ddpm/train/trainer.h"

#include <algorithm>
#include <numeric>

#include "ddpm/diffusion/objective.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/model.h"
#include "ddpm/train/batcher.h"
#include "ddpm/train/loop.h"

namespace ddpm {
namespace {

std::unique_ptr<Dataset> open_data(const std::string& path, const UNetConfig& net) {
  auto data =
      open_dataset(path, {.width = net.width, .height = net.height, .channels = net.in_channels});
  const Shape expected{net.in_channels, net.height, net.width}, got = data->shape();
  if (got != expected) {
    throw Error(
        ExitCode::bad_input,
        "[train] {}: got images of {} x {} x {}, expected {} x {} x {} (channels x height x "
        "width) from [net]",
        data->description(), got.c, got.h, got.w, expected.c, expected.h, expected.w);
  }
  return data;
}

void check_size(const Dataset& data, int batch) {
  if (data.size() >= static_cast<std::size_t>(batch)) return;
  throw Error(
      ExitCode::bad_input,
      "[train] {}: got {} images, expected at least train.batch = {}; try --set train.batch={}",
      data.description(), data.size(), batch, data.size());
}

Model new_model(const RunConfig& config, const Schedule& schedule) {
  Model model;
  model.config = config.net;
  model.graph = unet(config.net);
  model.params = init_unet(model.graph, config.train.seed);
  model.schedule = schedule;
  model.view = {.prediction = config.diffusion.prediction, .variance = config.diffusion.variance};
  return model;
}

std::unique_ptr<Learner> new_learner(const Model& model, const TrainConfig& config,
                                     ThreadPool& pool) {
  int images = 0, slices = 0;
  for (const auto& group : micro_batches(config.batch, config.micro_batch)) {
    images = std::max(images, std::accumulate(group.begin(), group.end(), 0));
    slices = std::max(slices, static_cast<int>(group.size()));
  }
  return cpu::make_learner(model.graph, model.params, images, slices, pool, cpu::Profile::f32,
                           config.recompute);
}

void warn_of_instability(const DiffusionConfig& d, const Schedule& schedule,
                         TrainObserver& observer) {
  const std::string why =
      known_instability(schedule, d.prediction, d.variance, parse_loss(d.loss), d.time_sampler);
  if (!why.empty()) observer.on_warning("[train] known to train badly: " + why);
}

}  // namespace

TrainOutcome train(const RunConfig& config, const TrainOptions& options, TrainObserver& observer) {
  // Everything that can be wrong with the input is found before the run folder is touched.
  const Schedule schedule = Schedule::parse(config.diffusion.schedule);
  const auto data = open_data(config.data.path, config.net);
  check_size(*data, config.train.batch);
  std::unique_ptr<Dataset> held_out;
  if (!config.data.eval.empty()) held_out = open_data(config.data.eval, config.net);
  Model model = new_model(config, schedule);
  parse_plan(config.train.sample_plan, schedule, model.view);
  ThreadPool pool(options.threads > 0 ? options.threads : ThreadPool::default_threads());

  RunFolder folder(options.run, options.resume, config,
                   [&](const std::string& text) { observer.on_warning(text); });
  warn_of_instability(config.diffusion, schedule, observer);
  const auto learner = new_learner(model, config.train, pool);
  const TrainParts parts{.data = *data,
                         .held_out = held_out.get(),
                         .schedule = schedule,
                         .learner = *learner,
                         .pool = pool,
                         .denoiser =
                             [&](const Params& weights, int max_batch) {
                               return cpu::make_denoiser(model.graph, weights, max_batch, pool);
                             },
                         .model_files =
                             [&](const Params& average) {
                               model.params = average;
                               return model_files(model);
                             }};
  return train_with(config, options, folder, parts, observer);
}

}  // namespace ddpm
