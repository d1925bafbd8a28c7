#include "ddpm/data/cifar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ddpm/base/temp_folder.h"
#include "ddpm/data/class_names.h"
#include "ddpm/data/test_files.h"

namespace ddpm {
namespace {

using testing::HasSubstr;
using Labels = std::vector<std::uint8_t>;

std::string repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Cifar, RecordsOf3073AreCifar10) {
  const auto table = parse_cifar(cifar_record("\x03", 'a') + cifar_record("\x09", 'b'), "x");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->shape, (Shape{3, 32, 32}));
  EXPECT_EQ(table->labels, (Labels{3, 9}));
  EXPECT_EQ(table->pixels, std::string(3072, 'a') + std::string(3072, 'b'));
  EXPECT_EQ(table->classes[3], "cat");
}

TEST(Cifar, RecordsOf3074AreCifar100WithTheFineLabel) {
  const auto table = parse_cifar(cifar_record("\x0b\x13", 'a'), "x");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->labels, (Labels{19}));
  EXPECT_EQ(table->classes[19], "cattle");
  EXPECT_EQ(table->pixels, std::string(3072, 'a'));
}

// 3074 records of the one are as long as 3073 of the other.
TEST(Cifar, LabelsDecideWhereTheLengthCannot) {
  const auto ten = parse_cifar(repeat(cifar_record("\x07", '\x50'), 3074), "x");
  ASSERT_TRUE(ten);
  EXPECT_EQ(ten->classes.size(), 10U);
  const auto hundred = parse_cifar(repeat(cifar_record("\x07\x50", '\x50'), 3073), "x");
  ASSERT_TRUE(hundred);
  EXPECT_EQ(hundred->classes.size(), 100U);
}

TEST(Cifar, PartialRecordsNeedMore) {
  for (const std::size_t n : {0, 1, 3072, 3075, 3073 + 3072}) {
    const auto result = parse_cifar(std::string(n, '\0'), "cut.bin");
    ASSERT_FALSE(result) << n;
    EXPECT_EQ(result.error().code, FailureCode::need_more);
    EXPECT_THAT(result.error().message, HasSubstr(fmt::format("cut.bin: got {} bytes", n)));
  }
}

TEST(Cifar, LabelsBeyondTheClassesAreCorrupt) {
  const auto result = parse_cifar(cifar_record("\x01", 'a') + cifar_record("\x0a", 'a'), "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, FailureCode::corrupt);
  EXPECT_THAT(result.error().message, HasSubstr("got label 10 in record 1, expected 0..9"));
  EXPECT_FALSE(parse_cifar(cifar_record("\x01\x64", 'a'), "x"));
}

TEST(Cifar, FolderHasTrainingAndTestFiles) {
  const TempFolder folder;
  for (const char* name : {"data_batch_2.bin", "data_batch_1.bin", "test_batch.bin", "x.bin"}) {
    folder.write(name, "");
  }
  using Paths = std::vector<std::filesystem::path>;
  EXPECT_EQ(cifar_files(folder.path(), false),
            (Paths{folder / "data_batch_1.bin", folder / "data_batch_2.bin"}));
  EXPECT_EQ(cifar_files(folder.path(), true), (Paths{folder / "test_batch.bin"}));
  EXPECT_TRUE(cifar_files(folder / "missing", false).empty());
}

TEST(Cifar, FilesFollowOneAnother) {
  const TempFolder folder;
  const std::vector files = {folder.write("1", cifar_record("\x01", 'a')),
                             folder.write("2", cifar_record("\x02", 'b'))};
  const auto table = read_cifar(files);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->labels, (Labels{1, 2}));
  EXPECT_EQ(table->pixels, std::string(3072, 'a') + std::string(3072, 'b'));
}

TEST(Cifar, MixedKindsAreCorrupt) {
  const TempFolder folder;
  const std::vector files = {folder.write("ten", cifar_record("\x01", 'a')),
                             folder.write("hundred", cifar_record("\x02\x02", 'b'))};
  const auto result = read_cifar(files);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("got 100 classes, expected 10"));
  EXPECT_THAT(result.error().message, HasSubstr(files[1].string()));
}

TEST(ClassNames, AreCompleteAndDistinct) {
  const auto distinct = [](const std::vector<std::string>& names) {
    return std::set<std::string>(names.begin(), names.end()).size();
  };
  EXPECT_EQ(distinct(fashion_mnist_classes()), 10U);
  EXPECT_EQ(distinct(cifar10_classes()), 10U);
  EXPECT_EQ(distinct(cifar100_classes()), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(cifar100_classes()));  // as the authors numbered them
  EXPECT_EQ(numbered_classes(3), (std::vector<std::string>{"0", "1", "2"}));
}

}  // namespace
}  // namespace ddpm
