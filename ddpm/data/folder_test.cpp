#include "ddpm/data/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/temp_folder.h"
#include "ddpm/data/test_files.h"
#include "ddpm/image/png.h"

namespace ddpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

std::string flat_png(int width, int height, int channels, std::uint8_t value) {
  return encode_png(blank_image(width, height, channels, value));
}

template <class Body>
std::string bad_input(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
  return "no Error";
}

TEST(Folder, FindsPngsRecursivelyInOrderOfTheirPaths) {
  const TempFolder folder;
  for (const char* name : {"b/2.png", "b/1.PNG", "a/x/9.png", "a/3.png"}) folder.write(name, "");
  for (const char* name : {"a/notes.txt", ".git/1.png", "a/.hidden.png"}) folder.write(name, "");
  const FolderListing listing = list_folder(folder.path());
  EXPECT_THAT(listing.files, ElementsAre(folder / "a/3.png", folder / "a/x/9.png",
                                         folder / "b/1.PNG", folder / "b/2.png"));
  EXPECT_THAT(listing.classes, ElementsAre("a", "b"));
  EXPECT_THAT(listing.labels, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(list_folder(folder.path() / "").classes, ElementsAre("a", "b"));
}

TEST(Folder, HasNoClassesWhenAnImageLiesAtTheTop) {
  const TempFolder folder;
  folder.write("a/1.png", "");
  folder.write("2.png", "");
  EXPECT_TRUE(list_folder(folder.path()).labels.empty());
  EXPECT_TRUE(list_folder(folder.path()).classes.empty());
}

TEST(Folder, FollowsLinksButNotInCircles) {
  const TempFolder real, folder;
  real.write("1.png", "");
  fs::create_directory_symlink(real.path(), folder / "cats");
  EXPECT_THAT(list_folder(folder.path()).classes, ElementsAre("cats"));
  fs::create_directory_symlink(folder.path(), folder / "again");
  EXPECT_THAT(bad_input([&] { list_folder(folder.path()); }), HasSubstr(folder.path().string()));
}

TEST(Folder, EmptyFoldersAndOtherImagesAreErrorsThatNameThem) {
  const TempFolder folder;
  EXPECT_THAT(bad_input([&] { list_folder(folder.path()); }),
              HasSubstr(folder.path().string() + ": got a folder without PNG files"));
  folder.write("1.png", "");
  const fs::path photo = folder.write("photo.JPG", "");
  EXPECT_THAT(bad_input([&] { list_folder(folder.path()); }), HasSubstr(photo.string()));
  EXPECT_THAT(bad_input([&] { list_folder(folder / "missing"); }), HasSubstr("No such file"));
}

TEST(Folder, KeepsTheShapeOfTheFirstImage) {
  const TempFolder folder;
  folder.write("1.png", flat_png(4, 6, 3, 10));
  folder.write("2.png", flat_png(9, 9, 1, 20));
  const auto data = open_folder(folder.path(), {});
  EXPECT_EQ(data->shape(), (Shape{3, 6, 4}));
  EXPECT_EQ(data->size(), 2U);
  EXPECT_EQ(loaded(*data, 0), std::vector<std::uint8_t>(72, 10));
  EXPECT_EQ(loaded(*data, 1), std::vector<std::uint8_t>(72, 20));
  EXPECT_THAT(data->description(), HasSubstr("2 PNG files in " + folder.path().string()));
}

TEST(Folder, ImagesArePlanar) {
  const TempFolder folder;
  folder.write("1.png", encode_png({2, 1, 3, {1, 2, 3, 4, 5, 6}}));
  EXPECT_THAT(loaded(*open_folder(folder.path(), {}), 0), ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST(Folder, ImagesAreCroppedInTheCentreResizedAndConverted) {
  const TempFolder folder;
  Image image = blank_image(12, 4, 3, 255);  // white beside a 4 x 4 square of 100
  for (int y = 0; y < 4; ++y) {
    for (int x = 4; x < 8; ++x) {
      for (int c = 0; c < 3; ++c) image.at(y, x, c) = 100;
    }
  }
  folder.write("1.png", encode_png(image));
  const auto data = open_folder(folder.path(), {.width = 2, .height = 2, .channels = 1});
  EXPECT_EQ(data->shape(), (Shape{1, 2, 2}));
  EXPECT_THAT(loaded(*data, 0), ElementsAre(100, 100, 100, 100));
}

TEST(Folder, BrokenImagesAreNamedWhenTheyAreAskedFor) {
  const TempFolder folder;
  folder.write("1.png", flat_png(2, 2, 1, 0));
  const std::pair<fs::path, const char*> bad[] = {
      {folder.write("2.png", "hello"), "expected a PNG"},
      {folder.write("3.png", ""), "got an empty file"},
      {folder.write("4.png", flat_png(2, 2, 1, 0).substr(0, 50)), "ends early"}};
  const auto data = open_folder(folder.path(), {});
  EXPECT_EQ(loaded(*data, 0).size(), 4U);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string text = bad_input([&] { loaded(*data, i + 1); });
    EXPECT_THAT(text, HasSubstr(bad[i].first.string()));
    EXPECT_THAT(text, HasSubstr(bad[i].second));
  }
}

TEST(Folder, OpenFailsWhenTheFirstImageIsNeededAndBroken) {
  const TempFolder folder;
  const fs::path path = folder.write("1.png", "hello");
  EXPECT_THAT(bad_input([&] { open_folder(folder.path(), {}); }), HasSubstr(path.string()));
  EXPECT_NO_THROW(open_folder(folder.path(), {.width = 2, .height = 2, .channels = 1}));
}

TEST(Folder, NumbersBeyondTheEndAreBugs) {
  const TempFolder folder;
  folder.write("1.png", flat_png(2, 2, 1, 0));
  const auto data = open_folder(folder.path(), {});
  EXPECT_THROW(loaded(*data, 1), BugError);
  EXPECT_THROW(data->label(1), BugError);
}

}  // namespace
}  // namespace ddpm
