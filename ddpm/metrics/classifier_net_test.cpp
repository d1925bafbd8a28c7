#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/metrics/feature_net.h"
#include "ddpm/net/unet.h"

namespace ddpm {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Classifier tiny(int channels = 1, std::uint64_t seed = 3) {
  Classifier c;
  c.config = {.in_channels = channels,
              .height = 4,
              .width = 6,
              .num_classes = 3,
              .block_out_channels = {8, 16},
              .norm_num_groups = 4};
  c.params = init_unet(c.graph(ClassifierOutput::logits), seed);
  return c;
}

Planes picture(int i, Shape shape) {
  Planes p{shape, std::vector<float>(shape.size())};
  for (std::size_t k = 0; k < p.values.size(); ++k) {
    p.values[k] = static_cast<float>((k * 37 + i * 11) % 256);
  }
  return p;
}

std::vector<float> run(FeatureNet& net, const std::vector<Planes>& images) {
  std::size_t width = 0;
  for (const auto& part : net.parts()) width += part.dims;
  std::vector<float> out(images.size() * width);
  net.run(images, out);
  return out;
}

TEST(ClassifierNet, SaysWhatTheGraphSaysOfImagesScaledToOne) {
  ThreadPool pool(1);
  const Classifier c = tiny();
  const auto net = classifier_net(c, "tiny", false, cpu::Profile::f32_direct, pool);
  const Planes image = picture(1, {1, 4, 6});
  std::vector<float> x;
  for (const float v : image.values) x.push_back(v / 127.5f - 1);
  const auto graph = cpu::make_denoiser(c.graph(ClassifierOutput::both), c.params, 1, pool,
                                        cpu::Profile::f32_direct);
  std::vector<float> expected(16 + 3);
  graph->predict(x, std::vector<double>(1), expected);
  EXPECT_EQ(run(*net, {image}), expected);
  ASSERT_EQ(net->parts().size(), 2u);
  EXPECT_EQ(net->parts()[0].dims, 16);
  EXPECT_EQ(net->parts()[1].name, "logits");
}

TEST(ClassifierNet, AnImagesFeaturesDoNotDependOnTheOthers) {
  ThreadPool one(1), two(2);
  const Classifier c = tiny();
  const auto a = classifier_net(c, "a", false, cpu::Profile::f32, one);
  const auto b = classifier_net(c, "b", false, cpu::Profile::f32, two);
  std::vector<Planes> images;
  std::vector<float> single;
  for (int i = 0; i < 5; ++i) {
    images.push_back(picture(i, {1, 4, 6}));
    const auto row = run(*a, {images.back()});
    single.insert(single.end(), row.begin(), row.end());
  }
  EXPECT_EQ(run(*b, images), single);
}

TEST(ClassifierNet, GrayBecomesRgb) {
  ThreadPool pool(1);
  const auto net = classifier_net(tiny(3), "rgb", false, cpu::Profile::f32, pool);
  const Planes gray = picture(2, {1, 4, 6});
  EXPECT_EQ(run(*net, {gray}), run(*net, {as_rgb(gray)}));
}

TEST(ClassifierNet, IsNeverNamedInceptionAndNamesItsWeights) {
  ThreadPool pool(1);
  const auto name = [&](const Classifier& c, const char* called, bool unrounded = false) {
    return classifier_net(c, called, unrounded, cpu::Profile::f32, pool)->name();
  };
  EXPECT_THAT(name(tiny(), "inception:2048 x"), StartsWith("classifier:inception:2048_x bytes "));
  EXPECT_EQ(name(tiny(), "a").size(), std::string("classifier:a bytes ").size() + 16);
  const auto same = [](const std::string& a, const std::string& b) {
    return same_maker({.made_by = a}, {.made_by = b});
  };
  EXPECT_TRUE(same(name(tiny(), "a"), name(tiny(), "b")));  // folders are copied and renamed
  EXPECT_FALSE(same(name(tiny(), "a"), name(tiny(1, 4), "a")));
  EXPECT_FALSE(same(name(tiny(), "a"), name(tiny(), "a", true)));
  EXPECT_FALSE(same(name(tiny(), "a"), ""));
  Report report;
  report.made_by = name(tiny(), "inception");
  EXPECT_FALSE(is_fid(report));
  report.made_by = "inception:2048 torch-fidelity 0123456789abcdef";
  EXPECT_TRUE(is_fid(report));
}

template <class F>
std::string refusal(F f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
    return e.what();
  }
  return "";
}

TEST(ClassifierNet, RefusesOtherImagesAndNoisyClassifiers) {
  ThreadPool pool(1);
  const auto net = classifier_net(tiny(), "t", false, cpu::Profile::f32, pool);
  for (const Shape shape : {Shape{1, 6, 4}, Shape{3, 4, 6}, Shape{1, 4, 7}}) {
    EXPECT_THAT(refusal([&] { run(*net, {picture(0, shape)}); }), HasSubstr("expected 1 x 4 x 6"));
  }
  Classifier noisy = tiny();
  noisy.config.noisy = true;
  EXPECT_THAT(refusal([&] { (void)classifier_net(noisy, "n", false, cpu::Profile::f32, pool); }),
              HasSubstr("expected one of clean images"));
}

}  // namespace
}  // namespace ddpm
