#include "ddpm/metrics/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/base/zip.h"
#include "ddpm/data/test_files.h"
#include "ddpm/image/png.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

Image picture(int width, int height, int channels, int first) {
  Image image = blank_image(width, height, channels);
  for (auto& byte : image.pixels) byte = static_cast<std::uint8_t>(first++);
  return image;
}

// The message of the Error (bad_input) that `work` throws.
template <class Work>
std::string message_of(const Work& work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
    return e.what();
  }
  return "no error";
}

class Images : public testing::Test {
 protected:
  void put(const std::string& name, const Image& image) { folder_.write(name, encode_png(image)); }
  std::unique_ptr<ImageSource> open(Alpha alpha = Alpha::refuse) {
    return folder_images(folder_.path(), {.alpha = alpha}, pool_);
  }

  TempFolder folder_;
  ThreadPool pool_{2};
};

TEST_F(Images, OfAFolderComeInTheOrderOfTheirPathsAsPlanes) {
  put("b.png", picture(3, 2, 3, 100));
  put("a/z.png", picture(3, 2, 3, 0));
  const auto images = open()->load(0, 2);
  EXPECT_EQ(images[0].shape, (Shape{3, 2, 3}));
  EXPECT_EQ(images[0].values,
            (std::vector<float>{0, 3, 6, 9, 12, 15, 1, 4, 7, 10, 13, 16, 2, 5, 8, 11, 14, 17}));
  EXPECT_EQ(images[1].values[0], 100);
}

TEST_F(Images, OfAZipAreThoseOfItsFolder) {
  put("1.png", picture(4, 4, 1, 7));
  put("2.png", picture(4, 4, 3, 9));
  const auto bytes = [&](const char* name) { return value_or_throw(read_file(folder_ / name)); };
  TempFolder other;
  other.write("x.zip", write_zip({{"x/2.png", bytes("2.png")},
                                  {"notes.txt", "hello"},
                                  {"__MACOSX/._1.png", "junk"},
                                  {"x/1.png", bytes("1.png")}}));
  const auto zip = zip_images(other / "x.zip", {}, pool_);
  ASSERT_EQ(zip->size(), 2);
  const auto a = zip->load(0, 2), b = open()->load(0, 2);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(a[i].shape, b[i].shape);
    EXPECT_EQ(a[i].values, b[i].values);
  }
}

TEST_F(Images, OfMixedSizesAreRefusedByName) {
  put("1.png", picture(4, 4, 3, 0));
  put("2.png", picture(4, 5, 3, 0));
  EXPECT_THAT(message_of([&] { open()->load(0, 2); }),
              testing::AllOf(HasSubstr("2.png: got 4x5, expected 4x4 as"), HasSubstr("1.png has")));
}

TEST_F(Images, BrokenOnesAreRefusedByName) {
  put("1.png", picture(4, 4, 3, 0));
  folder_.write("2.png", encode_png(picture(4, 4, 3, 0)).substr(0, 60));
  EXPECT_THAT(message_of([&] { open()->load(0, 2); }), HasSubstr("2.png"));
  EXPECT_THAT(message_of([&] { zip_images(folder_ / "1.png", {}, pool_); }),
              HasSubstr("not a ZIP archive"));
  folder_.write("none.zip", write_zip({{"a.txt", ""}}));
  EXPECT_THAT(message_of([&] { zip_images(folder_ / "none.zip", {}, pool_); }),
              HasSubstr("an archive without PNG files"));
}

TEST_F(Images, ThatAreNotOpaqueAreRefusedComposedOrTakenWithoutAlpha) {
  Image clear = picture(1, 1, 4, 0);
  clear.pixels = {10, 20, 30, 0};
  put("1.png", clear);
  EXPECT_THAT(message_of([&] { open()->load(0, 1); }), HasSubstr("try --alpha white"));
  EXPECT_EQ(open(Alpha::white)->load(0, 1)[0].values, (std::vector<float>{255, 255, 255}));
  EXPECT_EQ(open(Alpha::drop)->load(0, 1)[0].values, (std::vector<float>{10, 20, 30}));
  clear.pixels[3] = 255;  // opaque: nothing is lost
  put("1.png", clear);
  EXPECT_EQ(open()->load(0, 1)[0].values, (std::vector<float>{10, 20, 30}));
}

TEST_F(Images, OfIdxFilesAreTheirBytes) {
  folder_.write("images-idx3-ubyte", idx_bytes({2, 2, 2}, ramp(8)));
  const auto source = dataset_images(open_dataset((folder_ / "images-idx3-ubyte").string()));
  EXPECT_EQ(source->load(1, 1)[0].values, (std::vector<float>{4, 5, 6, 7}));
}

NpyArray bytes_array(std::vector<std::int64_t> shape, std::size_t size) {
  return {NpyType::u8, std::move(shape), ramp(size)};
}

TEST(ArrayImages, AreBytesChannelsLastOrFloatsChannelsFirst) {
  const auto rgb = array_images(bytes_array({2, 1, 2, 3}, 12), "a", {});
  EXPECT_EQ(rgb->load(1, 1)[0].values, (std::vector<float>{6, 9, 7, 10, 8, 11}));
  const auto gray = array_images(bytes_array({3, 2, 2}, 12), "a", {});
  EXPECT_EQ(gray->load(2, 1)[0].values, (std::vector<float>{8, 9, 10, 11}));
  const NpyArray floats = npy_f32({1, 1, 1, 4}, {-1, 0, 0.25f, 2});
  EXPECT_EQ(array_images(floats, "a", {})->load(0, 1)[0].values,
            (std::vector<float>{0, 128, 159, 255}));  // as PNGs of samples are rounded
  EXPECT_EQ(array_images(floats, "a", {.round = false})->load(0, 1)[0].values,
            (std::vector<float>{0, 127.5f, 159.375f, 255}));
}

TEST(ArrayImages, OfOtherFormsAreRefused) {
  const auto refused = [](NpyArray array) {
    return message_of([&] { array_images(std::move(array), "a.npy", {})->load(0, 1); });
  };
  EXPECT_THAT(refused(bytes_array({2, 3, 4, 4}, 96)), HasSubstr("a.npy: got uint8 [2, 3, 4, 4]"));
  EXPECT_THAT(refused(npy_f32({1, 2, 2, 3}, std::vector<float>(12))), HasSubstr("float32"));
  EXPECT_THAT(refused(npy_f32({1, 1, 1, 1, 1}, {0})), HasSubstr("[1, 1, 1, 1, 1]"));
  EXPECT_THAT(refused(npy_f32({1, 1, 1, 1}, {NAN})), HasSubstr("image 0: got nan"));
  EXPECT_THAT(refused(npy_f32({1, 1, 1, 1}, {200})), HasSubstr("got 200, expected floats in [-1"));
  EXPECT_THAT(refused({NpyType::i32, {1, 1, 1, 1}, std::string(4, '\0')}), HasSubstr("int32"));
}

}  // namespace
}  // namespace ddpm
