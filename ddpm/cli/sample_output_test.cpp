#include "ddpm/cli/sample_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/data/npy.h"

namespace ddpm::cli {
namespace {

using testing::HasSubstr;

SampleOutputSpec spec_of(const std::string& path, std::int64_t count = 1) {
  SampleOutputSpec spec{path, count, 0, Shape{1, 2, 2}};
  spec.text = [] { return PngText{}; };
  spec.text_of = [](std::uint64_t image) { return PngText{{"image", std::to_string(image)}}; };
  return spec;
}

std::string refusal(const SampleOutputSpec& spec) {
  try {
    make_sample_output(spec);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "";
}

TEST(GridColumns, IsTheRoundedUpRoot) {
  EXPECT_EQ(grid_columns(1), 1);
  EXPECT_EQ(grid_columns(4), 2);
  EXPECT_EQ(grid_columns(5), 3);
  EXPECT_EQ(grid_columns(64), 8);
  EXPECT_EQ(grid_columns(65), 9);
}

// Images 4, 5, 6 of classes that take turns: image 4 is of labels[1].
TEST(SampleGrid, HasARowAClass) {
  std::vector<Image> images;
  for (const std::uint8_t shade : {4, 5, 6}) images.push_back(blank_image(1, 1, 1, shade));
  const Image grid = grid_of_samples(images, 4, {7, 8, 9});
  EXPECT_EQ(grid.width, 1 + 2 * 2);
  EXPECT_EQ(grid.height, 3 + 4 * 2);
  EXPECT_EQ(grid.at(2, 2, 0), 6);
  EXPECT_EQ(grid.at(5, 2, 0), 4);
  EXPECT_EQ(grid.at(8, 2, 0), 5);
  EXPECT_EQ(label_of({7, 8, 9}, 4), 8);
}

TEST(SampleOutput, RefusesWhatItCannotWriteBeforeAnyWork) {
  const TempFolder folder;
  EXPECT_THAT(refusal(spec_of(folder / "x.jpg")), HasSubstr("FILE.png, FILE.npy, FILE.npz or"));
  EXPECT_THAT(refusal(spec_of(folder / "no/x.png")), HasSubstr("try mkdir -p"));
  EXPECT_THAT(refusal(spec_of(folder / "no/x.npy")), HasSubstr("try mkdir -p"));
  EXPECT_THAT(refusal(spec_of(folder / "x.png", 1 << 24)), HasSubstr("-o FOLDER/"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SampleOutput, NumbersTheFilesOfAFolder) {
  const TempFolder folder;
  SampleOutputSpec spec = spec_of(folder / "images/", 3);
  spec.first = 41;
  const auto output = make_sample_output(spec);
  output->add(std::vector<float>(8, 0.5f));
  output->commit();
  output->add(std::vector<float>(4, -1.0f));
  output->finish();
  for (const char* name : {"000041.png", "000042.png", "000043.png"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / "images" / name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "images/.ddpm-sample.json"));
  EXPECT_EQ(read_png(folder / "images/000043.png").value().pixels, std::vector<std::uint8_t>(4, 0));
  EXPECT_EQ(read_png_text(folder / "images/000042.png").value().at("image"), "42");
}

TEST(SampleOutput, ClearsAwayTheHalvesOfAKilledProcessAndNoOthers) {
  const TempFolder folder;
  const SampleOutputSpec spec = spec_of(folder / "", 2);
  make_sample_output(spec)->commit();
  for (const char* name : {"000001.png.tmp-7", "000002.png.tmp-7", "000001.png.x", "a.png.tmp-7"}) {
    folder.write(name, "x");
  }
  make_sample_output(spec);
  EXPECT_FALSE(std::filesystem::exists(folder / "000001.png.tmp-7"));
  for (const char* name : {"000002.png.tmp-7", "000001.png.x", "a.png.tmp-7"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
  }
}

std::vector<float> image(float value) { return std::vector<float>(4, value); }

TEST(SampleOutput, GoesOnAfterWhatWasCommittedAndForgetsTheRest) {
  const TempFolder folder;
  for (const char* kind : {".npy", ".npz"}) {
    SampleOutputSpec spec = spec_of(folder / ("x" + std::string(kind)), 3);
    spec.labels = {4, 2};
    {
      const auto output = make_sample_output(spec);
      output->add(image(0.1f));
      output->commit();
      output->add(image(0.9f));  // never committed
    }
    EXPECT_FALSE(std::filesystem::exists(spec.path));
    auto output = make_sample_output(spec);
    EXPECT_EQ(output->done(), 1);
    output->add(image(0.2f));
    output->add(image(0.3f));
    output->finish();
    const std::string resumed = read_file(spec.path).value();
    output = make_sample_output(spec);
    EXPECT_EQ(output->done(), 0);
    for (const float value : {0.1f, 0.2f, 0.3f}) output->add(image(value));
    output->finish();
    EXPECT_EQ(read_file(spec.path).value(), resumed) << kind;
  }
  const auto arrays = parse_npz(read_file(folder / "x.npz").value(), "x").value();
  EXPECT_EQ(arrays.at("arr_0").shape, (std::vector<std::int64_t>{3, 2, 2, 1}));
  ASSERT_EQ(arrays.at("arr_1").shape, (std::vector<std::int64_t>{3}));
  EXPECT_EQ(arrays.at("arr_1").at(0), 4);
  EXPECT_EQ(arrays.at("arr_1").at(1), 2);
  EXPECT_EQ(arrays.at("arr_1").at(2), 4);
}

TEST(SampleOutput, LeavesNothingWhereNothingWasCommitted) {
  const TempFolder folder;
  for (const char* name : {"x.npy", "x.npz", "x.png"}) {
    make_sample_output(spec_of(folder / name, 3))->add(image(0.1f));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// A power cut may lose bytes of the file that the state counts on only where the disk lied; then it
// begins anew.
TEST(SampleOutput, BeginsAnewWhereTheFileIsShorterThanItsState) {
  const TempFolder folder;
  const SampleOutputSpec spec = spec_of(folder / "x.npy", 2);
  {
    const auto output = make_sample_output(spec);
    output->add(image(0.1f));
    output->commit();
  }
  std::filesystem::resize_file(folder / "x.npy.part", 130);
  EXPECT_EQ(make_sample_output(spec)->done(), 0);
}

// The process was killed between the last rename and the removal of the state.
TEST(SampleOutput, IgnoresAStateWhoseFileWasFinished) {
  const TempFolder folder;
  SampleOutputSpec spec = spec_of(folder / "x.npy", 2);
  spec.identity = {{"seed", "1"}};
  {
    const auto output = make_sample_output(spec);
    output->add(image(0.1f));
    output->commit();
  }
  std::filesystem::rename(folder / "x.npy.part", folder / "x.npy");
  spec.identity = {{"seed", "2"}};
  EXPECT_EQ(make_sample_output(spec)->done(), 0);
}

}  // namespace
}  // namespace ddpm::cli
