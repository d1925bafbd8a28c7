// train() whole: data set, network, engine.
#include "ddpm/train/trainer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "ddpm/image/png.h"
#include "ddpm/net/model.h"
#include "ddpm/train/fake_run.h"
#include "ddpm/train/run_model.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

// 12 gray images of 8 x 8.
void write_images(const fs::path& folder) {
  fs::create_directories(folder);
  const FakeData data({1, 8, 8}, 12);
  for (std::size_t i = 0; i < data.size(); ++i) {
    Image image{.width = 8, .height = 8, .channels = 1, .pixels = {}};
    image.pixels.resize(64);
    data.load(i, image.pixels);
    write_png(folder / fmt::format("{:02}.png", i), image);
  }
}

RunConfig small_config(const fs::path& images) {
  RunConfig c = fake_config();
  c.data = {.path = images.string(), .eval = images.string(), .flip = false};
  c.net.in_channels = c.net.out_channels = 1;
  c.net.height = c.net.width = 8;
  c.net.block_out_channels = {8, 8};
  c.net.attention = {false, true};
  c.net.layers_per_block = 1;
  c.net.norm_num_groups = 4;
  c.train.learning_rate = 1e-3;
  return c;
}

Error error_of(const RunConfig& config, const TrainOptions& options) {
  TrainObserver nobody;
  try {
    train(config, options, nobody);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

// 30 steps, and 30 steps in which SIGKILL came before the 12th was saved, on other
// numbers of threads.
TEST(Train, KilledAndResumedLeavesTheSameFiles) {
  const TempFolder folder;
  write_images(folder / "images");
  const RunConfig config = small_config(folder / "images");
  const pid_t child = ::fork();
  if (child == 0) {
    RecordingObserver observer;
    observer.after_step = [](std::int64_t step) {
      if (step == 12) ::raise(SIGKILL);
    };
    train(config, {.run = folder / "killed", .threads = 2}, observer);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  RecordingObserver whole, resumed;
  EXPECT_EQ(train(config, {.run = folder / "whole", .threads = 1}, whole).step, 30);
  EXPECT_EQ(train(config, {.run = folder / "killed", .threads = 3}, resumed).step, 30);
  EXPECT_EQ(resumed.first_step, 11);
  const auto a = snapshot(folder / "whole"), b = snapshot(folder / "killed");
  ASSERT_EQ(names(a), names(b));
  for (const auto& [name, bytes] : a) EXPECT_TRUE(b.at(name) == bytes) << name;
}

TEST(Train, ACheckpointIsAModelFolder) {
  const TempFolder folder;
  write_images(folder / "images");
  RunConfig config = small_config(folder / "images");
  config.train.steps = 2;
  config.diffusion.prediction = Prediction::v;
  RecordingObserver observer;
  const TrainOutcome outcome = train(config, {.run = folder / "run", .threads = 1}, observer);
  const Model model = load_model(outcome.checkpoint);
  EXPECT_EQ(model.config, config.net);
  EXPECT_EQ(model.view.prediction, Prediction::v);
  EXPECT_TRUE(fs::exists(outcome.checkpoint / "model_index.json"));
}

// Loss, variance and times together, on the real engine; the choice is warned about, once.
TEST(Train, ALearnedVarianceIsTrainedAndLoadsAgain) {
  const TempFolder folder;
  write_images(folder / "images");
  RunConfig config = small_config(folder / "images");
  config.net.out_channels = 2;
  config.diffusion.variance = Variance::learned_range;
  config.diffusion.loss = "rescaled_kl";
  RecordingObserver observer;
  const TrainOutcome outcome = train(config, {.run = folder / "run", .threads = 2}, observer);
  ASSERT_EQ(observer.warnings.size(), 1U);
  EXPECT_NE(observer.warnings[0].find("loss_second_moment"), std::string::npos);
  const Model model = load_model(outcome.checkpoint);
  EXPECT_EQ(model.view.variance, Variance::learned_range);
  EXPECT_EQ(model.config, config.net);
  config.diffusion.time_sampler = "loss_second_moment";
  RecordingObserver calm;
  train(config, {.run = folder / "calm", .threads = 1}, calm);
  EXPECT_TRUE(calm.warnings.empty());
}

// 12 images of two classes, in folders of their names: dark and light.
void write_classes(const fs::path& folder) {
  for (int i = 0; i < 12; ++i) {
    const fs::path of_class = folder / (i % 2 == 0 ? "dark" : "light");
    fs::create_directories(of_class);
    Image image{.width = 8, .height = 8, .channels = 1, .pixels = {}};
    for (int k = 0; k < 64; ++k) {
      image.pixels.push_back(static_cast<std::uint8_t>((i % 2) * 128 + (37 * i + 11 * k) % 64));
    }
    write_png(of_class / fmt::format("{:02}.png", i), image);
  }
}

// Trained on labels, resumed in the middle, told apart: the whole way of a class-conditional run.
TEST(Train, ANetworkLearnsWhatItsLabelsMean) {
  const TempFolder folder;
  write_classes(folder / "images");
  RunConfig config = small_config(folder / "images");
  config.net.num_classes = 2;
  config.net.null_class = true;
  config.diffusion.label_dropout = 0.25;
  config.train.steps = 100;
  config.train.sample_every = 100;
  config.train.sample_count = 4;
  config.train.learning_rate = 1e-2;
  config.train.ema = 0;
  RecordingObserver observer;
  const TrainOutcome outcome = train(config, {.run = folder / "run", .threads = 2}, observer);
  const Model model = load_model(outcome.checkpoint);
  EXPECT_EQ(model.config, config.net);
  EXPECT_EQ(model.class_names, (std::vector<std::string>{"dark", "light"}));
  ThreadPool pool(1);
  const auto network = cpu::make_denoiser(model.graph, model.params, 3, pool);
  const std::vector<float> x(3 * 64, 0.1F);
  std::vector<float> out(x.size());
  const std::vector<int> labels = {0, 1, kNoLabel};
  network->predict(x, std::vector<double>{900, 900, 900}, labels, out);
  const auto mean = [&](int i) {
    double sum = 0;
    for (int k = 0; k < 64; ++k) sum += out[64 * i + k] / 64;
    return sum;
  };
  // eps is what x_t has and the image has not: larger for a darker image, between for either.
  EXPECT_GT(mean(0), mean(2));
  EXPECT_GT(mean(2), mean(1));
  // A row a class.
  const auto grid = read_png(folder / "run/samples/step-00000100.png");
  ASSERT_TRUE(grid);
  EXPECT_EQ(grid->width, 2 * 8 + 3 * 2);
}

TEST(Train, AClassifierLearnsAndItsFolderLoads) {
  const TempFolder folder;
  write_classes(folder / "images");
  for (const bool noisy : {false, true}) {
    RunConfig config = small_config(folder / "images");
    config.data.eval = (folder / "images").string();
    config.classifier = ClassifierConfig{.in_channels = 1,
                                         .height = 8,
                                         .width = 8,
                                         .num_classes = 2,
                                         .block_out_channels = {8, 16},
                                         .norm_num_groups = 4,
                                         .dropout = noisy ? 0 : 0.1,
                                         .noisy = noisy};
    config.train.eval_count = 12;
    config.train.learning_rate = 1e-2;
    const fs::path run = folder / (noisy ? "noisy" : "clean");
    RecordingObserver observer;
    TrainOutcome outcome = train(config, {.run = run, .threads = 1}, observer);
    config.train.steps = 60;  // goes on from the checkpoint
    outcome = train(config, {.run = run, .threads = 2}, observer);
    EXPECT_TRUE(observer.samples.empty());
    const Classifier c = load_classifier(outcome.checkpoint);
    EXPECT_EQ(c.config, *config.classifier);
    EXPECT_EQ(c.class_names, (std::vector<std::string>{"dark", "light"}));
    EXPECT_EQ(c.schedule.has_value(), noisy);
    const std::string metrics = slurp(run / "metrics.jsonl");
    const std::size_t at = metrics.rfind("\"eval_accuracy\":");
    ASSERT_NE(at, std::string::npos);
    // An untrained network says one class: half are right. x_t at large t tells nothing.
    const double accuracy = std::stod(metrics.substr(at + 16));
    EXPECT_GT(accuracy, noisy ? 0.6 : 0.99);
  }
}

TEST(Train, LabelsThatAreMissingAreNamed) {
  const TempFolder folder;
  write_images(folder / "images");
  RunConfig config = small_config(folder / "images");
  config.net.num_classes = 2;
  const Error e = error_of(config, {.run = folder / "run", .threads = 1});
  EXPECT_EQ(e.code(), ExitCode::bad_input);
  EXPECT_NE(std::string(e.what()).find("got no labels"), std::string::npos) << e.what();
}

// The first step's loss is that of the other run's average after its last; a run that goes on no
// longer needs the model.
TEST(Train, BeginsWithTheWeightsOfAnotherModel) {
  const TempFolder folder;
  write_images(folder / "images");
  RunConfig config = small_config(folder / "images");
  RecordingObserver first, second;
  train(config, {.run = folder / "first", .threads = 1}, first);
  const Params begun = load_model(model_folder(folder / "first")).params;
  config.train.init_from = folder / "first";
  config.train.steps = 1;
  config.train.learning_rate = 1e-12;
  config.train.save_every = 1;
  const TrainOutcome one = train(config, {.run = folder / "second", .threads = 1}, second);
  const Params after = load_model(one.checkpoint).params;
  ASSERT_EQ(after.all().size(), begun.all().size());
  for (std::size_t i = 0; i < begun.all().size(); ++i) {
    ASSERT_NEAR(after.all()[i], begun.all()[i], 1e-6);
  }
  fs::remove_all(folder / "first");
  config.train.steps = 2;
  EXPECT_EQ(train(config, {.run = folder / "second", .threads = 1}, second).step, 2);
  EXPECT_EQ(error_of(config, {.run = folder / "third", .threads = 1}).code(), ExitCode::bad_input);
}

TEST(Train, AModelOfAnotherNetworkIsRefusedByTheTensor) {
  const TempFolder folder;
  write_images(folder / "images");
  RunConfig config = small_config(folder / "images");
  config.train.steps = 1;
  RecordingObserver observer;
  train(config, {.run = folder / "first", .threads = 1}, observer);
  config.train.init_from = folder / "first";
  config.net.block_out_channels = {8, 16};
  const Error e = error_of(config, {.run = folder / "second", .threads = 1});
  EXPECT_EQ(e.code(), ExitCode::bad_input);
  EXPECT_NE(std::string(e.what()).find("expected [16, 8, 3, 3]"), std::string::npos) << e.what();
  EXPECT_FALSE(fs::exists(folder / "second"));
}

TEST(Train, InputThatCannotBeLeavesNoRunFolder) {
  const TempFolder folder;
  write_images(folder / "images");
  const TrainOptions options{.run = folder / "run", .threads = 1};
  RunConfig missing = small_config(folder / "nothing");
  EXPECT_EQ(error_of(missing, options).code(), ExitCode::bad_input);
  RunConfig large = small_config(folder / "images");
  large.train.batch = 13;
  const Error e = error_of(large, options);
  EXPECT_EQ(e.code(), ExitCode::bad_input);
  EXPECT_NE(std::string(e.what()).find("train.batch=12"), std::string::npos) << e.what();
  RunConfig plan = small_config(folder / "images");
  plan.train.sample_plan = "ddim:5000";
  EXPECT_EQ(error_of(plan, options).code(), ExitCode::usage);
  EXPECT_FALSE(fs::exists(folder / "run"));
}

}  // namespace
}  // namespace ddpm
