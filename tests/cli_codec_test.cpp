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

  std::vector<std::uint8_t> pixels(const std::string& file) const {
    return value_or_throw(read_png(folder_ / file)).pixels;
  }

  void expect_images(const std::string& folder, int count) const {
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("/{:06}.png", i);
      EXPECT_EQ(pixels(folder + name), pixels("images" + name)) << name;
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
class CodecGolden : public CodecCli {
 protected:
  void expect_golden(const std::string& files, const std::string& model) const {
    int machines = 0;
    for (const Machine& machine : kMachines) {
      if (ddpm({"--version"}, {{"DDPM_ISA", machine.isa}}).code != 0) continue;
      ++machines;
      for (const std::string mode : kModes) expect_golden(files, model, mode, machine);
    }
    EXPECT_GE(machines, 1);
  }

 private:
  void expect_golden(const std::string& files, const std::string& model, const std::string& mode,
                     const Machine& machine) const {
    const Environment environment{{"DDPM_ISA", machine.isa}};
    const Words threads = {"--threads", machine.threads};
    const auto run = [&](Words words) {
      words.insert(words.end(), threads.begin(), threads.end());
      good(words, environment);
    };
    run({"compress", model, "images", "--mode", mode, "-o", "x.ddpc"});
    EXPECT_EQ(bytes("x.ddpc"), read_file(files + mode + ".ddpc").value()) << machine.isa << mode;
    const std::string folder = mode + machine.isa;
    run({"decompress", files + mode + ".ddpc", "--model", model, "-o", folder + "/"});
    if (mode != "lossy") return expect_images(folder, 5);
    for (int i = 0; i < 5; ++i) {
      const std::string name = fmt::format("/{:06}.png", i);
      EXPECT_EQ(pixels(folder + name), value_or_throw(read_png(files + "lossy" + name)).pixels);
    }
  }
};

TEST_F(CodecGolden, EveryInstructionSetAndThreadCountMakesAndReadsTheFiles) {
  expect_golden(kGolden, kModel);
}

// The same network with tables of later formats.
TEST_F(CodecGolden, EveryInstructionSetAndThreadCountMakesAndReadsTheFilesOfLaterFormats) {
  std::filesystem::copy(kModel, folder_ / "model", std::filesystem::copy_options::recursive);
  for (const std::string format : {"format-2/", "format-3/", "format-4/"}) {
    std::filesystem::copy_file(kGolden + format + "ddpm.json", folder_ / "model/ddpm.json",
                               std::filesystem::copy_options::overwrite_existing);
    expect_golden(kGolden + format, "model");
  }
}

TEST_F(CodecCli, AFileFindsItsModelByItsFingerprint) {
  const Environment environment{{"DDPM_MODELS", kGolden}};
  good({"compress", kModel, "images/000000.png", "--mode", "lossless", "-o", "x.ddpc"});
  const Outcome outcome = good({"decompress", "x.ddpc", "-o", "x.png"}, environment);
  EXPECT_THAT(outcome.out, HasSubstr("x.png: 1 image, the originals"));
  EXPECT_EQ(pixels("x.png"), pixels("images/000000.png"));
  expect_error({"decompress", "x.ddpc", "-o", "x.png"}, 3, "none has the file's fingerprint");
  expect_error({"decompress", "x.ddpc", "-o", "x.png", "--model", "fashion-mnist"}, 3,
               "try without --model");
}

// A model that is half copied hides no other, and is told of where none fits.
TEST_F(CodecCli, ABrokenModelFolderHidesNoOther) {
  folder_.write("models/a/diffusion_pytorch_model.safetensors", "");
  std::filesystem::copy(kModel, folder_ / "models/b", std::filesystem::copy_options::recursive);
  const Environment environment{{"DDPM_MODELS", "models"}};
  good({"decompress", kGolden + "lossless.ddpc", "-o", "x/"}, environment);
  expect_images("x", 5);
  std::filesystem::remove_all(folder_ / "models/b");
  const Outcome outcome = ddpm({"decompress", kGolden + "lossless.ddpc", "-o", "y/"}, environment);
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("models/a ([base] read models/a/config.json: no such file)"));
}

TEST_F(CodecCli, TruncatedAndWholeFilesAreVerified) {
  good({"compress", kModel, "images", "--mode", "progressive", "-o", "x.ddpc"});
  EXPECT_THAT(good({"verify", "x.ddpc", "images", "--model", kModel}).out,
              HasSubstr("5 images, equal to IN, pixel for pixel"));
  good({"truncate", "x.ddpc", "--bytes", "90", "-o", "cut.ddpc"});
  EXPECT_LE(bytes("cut.ddpc").size(), 90U);
  EXPECT_THAT(good({"verify", "cut.ddpc", "images", "--model", kModel}).out, HasSubstr("PSNR"));
  expect_error({"verify", "x.ddpc", "images", "-n", "4", "--model", kModel}, 3,
               "the file has 5 images, IN 4 images");
  std::filesystem::copy(folder_ / "images", folder_ / "others");
  std::filesystem::copy_file(folder_ / "images/000001.png", folder_ / "others/000000.png",
                             std::filesystem::copy_options::overwrite_existing);
  const Outcome others = ddpm({"verify", "x.ddpc", "others", "--model", kModel});
  EXPECT_EQ(others.code, 3);
  EXPECT_THAT(others.err, HasSubstr("x.ddpc holds other images than IN"));
  good({"decompress", "cut.ddpc", "-o", "a/", "--model", kModel});
  good({"decompress", "x.ddpc", "--bytes", "90", "-o", "b/", "--model", kModel, "--frames", "f"});
  EXPECT_EQ(tree(folder_ / "a"), tree(folder_ / "b"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "f/0000.png"));
  const Json j = json_of({"verify", "x.ddpc", "images", "--model", kModel, "--json"});
  EXPECT_EQ(j.find("schema")->text, "ddpm.verify/1");
  EXPECT_TRUE(j.find("equal")->truth);
  EXPECT_TRUE(j.find("exact")->truth);
  EXPECT_EQ(number(j, "images"), 5);
}

