#include "ddpm/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ddpm/base/temp_folder.h"
#include "ddpm/data/test_files.h"
#include "ddpm/image/png.h"

namespace ddpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

Error error_of(const std::string& data, const DatasetOptions& options = {}) {
  try {
    open_dataset(data, options);
  } catch (const Error& error) {
    return error;
  }
  return Error("no Error");
}

// Two images of 2 x 3 and their labels.
fs::path write_idx_pair(const TempFolder& folder, const std::string& labels_ending) {
  folder.write("train-labels-idx1-ubyte" + labels_ending, labels_ending.empty()
                                                              ? idx_bytes({2}, "\x01\x04")
                                                              : gzip(idx_bytes({2}, "\x01\x04")));
  return folder.write("train-images-idx3-ubyte.gz", gzip(idx_bytes({2, 2, 3}, ramp(12))));
}

TEST(Dataset, IdxHasImagesAndTheLabelsBesideThem) {
  for (const char* ending : {"", ".gz"}) {
    const TempFolder folder;
    const fs::path path = write_idx_pair(folder, ending);
    const auto data = open_dataset(path.string());
    EXPECT_EQ(data->shape(), (Shape{1, 2, 3}));
    EXPECT_EQ(data->size(), 2U);
    EXPECT_THAT(loaded(*data, 1), ElementsAre(6, 7, 8, 9, 10, 11));
    EXPECT_EQ(data->label(0), 1);
    EXPECT_EQ(data->label(1), 4);
    EXPECT_THAT(data->classes(), ElementsAre("0", "1", "2", "3", "4"));
    EXPECT_THAT(data->description(), HasSubstr(path.string()));
  }
}

TEST(Dataset, IdxWithoutLabelsHasNone) {
  const TempFolder folder;
  const auto data = open_dataset(folder.write("things", idx_bytes({2, 2, 3}, ramp(12))).string());
  EXPECT_EQ(data->label(0), std::nullopt);
  EXPECT_TRUE(data->classes().empty());
}

TEST(Dataset, LabelsThatDoNotMatchTheImagesAreBadInput) {
  const TempFolder folder;
  const fs::path images = folder.write("t10k-images.idx3-ubyte", idx_bytes({2, 1, 1}, ramp(2)));
  const fs::path labels = folder.write("t10k-labels.idx1-ubyte", idx_bytes({3}, ramp(3)));
  const Error error = error_of(images.string());
  EXPECT_EQ(error.code(), ExitCode::bad_input);
  EXPECT_THAT(error.what(), HasSubstr(labels.string() + ": got 3 labels"));
}

TEST(Dataset, FixedShapesAreNotChanged) {
  const TempFolder folder;
  const std::string path = folder.write("x", idx_bytes({1, 2, 3}, ramp(6))).string();
  EXPECT_NO_THROW(open_dataset(path, {.width = 3, .height = 2, .channels = 1}));
  const Error error = error_of(path, {.width = 32, .height = 32});
  EXPECT_EQ(error.code(), ExitCode::usage);
  EXPECT_THAT(error.what(),
              HasSubstr("got images of width 3, height 2, channels 1, expected 32, 32, any"));
  EXPECT_EQ(error_of(path, {.channels = 3}).code(), ExitCode::usage);
  EXPECT_EQ(error_of(path, {.width = -1}).code(), ExitCode::usage);
}

TEST(Dataset, CifarFolderHasTwoSplits) {
  const TempFolder folder;
  folder.write("data_batch_1.bin", cifar_record("\x01", 'a'));
  folder.write("data_batch_2.bin", cifar_record("\x02", 'b'));
  folder.write("test_batch.bin", cifar_record("\x03", 'c'));
  const std::string path = folder.path().string();
  for (const std::string& name : {path, path + ":train"}) {
    const auto train = open_dataset(name);
    EXPECT_EQ(train->size(), 2U);
    EXPECT_EQ(train->label(1), 2);
    EXPECT_EQ(train->shape(), (Shape{3, 32, 32}));
    EXPECT_THAT(train->description(), HasSubstr("CIFAR-10, 2 files"));
  }
  EXPECT_EQ(open_dataset(path + ":test")->label(0), 3);
  EXPECT_EQ(open_dataset(path + "/data_batch_2.bin")->label(0), 2);
}

