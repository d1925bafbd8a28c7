// The program as its users meet it: results, files, signals, streams.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <thread>

#include "ddpm/base/version.h"
#include "ddpm/image/png.h"
#include "ddpm/net/safetensors.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(Cli, VersionNamesNumericsAndInstructionSet) {
  const Outcome outcome = ddpm({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out,
              testing::MatchesRegex("ddpm [0-9.]+ \\(numerics [0-9]+, [a-z0-9]+\\)\n"));
  EXPECT_THAT(outcome.out, StartsWith(fmt::format("ddpm {} (numerics {}, ", kVersion, kNumerics)));
}

TEST_F(Cli, HelpGoesToStandardOutputWithDefaults) {
  const Outcome all = ddpm({"--help"}), sample = ddpm({"sample", "--help"});
  EXPECT_EQ(all.code, 0);
  for (const char* command :
       {"train", "sample", "predict", "forward", "info", "data", "convert", "bench"})
    EXPECT_THAT(all.out, HasSubstr(command));
  EXPECT_EQ(sample.code, 0);
  EXPECT_THAT(sample.out, HasSubstr("ddim:50"));
  EXPECT_EQ(sample.err, "");
}

TEST_F(Cli, InstructionSetsThatAreUnknownAreRefused) {
  const Outcome outcome = ddpm({"info", "x"}, {{"DDPM_ISA", "mmx"}});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("mmx"));
}