TEST_F(CodecCli, LimitsAreKeptAndUsed) {
  const auto compressed = [&](const std::string& in, const Words& limit) {
    Words words = {"compress", kModel, in, "-o", "x.ddpc"};
    words.insert(words.end(), limit.begin(), limit.end());
    good(words);
    return bytes("x.ddpc").size();
  };
  const std::size_t all = compressed("images", {});
  ASSERT_GT(all, 100U);
  EXPECT_LE(compressed("images", {"--bytes", "100"}), 100U);
  EXPECT_GE(bytes("x.ddpc").size(), 98U);
  const std::string one = "images/000001.png";
  const std::size_t whole = compressed(one, {});
  EXPECT_EQ(compressed(one, {"--bpp", "2"}), 16U);  // of 64 pixels
  EXPECT_LT(compressed(one, {"--upto", "60"}), whole);
  EXPECT_LT(compressed(one, {"--psnr", "15"}), whole);
  EXPECT_GE(number(json_of({"verify", "x.ddpc", one, "--model", kModel, "--json"}), "psnr"), 15);
}

TEST_F(CodecCli, JsonSaysWhatWasWritten) {
  const std::string one = "images/000001.png";
  const Json packed = json_of({"compress", kModel, one, "-o", "x.ddpc", "--json"});
  EXPECT_EQ(packed.find("schema")->text, "ddpm.compress/1");
  EXPECT_EQ(packed.find("mode")->text, "lossy");
  const auto size = static_cast<double>(bytes("x.ddpc").size());
  EXPECT_EQ(number(packed, "bytes"), size);
  EXPECT_DOUBLE_EQ(number(packed, "bits_per_pixel"), size * 8 / 64);
  const Json back = json_of({"decompress", "x.ddpc", "-o", "x.png", "--model", kModel, "--json"});
  EXPECT_EQ(back.find("schema")->text, "ddpm.decompress/1");
  EXPECT_FALSE(back.find("exact")->truth);
  EXPECT_TRUE(back.find("complete")->truth);
}

// mean is the default; the samplers go on from what 20 bytes tell, each in its way.
TEST_F(CodecCli, LossyImagesAreFinishedAsTheyAreAskedFor) {
  good({"compress", kModel, "images/000001.png", "--bytes", "20", "-o", "x.ddpc"});
  for (const std::string recon : {"mean", "flow", "ancestral"}) {
    good({"decompress", "x.ddpc", "-o", recon + ".png", "--recon", recon, "--model", kModel});
  }
  good({"decompress", "x.ddpc", "-o", "usual.png", "--model", kModel});
  EXPECT_EQ(pixels("usual.png"), pixels("mean.png"));
  EXPECT_NE(pixels("flow.png"), pixels("mean.png"));
  EXPECT_NE(pixels("flow.png"), pixels("ancestral.png"));
}

TEST_F(CodecCli, OneImageIsReadOutOfMany) {
  const std::string chain = kGolden + "chain.ddpc";
  good({"decompress", chain, "--image", "3", "-o", "x.png", "--model", kModel});
  EXPECT_EQ(pixels("x.png"), pixels("images/000003.png"));
  const Outcome beyond =
      ddpm({"decompress", chain, "--image", "5", "-o", "y.png", "--model", kModel});
  EXPECT_EQ(beyond.code, 3);
  EXPECT_THAT(beyond.err, HasSubstr("got image 5, expected 0..4"));
}

TEST_F(CodecCli, InfoTellsTheFields) {
  EXPECT_THAT(good({"info", kGolden + "chain.ddpc"}).out, HasSubstr("DDPC        lossless chain"));
  const Environment environment{{"DDPM_MODELS", kGolden}};
  const Outcome outcome = good({"info", kGolden + "progressive.ddpc"}, environment);
  EXPECT_THAT(outcome.out, HasSubstr("expected PSNR"));
  const Json j = json_of({"info", kGolden + "progressive.ddpc", "--json"}, environment);
  EXPECT_EQ(j.find("kind")->text, "ddpc");
  EXPECT_EQ(number(j, "images"), 5);
  EXPECT_EQ(j.find("transmitter")->text, "hadamard");
  EXPECT_EQ(j.find("model")->text.size(), 16U);
  const auto& segments = j.find("segments")->items;
  ASSERT_GT(segments.size(), 2U);
  for (std::size_t i = 1; i < segments.size(); ++i) {
    EXPECT_LT(number(segments[i], "t"), number(segments[i - 1], "t"));
    EXPECT_GE(number(segments[i], "bits"), number(segments[i - 1], "bits"));
  }
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
  const Json j = json_of({"rd", kModel, "images", "-n", "3", "--json"});
  double single = -1;
  for (const Json& row : j.find("rows")->items) {
    EXPECT_DOUBLE_EQ(number(row, "bits_per_dim"), number(row, "bytes_per_image") * 8 / 64);
    if (row.find("setting")->text != "lossless, one file an image") continue;
    if (row.find("codec")->text == "ddpm") single = number(row, "bytes_per_image");
  }
  double bytes_of_three = 0;
  for (int i = 0; i < 3; ++i) {
    good({"compress", kModel, fmt::format("images/{:06}.png", i), "--mode", "lossless", "-o", "x"});
    bytes_of_three += static_cast<double>(bytes("x").size());
  }
  EXPECT_DOUBLE_EQ(single, bytes_of_three / 3);
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
