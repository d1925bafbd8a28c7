// Whatever is wrong with the input: the exit code, a message that names it, and nothing written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/image/png.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

struct BadCommand {
  const char* name;
  Words arguments;
  int code;
  std::string message;
  bool needs_model = false;
};

class BadCommands : public Cli, public testing::WithParamInterface<BadCommand> {
 protected:
  void SetUp() override {
    Cli::SetUp();
    const std::string idx = idx_images(24, 8);
    folder_.write("short-idx3-ubyte", idx.substr(0, idx.size() - 100));
    folder_.write("pngs/broken.png", "this is no PNG");
    folder_.write("broken.png", "this is no PNG");
    folder_.write("syntax.toml", "[data\n");
    folder_.write("unknown.toml",
                  tiny_config("images-idx3-ubyte") + "lerning_rate = 1e-3\nsave_evry = 2\n");
    folder_.write("empty.safetensors", "");
    fs::create_directory(folder_ / "folder");
    fs::create_directory(folder_ / "empty");
    write_png(folder_ / "good.png", blank_image(8, 8, 1, 100));
    if (GetParam().needs_model) train();
  }
};

TEST_P(BadCommands, ExitWithACodeAMessageAndNothingWritten) {
  const auto before = tree(folder_.path());
  const Outcome outcome = ddpm(GetParam().arguments);
  EXPECT_EQ(outcome.code, GetParam().code) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("ddpm: error: ["));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(tree(folder_.path()), before);
}

Words train_with(const std::string& set) { return {"train", "tiny.toml", "--set", set}; }
Words sample_to(const std::string& out) { return {"sample", "runs/tiny", "-n", "1", "-o", out}; }

INSTANTIATE_TEST_SUITE_P(
    Table, BadCommands,
    testing::ValuesIn(std::vector<BadCommand>{
        {"nothing", {}, 2, "subcommand"},
        {"unknown_command",
         {"smaple", "m"},
         2,
         "got `smaple`, expected a command; try ddpm sample"},
        {"far_command", {"dance"}, 2, "got `dance`, expected a command; try ddpm --help"},
        {"unknown_flag",
         {"sample", "m", "--cuont", "3"},
         2,
         "sample: got --cuont, which is no option; try --count"},
        {"far_flag",
         {"sample", "m", "--temperature=2"},
         2,
         "got --temperature, which is no option; try ddpm sample --help"},
        {"unknown_short_flag", {"sample", "m", "-q"}, 2, "-q"},
        {"missing_argument", {"sample"}, 2, "model is required"},
        {"extra_argument", {"info", "a", "b"}, 2, "b"},
        {"count_of_zero", {"sample", "m", "-n", "0"}, 2, "--count"},
        {"count_of_words", {"sample", "m", "-n", "many"}, 2, "--count"},
        {"negative_seed",
         {"sample", "m", "--seed", "-1"},
         2,
         "--seed: got `-1`, expected a whole number"},
        {"octal_seed",
         {"sample", "m", "--seed", "010"},
         2,
         "--seed: got `010`, expected a whole number"},
        {"huge_seed", {"sample", "m", "--seed", "18446744073709551616"}, 2, "--seed"},
        {"negative_threads", {"sample", "m", "--threads", "-1"}, 2, "--threads"},
        {"first_beyond_2_44", {"sample", "m", "--first", "17592186044416"}, 2, "2^44"},
        {"missing_config", {"train", "missing.toml"}, 3, "missing.toml"},
        {"folder_for_config", {"train", "folder"}, 3, "folder"},
        {"device_for_config", {"train", "/dev/zero"}, 3, "/dev/zero"},
        {"bad_toml", {"train", "syntax.toml"}, 2, "syntax.toml:1:"},
        {"unknown_keys",
         {"train", "unknown.toml"},
         2,
         "train.lerning_rate: unknown key; try learning_rate\nddpm: error: [config] unknown.toml:"},
        {"bad_set", train_with("train.steps"), 2, "expected TABLE.KEY=VALUE"},
        {"groups", train_with("net.norm_num_groups=3"), 2,
         "expected multiples of norm_num_groups = 3"},
        {"impossible_size", train_with("net.height=7"), 2,
         "net.height: got 7, expected a multiple of 2"},
        {"other_size_than_data", train_with("net.height=16"), 2, "16"},
        {"missing_data", train_with("data.path=missing"), 3, "missing"},
        {"folder_without_images", train_with("data.path=empty"), 3, "empty"},
        {"truncated_idx", train_with("data.path=short-idx3-ubyte"), 3, "short-idx3-ubyte"},
        {"too_few_images", train_with("train.batch=100"), 3, "got 24 images"},
        {"truncated_idx_to_look_at", {"data", "short-idx3-ubyte"}, 3, "short-idx3-ubyte"},
        {"not_a_png_in_data", {"data", "pngs"}, 3, "broken.png"},
        {"missing_model", {"sample", "no-such-model"}, 3, "no-such-model"},
        {"file_for_model", {"sample", "good.png"}, 3, "expected a model folder"},
        {"empty_folder_for_model", {"sample", "empty"}, 3, "empty"},
        {"not_a_png", {"forward", "linear:1000", "broken.png"}, 3, "broken.png"},
        {"folder_for_png", {"forward", "linear:1000", "folder"}, 3, "folder"},
        {"bad_schedule", {"forward", "linear:x", "good.png"}, 2, "linear"},
        {"neither_model_nor_schedule", {"forward", "lineer:10", "good.png"}, 3, "try a schedule"},
        {"one_frame", {"forward", "linear:10", "good.png", "--frames", "1"}, 2, "--frames"},
        {"more_frames_than_times",
         {"forward", "linear:10", "good.png", "--frames", "12"},
         2,
         "expected 2..11"},
        {"empty_tensor_file", {"info", "empty.safetensors"}, 3, "empty.safetensors"},
        {"info_about_nothing", {"info", "missing.png"}, 3, "missing.png"},
        {"broken_png_to_look_at", {"info", "broken.png"}, 3, "broken.png"},
        {"bad_plan", {"sample", "runs/tiny", "--plan", "ddmi:5"}, 2, "ddmi", true},
        {"plan_beyond_T", {"sample", "runs/tiny", "--plan", "ddim:21"}, 2, "21", true},
        {"unknown_output", sample_to("x.jpg"), 2,
         "expected FILE.png, FILE.npy, FILE.npz or FOLDER/", true},
        {"no_folder_for_output", sample_to("no/x.png"), 2, "try mkdir -p no", true},
        {"missing_tensors",
         {"predict", "runs/tiny", "missing.safetensors", "o.safetensors"},
         3,
         "missing.safetensors",
         true},
        {"resume_none_over_checkpoints",
         {"train", "tiny.toml", "--resume", "none"},
         2,
         "runs/tiny has checkpoints",
         true},
        {"checkpoint_of_another_config", train_with("train.batch=8"), 2, "train.batch", true},
        {"resume_from_nowhere", {"train", "tiny.toml", "--resume", "missing"}, 3, "missing", true},
        {"resume_alone_takes_no_option",
         {"train", "tiny.toml", "--resume", "--set", "train.batch=8"},
         2,
         "8 now",
         true},
    }),
    [](const auto& bad) { return bad.param.name; });

}  // namespace
}  // namespace ddpm::test