TEST(Dataset, FolderOfPngsHasClasses) {
  const TempFolder folder;
  folder.write("cats/1.png", encode_png(blank_image(2, 2, 1, 5)));
  folder.write("dogs/1.png", encode_png(blank_image(2, 2, 1, 6)));
  const auto data = open_dataset(folder.path().string());
  EXPECT_THAT(data->classes(), ElementsAre("cats", "dogs"));
  EXPECT_EQ(data->label(1), 1);
  EXPECT_THAT(loaded(*data, 1), ElementsAre(6, 6, 6, 6));
}

// Xiao, Rasul and Vollgraf 2017: 60,000 and 10,000 images, classes of equal size.
TEST(Dataset, FashionMnistIsDebians) {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) GTEST_SKIP() << "package not installed";
  for (const auto& [name, size] : {std::pair("train", 60'000), std::pair("test", 10'000)}) {
    const auto data = open_dataset(fmt::format("fashion-mnist:{}", name));
    ASSERT_EQ(data->size(), static_cast<std::size_t>(size));
    EXPECT_EQ(data->shape(), (Shape{1, 28, 28}));
    EXPECT_EQ(data->classes().at(*data->label(0)), "Ankle boot");  // the first image of both
    std::vector<int> counts(10);
    for (std::size_t i = 0; i < data->size(); ++i) ++counts[*data->label(i)];
    for (const int count : counts) EXPECT_EQ(count, size / 10);
    EXPECT_THAT(data->description(), HasSubstr("Fashion-MNIST"));
  }
}

TEST(Dataset, BadInputHasExitCode3AndSaysWhatWasExpected) {
  const TempFolder folder;
  const std::string images = idx_bytes({2, 2, 3}, ramp(12));
  fs::create_directory(folder / "empty");
  folder.write("idx/train-images-idx3-ubyte", images);
  folder.write("cifar/test_batch.bin", cifar_record("\x01", 'a'));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const std::pair<std::string, const char*> cases[] = {
      {folder / "missing", "No such file or directory; expected an IDX file"},
      {(folder / "missing").string() + ":test", "expected an IDX file"},
      {folder / "empty", "without PNG files"},
      {folder / "empty/", "without PNG files"},
      {(folder / "empty").string() + ":test", "no test_batch.bin or test.bin"},
      {folder / "pipe", "got a pipe"},
      {"/dev/null", "got a device"},
      {folder.write("zero", ""), "got an empty file"},
      {folder.write("zero.bin", ""), "got 0 bytes, expected records of 3073"},
      {folder.write("cut", images.substr(0, 20)), "got 4 bytes of values, expected 12"},
      {folder.write("cut.gz", gzip(images).substr(0, 30)), "is the file cut short?"},
      {folder.write("cut.bin", std::string(3000, 'x')), "got 3000 bytes"},
      {folder.write("magic", "GIF89a and so on"), "got IDX magic 47494638, expected 00000803"},
      {folder.write("one.png", encode_png(blank_image(1, 1, 1))), "try its folder"},
      {folder.write("text/1.png", "no picture").parent_path(),
       "1.png: got a file that starts with"},
      {folder / "idx", "train-images-idx3-ubyte"},
      {folder / "cifar", ":test"},
      {"fashion-mnist", "fashion-mnist:train or fashion-mnist:test"},
      {"fashion-mnist:valid", "fashion-mnist:train or fashion-mnist:test"},
      {"", "expected an IDX file"}};
  for (const auto& [data, text] : cases) {
    const Error error = error_of(data);
    EXPECT_EQ(error.code(), ExitCode::bad_input) << data;
    EXPECT_THAT(error.what(), HasSubstr(text)) << data;
    EXPECT_THAT(error.what(), testing::StartsWith("[")) << data;
  }
}

TEST(Dataset, LoadChecksNumberAndSize) {
  const TempFolder folder;
  const auto data = open_dataset(folder.write("x", idx_bytes({1, 2, 3}, ramp(6))).string());
  std::vector<std::uint8_t> few(5), right(6);
  EXPECT_THROW(data->load(0, few), BugError);
  EXPECT_THROW(data->load(1, right), BugError);
  EXPECT_THROW(data->label(1), BugError);
}

TEST(Dataset, BytesToFloatsIsTheImageRoomsRule) {
  std::vector<std::uint8_t> bytes(256);
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  std::vector<float> floats(256);
  bytes_to_floats(bytes, floats);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(floats[i], byte_to_float(bytes[i]));
  EXPECT_EQ(floats[0], -1.0F);
  EXPECT_EQ(floats[255], 1.0F);
}

}  // namespace
}  // namespace ddpm
