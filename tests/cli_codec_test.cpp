// compress, decompress, truncate, verify, info and rd, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/codec/container.h"
#include "ddpm/image/png.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

const std::string kGolden = DDPM_SOURCE_DIR "/tests/golden/codec/";
const std::string kModel = kGolden + "model";

class CodecCli : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    std::filesystem::copy(kGolden + "images", folder_ / "images");
  }

  Outcome good(const Words& words, const Environment& environment = {}) const {
    Outcome outcome = ddpm(words, environment);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  }

  void expect_error(const Words& words, int code, const std::string& message) const {
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }

  void expect_images(const std::string& folder, int count) const {
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("/{:06}.png", i);
      EXPECT_EQ(value_or_throw(read_png(folder_ / (folder + name))).pixels,
                value_or_throw(read_png(kGolden + "images" + name)).pixels)
          << name;
    }
  }
};

struct Machine {
  const char* isa;
  const char* threads;
};
constexpr Machine kMachines[] = {{"avx512", "2"}, {"avx2", "1"}, {"scalar", "2"}};
constexpr const char* kModes[] = {"lossy", "progressive", "lossless", "chain"};

// Whatever encodes makes the golden bytes, and whatever decodes the golden pixels. A CPU that lacks
// an instruction set leaves it out.
TEST_F(CodecCli, EveryInstructionSetAndThreadCountMakesAndReadsTheGoldenFiles) {
  int machines = 0;
  for (const auto& [isa, threads] : kMachines) {
    const Environment environment{{"DDPM_ISA", isa}};
    if (ddpm({"--version"}, environment).code != 0) continue;
    ++machines;
    for (const std::string mode : kModes) {
      good({"compress", kModel, "images", "--mode", mode, "-o", "x.ddpc", "--threads", threads},
           environment);
      EXPECT_EQ(bytes("x.ddpc"), read_file(kGolden + mode + ".ddpc").value()) << isa << mode;
      const std::string folder = mode + isa;
      good({"decompress", kGolden + mode + ".ddpc", "--model", kModel, "-o", folder + "/",
            "--threads", threads},
           environment);
      if (mode != "lossy") {
        expect_images(folder, 5);
        continue;
      }
      for (int i = 0; i < 5; ++i) {
        const std::string name = fmt::format("/{:06}.png", i);
        EXPECT_EQ(value_or_throw(read_png(folder_ / (folder + name))).pixels,
                  value_or_throw(read_png(kGolden + "lossy" + name)).pixels);
      }
    }
  }
  EXPECT_GE(machines, 1);
}

TEST_F(CodecCli, AFileFindsItsModelByItsFingerprint) {
  const Environment environment{{"DDPM_MODELS", kGolden}};
  good({"compress", kModel, "images/000000.png", "--mode", "lossless", "-o", "x.ddpc"});
  const Outcome outcome = good({"decompress", "x.ddpc", "-o", "x.png"}, environment);
  EXPECT_THAT(outcome.out, HasSubstr("x.png: 1 image, the originals"));
  EXPECT_EQ(value_or_throw(read_png(folder_ / "x.png")).pixels,
            value_or_throw(read_png(kGolden + "images/000000.png")).pixels);
  expect_error({"decompress", "x.ddpc", "-o", "x.png"}, 3, "none has the file's fingerprint");
  expect_error({"decompress", "x.ddpc", "-o", "x.png", "--model", "fashion-mnist"}, 3,
               "try without --model");
}

TEST_F(CodecCli, TruncatedAndWholeFilesAreVerified) {
  good({"compress", kModel, "images", "--mode", "progressive", "-o", "x.ddpc"});
  EXPECT_THAT(good({"verify", "x.ddpc", "images", "--model", kModel}).out,
              HasSubstr("5 images, equal to IN, pixel for pixel"));
  good({"truncate", "x.ddpc", "--bytes", "90", "-o", "cut.ddpc"});
  EXPECT_LE(bytes("cut.ddpc").size(), 90U);
  EXPECT_THAT(good({"verify", "cut.ddpc", "images", "--model", kModel}).out, HasSubstr("PSNR"));
  good({"decompress", "cut.ddpc", "-o", "a/", "--model", kModel});
  good({"decompress", "x.ddpc", "--bytes", "90", "-o", "b/", "--model", kModel, "--frames", "f"});
  EXPECT_EQ(tree(folder_ / "a"), tree(folder_ / "b"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "f/0000.png"));
  const Json j = value_or_throw(
      parse_json(good({"verify", "x.ddpc", "images", "--model", kModel, "--json"}).out, "out"));
  EXPECT_EQ(j.find("schema")->text, "ddpm.verify/1");
  EXPECT_TRUE(j.find("equal")->truth);
}