TEST_F(Cli, TrainingEndsWithACheckpointThatSamplesAPng) {
  const Outcome trained = ddpm({"train", "tiny.toml", "--out", "run"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.out, "run/checkpoints/step-00000004\n");
  EXPECT_THAT(trained.err, HasSubstr("train: 100% 4/4 ["));

  for (const char* model : {"run", "run/latest", "run/checkpoints/step-00000004"}) {
    const Outcome sampled = ddpm({"sample", model, "-n", "5", "--plan", "ddim:4", "-o", "s.png"});
    ASSERT_EQ(sampled.code, 0) << sampled.err;
    EXPECT_EQ(sampled.out, "s.png\n");
    const auto grid = read_png(folder_ / "s.png");
    ASSERT_TRUE(grid.has_value());
    EXPECT_EQ(grid->width, 3 * 8 + 4 * 2);
    EXPECT_EQ(grid->height, 2 * 8 + 3 * 2);
  }
}

TEST_F(Cli, APngTellsTheCommandThatRemakesIt) {
  train();
  ASSERT_EQ(ddpm({"sample", "runs/tiny", "-n", "3", "--plan", "ddpm:20", "--seed", "9", "--first",
                  "2", "-o", "it's.png"})
                .code,
            0);
  const std::string first = bytes("it's.png");
  const std::string command = read_png_text(folder_ / "it's.png").value().at("ddpm:command");
  EXPECT_THAT(ddpm({"info", "it's.png"}).out, HasSubstr("made by:\n  " + command + "\n"));
  fs::remove(folder_ / "it's.png");
  const std::string program = fs::path(DDPM_PROGRAM).parent_path().string();
  ASSERT_EQ(run(folder_.path(), {"sh", "-c", "PATH=" + program + ":$PATH; " + command}).code, 0)
      << command;
  EXPECT_EQ(bytes("it's.png"), first);
}

TEST_F(Cli, ImageIDependsOnSeedAndIAlone) {
  train();
  const auto sample = [&](int n, int first, int threads) {
    const Outcome outcome =
        ddpm({"sample", "runs/tiny", "-n", std::to_string(n), "--first", std::to_string(first),
              "--plan", "ddim:4,eta=1", "--threads", std::to_string(threads), "-o", "x.npy"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return bytes("x.npy").substr(128);  // the header
  };
  const std::size_t image = 8 * 8 * sizeof(float);
  const std::string seven = sample(7, 0, 1);
  ASSERT_EQ(seven.size(), 7 * image);
  for (int threads : {1, 2, 3}) {
    EXPECT_EQ(sample(3, 0, threads), seven.substr(0, 3 * image)) << threads;
    EXPECT_EQ(sample(1, 5, threads), seven.substr(5 * image, image)) << threads;
  }
  const std::string more = sample(19, 0, 2);  // than a batch
  EXPECT_EQ(more.substr(0, 7 * image), seven);
  EXPECT_EQ(more.substr(17 * image), sample(2, 17, 1));
  EXPECT_NE(seven.substr(0, image), seven.substr(image, image));
}

TEST_F(Cli, AFolderGetsAPngAnImage) {
  train();
  ASSERT_EQ(
      ddpm({"sample", "runs/tiny", "-n", "3", "--first", "7", "--plan", "ddim:2", "-o", "images/"})
          .code,
      0);
  const auto files = tree(folder_ / "images");
  EXPECT_EQ(files.size(), 3u);
  for (const char* name : {"000007.png", "000008.png", "000009.png"})
    EXPECT_TRUE(files.contains(name)) << name;
}

void expect_document(const Outcome& outcome, const std::string& schema) {
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto json = parse_json(outcome.out, "stdout");
  ASSERT_TRUE(json.has_value()) << json.error().message << outcome.out;
  const Json* name = json->find("schema");
  ASSERT_TRUE(name) << outcome.out;
  EXPECT_EQ(name->text, schema);
}

TEST_F(Cli, JsonIsOneDocumentWithASchema) {
  train();
  write_png(folder_ / "a.png", blank_image(8, 8, 1, 100), {{"key", "b\xE9"}});  // Latin-1
  expect_document(ddpm({"info", "runs/tiny", "--json"}), "ddpm.info/1");
  expect_document(ddpm({"info", "a.png", "--json"}), "ddpm.info/1");
  expect_document(
      ddpm({"info", "runs/tiny/checkpoints/step-00000004/unet/diffusion_pytorch_model.safetensors",
            "--json"}),
      "ddpm.info/1");
  expect_document(ddpm({"data", "images-idx3-ubyte", "--json"}), "ddpm.data/1");
  expect_document(ddpm({"forward", "linear:100", "a.png", "--json"}), "ddpm.forward/1");
  expect_document(ddpm({"sample", "runs/tiny", "-n", "1", "--plan", "ddim:2", "--json"}),
                  "ddpm.sample/1");
}

TEST_F(Cli, ForwardGoesFromTheImageToNoise) {
  Image image = blank_image(6, 4, 3, 0);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(3 * i);
  write_png(folder_ / "a.png", image);
  const Outcome outcome = ddpm({"forward", "linear:1000", "a.png", "--frames", "3", "-o", "f.png"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // alpha_bar(500) = 0.07859 and alpha_bar(1000) = 4.036e-05 for the paper's schedule.
  EXPECT_THAT(outcome.out,
              testing::ContainsRegex(
                  "\n +0 +1 +inf +inf\n +500 +0.0785[0-9]+ .*\n +1000 +4.035[0-9]+e-05 "));
  const Image strip = read_png(folder_ / "f.png").value();
  ASSERT_EQ(strip.width, 3 * 6 + 4 * 2);
  ASSERT_EQ(strip.height, 4 + 2 * 2);
  bool same = true;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 6; ++x) {
      for (int c = 0; c < 3; ++c) {
        EXPECT_EQ(strip.at(y + 2, x + 2, c), image.at(y, x, c));
        same = same && strip.at(y + 2, x + 10, c) == image.at(y, x, c);
      }
    }
  }
  EXPECT_FALSE(same);  // the second frame
  for (const char* schedule : {"sigmoid:50", "logsnr:20", "table,betas=0.1/0.2"}) {
    EXPECT_EQ(ddpm({"forward", schedule, "a.png", "--frames", "3", "-o", "g.png"}).code, 0)
        << schedule;
  }
}

TEST_F(Cli, DataCountsClassesAndDuplicates) {
  folder_.write("twice-images-idx3-ubyte", idx_images(24, 8) + idx_images(24, 8).substr(16));
  std::string twice = bytes("twice-images-idx3-ubyte");
  twice.replace(4, 4, big_endian(48));
  folder_.write("twice-images-idx3-ubyte", twice);
  folder_.write("twice-labels-idx1-ubyte", idx_labels(48));
  const Outcome outcome = ddpm({"data", "twice-images-idx3-ubyte", "-o", "grid.png"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("images      48\n"));
  EXPECT_THAT(outcome.out, HasSubstr("duplicates  24\n"));
  EXPECT_THAT(outcome.out, testing::ContainsRegex("\n +16  "));  // three classes of 16
  EXPECT_TRUE(read_png(folder_ / "grid.png").has_value());
}

TEST_F(Cli, PredictIsTheSameOneByOneAndTogether) {
  train();
  const auto predict = [&](const std::vector<float>& x, const RawTensor& t) {
    TensorFile file;
    const auto n = static_cast<std::int64_t>(x.size() / 64);
    file.tensors = {{"x", f32_tensor(x, {n, 1, 8, 8})}, {"t", t}};
    folder_.write("in.safetensors", encode_safetensors(file));
    const Outcome outcome = ddpm({"predict", "runs/tiny", "in.safetensors", "out.safetensors"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return to_floats(read_safetensors(folder_ / "out.safetensors").value().tensors.at("out"));
  };
  std::vector<float> x(20 * 64);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17) / 8 - 1;
  const std::vector<float> times(20, 3);
  const std::vector<float> all = predict(x, f32_tensor(times, {20}));
  ASSERT_EQ(all.size(), x.size());
  RawTensor integer{DType::i64, {1}, std::string("\x03\0\0\0\0\0\0\0", 8)};
  EXPECT_EQ(predict({x.end() - 64, x.end()}, integer),
            std::vector<float>(all.end() - 64, all.end()));
}

TEST_F(Cli, PredictRefusesTensorsThatDoNotFit) {
  train();
  const auto refusal = [&](const std::map<std::string, RawTensor>& tensors) {
    TensorFile file;
    file.tensors = tensors;
    folder_.write("in.safetensors", encode_safetensors(file));
    const Outcome outcome = ddpm({"predict", "runs/tiny", "in.safetensors", "out.safetensors"});
    EXPECT_EQ(outcome.code, 3);
    EXPECT_FALSE(fs::exists(folder_ / "out.safetensors"));
    return outcome.err;
  };
  const RawTensor x = f32_tensor(std::vector<float>(64), {1, 1, 8, 8});
  const RawTensor t = f32_tensor(std::vector<float>{3}, {1});
  EXPECT_THAT(refusal({{"x", x}}), HasSubstr("no tensor `t`"));
  EXPECT_THAT(refusal({{"x", x}, {"t", t}, {"class_labels", t}}), HasSubstr("class_labels"));
  EXPECT_THAT(refusal({{"x", f32_tensor(std::vector<float>(64), {1, 1, 4, 16})}, {"t", t}}),
              HasSubstr("[N >= 1, 1, 8, 8]"));
  EXPECT_THAT(refusal({{"x", x}, {"t", f32_tensor(std::vector<float>(2), {2})}}),
              HasSubstr("one time an image"));
  EXPECT_THAT(refusal({{"x", x}, {"t", f32_tensor(std::vector<float>{NAN}, {1})}}),
              HasSubstr("got nan"));
}

// Waits until the program has got somewhere: a file of its run exists.
bool wait_for(const fs::path& file) {
  for (int i = 0; i < 3000 && !fs::exists(file); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return fs::exists(file);
}

TEST_F(Cli, ASignalEndsTrainingWithACheckpoint) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string run = "run" + std::to_string(signal);
    const Process process(folder_.path(), test::ddpm({"train", "tiny.toml", "--out", run, "--set",
                                                      "train.steps=1000000"}));
    ASSERT_TRUE(wait_for(folder_ / run / "latest"));
    process.send(signal);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.code, 128 + signal) << outcome.err;
    const std::string checkpoint = outcome.out.substr(0, outcome.out.find('\n'));
    EXPECT_TRUE(fs::is_directory(folder_ / checkpoint)) << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr("saved; the same command goes on"));
  }
}

TEST_F(Cli, SigusrOneSavesAndGoesOn) {
  const Process process(folder_.path(),
                        test::ddpm({"train", "tiny.toml", "--out", "run", "--set",
                                    "train.steps=1000000", "--set", "train.save_every=1000000"}));
  ASSERT_TRUE(wait_for(folder_ / "run/metrics.jsonl"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.send(SIGUSR1);
  ASSERT_TRUE(wait_for(folder_ / "run/latest"));
  process.send(SIGTERM);
  EXPECT_EQ(process.wait().code, 128 + SIGTERM);
}

TEST_F(Cli, AReaderThatHasGoneEndsTheProgramSilently) {
  const Outcome outcome = ddpm({"data", "images-idx3-ubyte"}, {}, [] {
    int ends[2];
    if (pipe(ends) != 0) _exit(125);
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
  });
  EXPECT_EQ(outcome.code, 128 + SIGPIPE);
  EXPECT_THAT(outcome.err, testing::Not(HasSubstr("error")));
}

TEST_F(Cli, ResultsThatCannotBeWrittenAreAnError) {
  const auto to = [](const char* path) { return [path] { dup2(open(path, O_WRONLY), 1); }; };
  EXPECT_EQ(ddpm({"--version"}, {}, to("/dev/full")).code, 4);
  EXPECT_EQ(ddpm({"--version"}, {}, [] { close(1); }).code, 4);
}

TEST_F(Cli, ClosedStandardStreamsSpoilNoFile) {
  train();
  const Words sample = {"sample", "runs/tiny", "-n", "1", "--plan", "ddim:2", "-o", "x.npy"};
  ASSERT_EQ(ddpm(sample).code, 0);
  const std::string clean = bytes("x.npy");
  fs::remove(folder_ / "x.npy");
  const Outcome outcome = ddpm(sample, {}, [] { close(2); });  // where progress goes
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(bytes("x.npy"), clean);
}

TEST_F(Cli, FileNamesMayHoldAnyBytes) {
  train();
  for (const std::string name :
       {"a b.png", "\xFF\xFE.png", "\xEA\xB7\xB8\xEB\xA6\xBC.png", "$(x).png"}) {
    const Outcome outcome =
        ddpm({"sample", "runs/tiny", "-n", "1", "--plan", "ddim:2", "-o", name});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(fs::exists(folder_ / name));
    expect_document(ddpm({"info", name, "--json"}), "ddpm.info/1");
  }
}

TEST_F(Cli, AFullDiskIsExitFourAndLeavesNothing) {
  train();
  const auto before = tree(folder_.path());
  const auto small_files = [] {
    const rlimit limit = {1024, 1024};  // each file, in bytes
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  for (const char* out : {"x.npy", "x.png"}) {
    const Outcome outcome =
        ddpm({"sample", "runs/tiny", "-n", "16", "--plan", "ddim:2", "-o", out}, {}, small_files);
    EXPECT_EQ(outcome.code, 4) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(out));
    EXPECT_EQ(tree(folder_.path()), before);
  }
}

TEST_F(Cli, TrainingOnASmallTmpfsSaysWhatItNeeds) {
  fs::create_directory(folder_ / "full");
  const std::string mounted = "mount -t tmpfs -o size=64k none full && ";
  if (run(folder_.path(), {"unshare", "-rm", "sh", "-c", mounted + "true"}).code != 0)
    GTEST_SKIP() << "may not mount";
  const Outcome outcome =
      run(folder_.path(),
          {"unshare", "-rm", "sh", "-c",
           mounted + "'" DDPM_PROGRAM
                     "' train tiny.toml --out full/run; echo $?; ls full/run/checkpoints"});
  EXPECT_THAT(outcome.out, StartsWith("4\n"));
  EXPECT_THAT(outcome.err, HasSubstr("free bytes"));
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("step-")));
}

TEST_F(Cli, NoHomeAndNoTerminalAreFine) {
  const Outcome outcome = ddpm({"data", "images-idx3-ubyte"}, {}, [] {
    for (const char* name : {"HOME", "TERM", "LANG", "PATH"}) unsetenv(name);
  });
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("\x1b")));
}

TEST_F(Cli, ConvertWritesAFolderThatSamplesAlikeAndNeverReplacesOne) {
  train();
  ASSERT_EQ(ddpm({"convert", "runs/tiny", "whole"}).code, 0);
  ASSERT_EQ(ddpm({"convert", "whole", "half/", "--weights", "f16"}).out, "half\n");
  const std::string weights = "/unet/diffusion_pytorch_model.safetensors";
  EXPECT_EQ(bytes("whole" + weights), bytes("runs/tiny/checkpoints/step-00000004" + weights));
  EXPECT_LT(bytes("half" + weights).size(), bytes("whole" + weights).size() * 7 / 10);
  EXPECT_EQ(ddpm({"sample", "half", "-n", "1", "--plan", "ddim:2", "-o", "h.png"}).code, 0);
  const Outcome again = ddpm({"convert", "whole", "half"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.err, HasSubstr("half exists"));
}

}  // namespace
}  // namespace ddpm::test
