// Sampling many images: any number in bounded memory, killed and gone on with, in parts, traced.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "ddpm/data/npy.h"
#include "ddpm/image/png.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"
#include "tests/tiny_models.h"

namespace ddpm::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Sample : public Cli {
 protected:
  void SetUp() override { write_files(folder_, "runs/tiny", model_files(tiny_model({}))); }

  Outcome sample(const Words& more) const {
    Words words = {"sample", "runs/tiny", "--plan", "ddim:2", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return ddpm(words);
  }

  std::string sampled(const Words& more, const std::string& file) const {
    const Outcome outcome = sample(more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return bytes(file);
  }

  // Starts slow samples, waits for the first of them to be kept, and kills the process.
  void kill_midway(const Words& words, const fs::path& state) const {
    const Process process(folder_.path(), test::ddpm(words));
    for (int i = 0; i < 3000 && !fs::exists(state); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_TRUE(fs::exists(state));
    process.send(SIGKILL);
    EXPECT_EQ(process.wait().code, 128 + SIGKILL);
    ASSERT_TRUE(fs::exists(state)) << "it was done before it was killed";
  }
};

NpyArray array_of(const std::string& bytes, const std::string& key) {
  return value_or_throw(parse_npz(bytes, "npz")).at(key);
}

TEST_F(Sample, NpzHoldsThePixelsOfThePngs) {
  const std::string npz = sampled({"-n", "5", "-o", "x.npz"}, "x.npz");
  ASSERT_EQ(sample({"-n", "5", "-o", "x/"}).code, 0);
  const NpyArray images = array_of(npz, "arr_0");
  EXPECT_EQ(images.type, NpyType::u8);
  EXPECT_EQ(images.shape, (std::vector<std::int64_t>{5, 8, 8, 1}));
  std::string pixels;
  for (int i = 0; i < 5; ++i) {
    const Image image = read_png(folder_ / fmt::format("x/{:06}.png", i)).value();
    pixels.append(image.pixels.begin(), image.pixels.end());
  }
  EXPECT_EQ(images.bytes, pixels);
}

TEST_F(Sample, KilledAndStartedAgainGivesTheSameBytes) {
  for (const std::string out : {"x.npy", "x.npz"}) {
    const Words words = {"sample",  "runs/tiny", "-n", "400", "--plan",
                         "ddpm:20", "--seed",    "4",  "-o",  out};
    kill_midway(words, folder_ / (out + ".part.json"));
    EXPECT_FALSE(fs::exists(folder_ / out));
    const Outcome second = ddpm(words);
    ASSERT_EQ(second.code, 0) << second.err;
    EXPECT_THAT(second.err, testing::ContainsRegex("[0-9]+ of 400 images are there; going on"));
    const std::string resumed = bytes(out);
    EXPECT_FALSE(fs::exists(folder_ / (out + ".part")));
    EXPECT_FALSE(fs::exists(folder_ / (out + ".part.json")));
    fs::remove(folder_ / out);
    const Outcome whole = ddpm(words);
    EXPECT_THAT(whole.err, testing::Not(HasSubstr("going on")));
    EXPECT_EQ(bytes(out), resumed) << out;
  }
}

TEST_F(Sample, AKilledFolderIsGoneOnWith) {
  const Words words = {"sample", "runs/tiny", "-n", "160", "--plan", "ddpm:20", "-o", "x/"};
  kill_midway(words, folder_ / "x/.ddpm-sample.json");
  const std::size_t kept = tree(folder_ / "x").size();
  const auto first_made = fs::last_write_time(folder_ / "x/000000.png");
  const Outcome second = ddpm(words);
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("going on"));
  EXPECT_LT(kept, 160U);
  EXPECT_EQ(fs::last_write_time(folder_ / "x/000000.png"), first_made);
  const auto resumed = tree(folder_ / "x");
  EXPECT_EQ(resumed.size(), 160U);
  fs::remove_all(folder_ / "x");
  ASSERT_EQ(ddpm(words).code, 0);
  EXPECT_EQ(tree(folder_ / "x"), resumed);
}

TEST_F(Sample, UnfinishedSamplesAreNotMixedWithOthers) {
  const Words words = {"sample", "runs/tiny", "-n", "800", "--plan", "ddpm:20", "-o", "x.npy"};
  kill_midway(words, folder_ / "x.npy.part.json");
  const auto before = tree(folder_.path());
  Words other = words;
  other.insert(other.end(), {"--seed", "9"});
  const Outcome seed = ddpm(other);
  EXPECT_EQ(seed.code, 2);
  EXPECT_THAT(seed.err, HasSubstr("x.npy.part.json belongs to unfinished samples with seed 0, "
                                  "not 9; try the same command again"));
  other = {"sample", "runs/tiny", "-n", "800", "--plan", "ddpm:20,clip=0", "-o", "x.npy"};
  EXPECT_THAT(ddpm(other).err, HasSubstr("plan ddpm:20, not ddpm:20,clip=0"));
  EXPECT_EQ(tree(folder_.path()), before);
}

TEST_F(Sample, AnInterruptSaysThatTheSameCommandGoesOn) {
  const Words words = {"sample", "runs/tiny", "-n", "10000000", "-o", "x.npy"};
  const Process process(folder_.path(), test::ddpm(words));
  for (int i = 0; i < 3000 && !fs::exists(folder_ / "x.npy.part.json"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  process.send(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.code, 128 + SIGINT);
  EXPECT_THAT(outcome.err, HasSubstr("of 10000000 images are kept; the same command goes on"));
  EXPECT_FALSE(fs::exists(folder_ / "x.npy"));
}

TEST_F(Sample, ASecondProcessAtTheSameFileIsRefused) {
  const Words words = {"sample", "runs/tiny", "-n", "10000000", "-o", "x.npy"};
  const Process process(folder_.path(), test::ddpm(words));
  for (int i = 0; i < 3000 && !fs::exists(folder_ / "x.npy.part.json"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const Outcome second = ddpm(words);
  EXPECT_EQ(second.code, 2);
  EXPECT_THAT(second.err, HasSubstr("another process is at it"));
  process.send(SIGKILL);
  process.wait();
}

TEST_F(Sample, PartsTogetherAreTheWhole) {
  for (const std::string kind : {"npy", "npz"}) {
    const std::string whole = sampled({"-n", "41", "-o", "x." + kind}, "x." + kind);
    Words join = {"join", "-o", "joined." + kind};
    for (int i = 0; i < 3; ++i) {
      const std::string part = fmt::format("part{}.{}", i, kind);
      EXPECT_EQ(sample({"-n", "41", "--shard", fmt::format("{}/3", i), "-o", part}).code, 0);
      join.push_back(part);
    }
    const Outcome joined = ddpm(join);
    ASSERT_EQ(joined.code, 0) << joined.err;
    EXPECT_EQ(joined.out, "joined." + kind + "\n");
    EXPECT_EQ(bytes("joined." + kind), whole);
  }
  ASSERT_EQ(sample({"-n", "41", "-o", "whole/"}).code, 0);
  for (const char* shard : {"1/2", "0/2"}) {
    ASSERT_EQ(sample({"-n", "41", "--shard", shard, "-o", "parts/"}).code, 0);
  }
  EXPECT_EQ(tree(folder_ / "parts"), tree(folder_ / "whole"));
}

TEST_F(Sample, JoinRefusesWhatDoesNotFit) {
  ASSERT_EQ(sample({"-n", "2", "-o", "a.npy"}).code, 0);
  folder_.write("other.npy", write_npy(npy_f32({2, 1, 4, 4}, std::vector<float>(32))));
  folder_.write("number.npy", write_npy(npy_f32({}, {1})));
  folder_.write("short.npy", bytes("a.npy").substr(0, 200));
  const auto refusal = [&](const Words& parts, const std::string& out, int code) {
    Words words = {"join", "-o", out};
    words.insert(words.end(), parts.begin(), parts.end());
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "x.npy"));
    return outcome.err;
  };
  EXPECT_THAT(refusal({"a.npy", "other.npy"}, "x.npy", 3), HasSubstr("other.npy has other arrays"));
  EXPECT_THAT(refusal({"a.npy", "number.npy"}, "x.npy", 3), HasSubstr("a single number"));
  EXPECT_THAT(refusal({"a.npy", "short.npy"}, "x.npy", 3), HasSubstr("cut short"));
  EXPECT_THAT(refusal({"a.npy", "none.npy"}, "x.npy", 3), HasSubstr("no such file"));
  EXPECT_THAT(refusal({"a.npy"}, "x.npz", 2), HasSubstr("expected .npz files"));
  EXPECT_THAT(refusal({"a.npy"}, "x.txt", 2), HasSubstr("expected FILE.npy or FILE.npz"));
}

TEST_F(Sample, ShardsThatMakeNoSenseAreRefused) {
  for (const char* shard : {"2/2", "3/2", "1", "1/", "/2", "a/b", "1/2/3", "-1/2", "0/0", "1/9"}) {
    const Outcome outcome = sample({"-n", "8", "--shard", shard, "-o", "x.npy"});
    EXPECT_EQ(outcome.code, 2) << shard;
    EXPECT_THAT(outcome.err, HasSubstr(fmt::format("got --shard {}", shard)));
  }
}

TEST_F(Sample, APngOfAFolderTellsTheCommandThatRemakesItAlone) {
  ASSERT_EQ(sample({"-n", "20", "--first", "100", "--seed", "6", "-o", "x/"}).code, 0);
  const std::string command = read_png_text(folder_ / "x/000117.png").value().at("ddpm:command");
  const std::string program = fs::path(DDPM_PROGRAM).parent_path().string();
  ASSERT_EQ(run(folder_.path(), {"sh", "-c", "PATH=" + program + ":$PATH; " + command}).code, 0);
  EXPECT_EQ(bytes("000117.png"), bytes("x/000117.png"));
}

TEST_F(Sample, TraceKeepsEveryRowAndAnimatesIt) {
  const Outcome outcome = sample(
      {"-n", "6", "--first", "10", "-o", "x.npy", "--trace", "t", "--trace-images", "12,15"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const NpyArray whole = parse_npy(bytes("x.npy"), "x").value();
  const NpyArray x = parse_npy(bytes("t/x.npy"), "x").value();
  const NpyArray x0 = parse_npy(bytes("t/x0.npy"), "x0").value();
  EXPECT_EQ(x.shape, (std::vector<std::int64_t>{3, 2, 1, 8, 8}));
  EXPECT_EQ(x0.shape, (std::vector<std::int64_t>{2, 2, 1, 8, 8}));
  const std::size_t image = 64 * sizeof(float);
  EXPECT_EQ(x.bytes.substr(4 * image, image), whole.bytes.substr(2 * image, image));
  EXPECT_EQ(x.bytes.substr(5 * image, image), whole.bytes.substr(5 * image, image));
  // DDIM ends at the x0 of its last call.
  EXPECT_EQ(x0.bytes.substr(2 * image), x.bytes.substr(4 * image));
  const Image frame = read_png(folder_ / "t/trace.png").value();
  EXPECT_EQ(frame.width, 2 * 8 + 3 * 2);
  EXPECT_EQ(frame.height, 2 * 8 + 3 * 2);
  EXPECT_THAT(bytes("t/trace.png"), HasSubstr(std::string("acTL\0\0\0\x03", 8)));
  const Json json = parse_json(bytes("t/trace.json"), "json").value();
  EXPECT_EQ(json.find("schema")->text, "ddpm.trace/1");
  EXPECT_EQ(json.find("times")->items.size(), 2U);
}

TEST_F(Sample, TraceOfImagesBeyondTheFirstBatchIsRefused) {
  const Outcome outcome =
      sample({"-n", "30", "-o", "x.npy", "--trace", "t", "--trace-images", "16"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("got --trace-images 16, expected numbers in 0..15"));
  EXPECT_FALSE(fs::exists(folder_ / "t"));
  EXPECT_EQ(sample({"-n", "3", "--trace-images", "1"}).code, 2);
}

// The peak of resident memory of a child that draws n images.
long peak_kib(const fs::path& folder, const std::string& n, const std::string& out) {
  const std::vector<std::string> words = {DDPM_PROGRAM, "sample", "runs/tiny", "-n", n,
                                          "--plan",     "ddim:1", "--threads", "1",  "-o",
                                          out};
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(open("/dev/null", O_RDWR), 1);
    dup2(open("/dev/null", O_RDWR), 2);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    if (chdir(folder.c_str()) == 0) execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  rusage usage = {};
  EXPECT_EQ(wait4(pid, &status, 0, &usage), pid);
  EXPECT_EQ(status, 0);
  return usage.ru_maxrss;
}

// 10,000 images of 256 bytes are 2.5 MB as floats; what a run of 32 images takes may vary by pages
// of libraries and of the heap, for which 512 KiB are allowed.
TEST_F(Sample, TenThousandImagesTakeNoMoreMemoryThanThirtyTwo) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer keeps what was freed";
#endif
  for (const char* out : {"x.npy", "x.npz"}) {
    const long few = peak_kib(folder_.path(), "32", out);
    const long many = peak_kib(folder_.path(), "10000", out);
    EXPECT_LT(many, few + 512) << out;
  }
  EXPECT_EQ(parse_npy(bytes("x.npy"), "x").value().shape[0], 10000);
}

}  // namespace
}  // namespace ddpm::test