TEST_F(CodecCli, LimitsAreKept) {
  good({"compress", kModel, "images", "--bytes", "100", "-o", "x.ddpc"});
  EXPECT_LE(bytes("x.ddpc").size(), 100U);
  good({"compress", kModel, "images/000001.png", "--bpp", "2", "-o", "y.ddpc"});
  EXPECT_LE(bytes("y.ddpc").size(), 16U);
  good({"compress", kModel, "images/000001.png", "--upto", "10", "-o", "z.ddpc"});
  good({"compress", kModel, "images/000001.png", "--psnr", "15", "-o", "p.ddpc"});
}

TEST_F(CodecCli, InfoTellsTheFields) {
  EXPECT_THAT(good({"info", kGolden + "chain.ddpc"}).out, HasSubstr("DDPC        lossless chain"));
  const Environment environment{{"DDPM_MODELS", kGolden}};
  const Outcome outcome = good({"info", kGolden + "progressive.ddpc"}, environment);
  EXPECT_THAT(outcome.out, HasSubstr("expected PSNR"));
  const Json j = value_or_throw(
      parse_json(good({"info", kGolden + "progressive.ddpc", "--json"}, environment).out, "out"));
  EXPECT_EQ(j.find("kind")->text, "ddpc");
  EXPECT_GT(j.find("segments")->items.size(), 2U);
}

TEST_F(CodecCli, CalibrationIsWrittenOnceAndMakesShorterFiles) {
  train();
  good({"compress", "runs/tiny", "images", "--mode", "chain", "-o", "before.ddpc"});
  EXPECT_THAT(good({"compress", "--calibrate", "runs/tiny", "images-idx3-ubyte", "-n", "24"}).out,
              HasSubstr("measured on 24 images"));
  good({"compress", "runs/tiny", "images", "--mode", "chain", "-o", "after.ddpc"});
  EXPECT_LT(bytes("after.ddpc").size(), bytes("before.ddpc").size());
  expect_error({"compress", "--calibrate", "runs/tiny", "images-idx3-ubyte"}, 2,
               "is calibrated already");
}

TEST_F(CodecCli, RateAndDistortionStandInATable) {
  const Outcome outcome = good({"rd", kModel, "images", "-n", "3"});
  EXPECT_THAT(outcome.out, HasSubstr("codec,setting,bytes_per_image,bits_per_dim,psnr_db"));
  for (const char* row :
       {"ideal KL,", "ddpm payload,", "ddpm,\"chain\"", "png,\"sheet\"", "gzip,"}) {
    EXPECT_THAT(outcome.out, HasSubstr(row));
  }
}

TEST_F(CodecCli, WrongInputIsRefusedByName) {
  folder_.write("no.ddpc", "DDPC");
  folder_.write("newer.ddpc", std::string("DDPC\x1f", 5) + std::string(20, 'x'));
  const std::string chain = kGolden + "chain.ddpc";
  std::string bad = read_file(chain).value();
  bad[bad.size() - 9] = static_cast<char>(bad[bad.size() - 9] ^ 4);
  folder_.write("bad.ddpc", bad);
  folder_.write("cut.ddpc", read_file(chain).value().substr(0, bad.size() - 5));
  expect_error({"decompress", "no.ddpc", "-o", "a.png"}, 3, "end in the header");
  expect_error({"decompress", "newer.ddpc", "-o", "a.png"}, 3, "try a newer ddpm");
  expect_error({"decompress", "missing.ddpc", "-o", "a.png"}, 3, "missing.ddpc");
  expect_error({"decompress", chain, "-o", "a.png"}, 2, "expected -o FOLDER/ or --image N");
  expect_error({"decompress", chain, "-o", "a.jpg"}, 2, "expected FILE.png or FOLDER/");
  expect_error({"compress", kModel, "images"}, 2, "expected -o OUT.ddpc");
  expect_error({"compress", kModel, "images", "-o", "x", "--mode", "chain", "--bytes", "9"}, 2,
               "expected it with lossy alone");
  expect_error({"truncate", chain, "--bytes", "50", "-o", "x"}, 3, "can't be cut");
  expect_error({"compress", kModel, "nothing.png", "-o", "x"}, 3, "nothing.png");
  for (const std::string name : {"bad.ddpc", "cut.ddpc"}) {
    const Outcome outcome = ddpm({"decompress", name, "-o", "o/", "--model", kModel});
    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("[codec]"));
  }
}

}  // namespace
}  // namespace ddpm::test
