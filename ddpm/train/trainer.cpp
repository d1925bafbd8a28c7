#include "ddpm/train/trainer.h"

#include <algorithm>
#include <numeric>

#include "ddpm/diffusion/objective.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/model.h"
#include "ddpm/train/batcher.h"
#include "ddpm/train/classification.h"
#include "ddpm/train/init_from.h"
#include "ddpm/train/loop.h"

namespace ddpm {
namespace {

std::unique_ptr<Dataset> open_data(const std::string& path, const RunConfig& config) {
  const Shape expected = config.shape();
  auto data =
      open_dataset(path, {.width = expected.w, .height = expected.h, .channels = expected.c});
  const Shape got = data->shape();
  if (got != expected) {
    throw Error(
        ExitCode::bad_input,
        "[train] {}: got images of {} x {} x {}, expected {} x {} x {} (channels x height x "
        "width) from [{}]",
        data->description(), got.c, got.h, got.w, expected.c, expected.h, expected.w,
        config.classifier ? "classifier" : "net");
  }
  const int classes = config.classifier ? config.classifier->num_classes : config.net.num_classes;
  if (classes > 0) check_labels(*data, classes);
  return data;
}

void check_size(const Dataset& data, int batch) {
  if (data.size() >= static_cast<std::size_t>(batch)) return;
  throw Error(
      ExitCode::bad_input,
      "[train] {}: got {} images, expected at least train.batch = {}; try --set train.batch={}",
      data.description(), data.size(), batch, data.size());
}

// The data set's names of classes, if it has one for each of the network's.
std::vector<std::string> names_of_classes(const Dataset& data, int classes) {
  std::vector<std::string> names = data.classes();
  if (names.size() != static_cast<std::size_t>(classes)) names.clear();
  return names;
}

Model new_model(const RunConfig& config, const Schedule& schedule, const Dataset& data) {
  Model model;
  model.config = config.net;
  model.graph = unet(config.net);
  model.params = init_unet(model.graph, config.train.seed);
  model.schedule = schedule;
  model.view = {.prediction = config.diffusion.prediction, .variance = config.diffusion.variance};
  model.class_names = names_of_classes(data, config.net.num_classes);
  return model;
}

Classifier new_classifier(const RunConfig& config, const Schedule& schedule, const Dataset& data) {
  Classifier c;
  c.config = *config.classifier;
  c.params = init_unet(classifier(c.config), config.train.seed);
  c.class_names = names_of_classes(data, c.config.num_classes);
  if (c.config.noisy) c.schedule = schedule;
  return c;
}

std::unique_ptr<Learner> new_learner(const Graph& graph, const Params& params,
                                     const TrainConfig& config, ThreadPool& pool) {
  int images = 0, slices = 0;
  for (const auto& group : micro_batches(config.batch, config.micro_batch)) {
    images = std::max(images, std::accumulate(group.begin(), group.end(), 0));
    slices = std::max(slices, static_cast<int>(group.size()));
  }
  return cpu::make_learner(graph, params, images, slices, pool, cpu::Profile::f32,
                           config.recompute);
}

void warn_of_instability(const DiffusionConfig& d, const Schedule& schedule,
                         TrainObserver& observer) {
  const std::string why =
      known_instability(schedule, d.prediction, d.variance, parse_loss(d.loss), d.time_sampler);
  if (!why.empty()) observer.on_warning("[train] known to train badly: " + why);
}

/// What a network is made of and written as, whichever kind it is.
struct Network {
  Graph graph;
  Params start;
  std::function<std::map<std::string, std::string>(const Params&)> files;
  std::string weight_file;
};

// init_from: whose weights it takes; "" = new ones.
Network new_network(const RunConfig& config, const Schedule& schedule, const Dataset& data,
                    const std::string& init_from) {
  if (config.classifier) {
    auto made = std::make_shared<Classifier>(new_classifier(config, schedule, data));
    if (!init_from.empty()) take_weights(init_from, *made);
    return {classifier(made->config), made->params,
            [made](const Params& average) {
              made->params = average;
              return classifier_files(*made);
            },
            kClassifierWeights};
  }
  auto made = std::make_shared<Model>(new_model(config, schedule, data));
  if (!init_from.empty()) take_weights(init_from, *made);
  return {made->graph, made->params,
          [made](const Params& average) {
            made->params = average;
            return model_files(*made);
          },
          kWeightFile};
}

// A run that goes on has weights of its own, and the model it began with may be gone.
bool begins(const TrainOptions& options) {
  std::error_code unknown;
  return options.resume == "none" ||
         (options.resume == "auto" && !std::filesystem::exists(options.run / "latest", unknown));
}

std::unique_ptr<Scorer> new_scorer(const RunConfig& config, const TrainOptions& options,
                                   ThreadPool& pool) {
  if (config.train.score_every == 0) return nullptr;
  if (options.make_scorer) return options.make_scorer(config, pool);
  throw Error("[train] score_every: got {} and nobody who scores, expected a make_scorer",
              config.train.score_every);
}

}  // namespace

TrainOutcome train(const RunConfig& config, const TrainOptions& options, TrainObserver& observer) {
  // Everything that can be wrong with the input is found before the run folder is touched.
  const Schedule schedule = Schedule::parse(config.diffusion.schedule);
  const auto data = open_data(config.data.path, config);
  check_size(*data, config.train.batch);
  std::unique_ptr<Dataset> held_out;
  if (!config.data.eval.empty()) held_out = open_data(config.data.eval, config);
  const Network network =
      new_network(config, schedule, *data, begins(options) ? config.train.init_from : "");
  if (!config.classifier) {
    parse_plan(config.train.sample_plan, schedule,
               {.prediction = config.diffusion.prediction, .variance = config.diffusion.variance});
  }
  ThreadPool pool(options.threads > 0 ? options.threads : ThreadPool::default_threads());
  const auto scorer = new_scorer(config, options, pool);

  RunFolder folder(options.run, options.resume, config,
                   [&](const std::string& text) { observer.on_warning(text); });
  if (!config.classifier) warn_of_instability(config.diffusion, schedule, observer);
  const auto learner = new_learner(network.graph, network.start, config.train, pool);
  const TrainParts parts{.data = *data,
                         .held_out = held_out.get(),
                         .schedule = schedule,
                         .learner = *learner,
                         .pool = pool,
                         .denoiser =
                             [&](const Params& weights, int max_batch) {
                               return cpu::make_denoiser(network.graph, weights, max_batch, pool);
                             },
                         .model_files = network.files,
                         .weight_file = network.weight_file,
                         .scorer = scorer.get()};
  return train_with(config, options, folder, parts, observer);
}

}  // namespace ddpm
