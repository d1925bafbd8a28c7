#include "ddpm/cli/progress.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ddpm::cli {
namespace {

ProgressView view() { return {"train", 1200, 10000, 40.2, 291.9, 30.13, "loss=0.031"}; }

TEST(ProgressLine, HasTheFormOfTqdm) {
  EXPECT_EQ(progress_line(view(), 0), "train:  12% 1200/10000 [00:40<04:51, 30.1it/s, loss=0.031]");
  EXPECT_EQ(progress_line(view(), 70),
            "train:  12%|█▏        | 1200/10000 [00:40<04:51, 30.1it/s, loss=0.031]");
}

TEST(ProgressLine, IsCutWhereThereIsNoRoom) {
  EXPECT_EQ(progress_line(view(), 20), "train:  12% 1200/100");
  EXPECT_EQ(progress_line(view(), 1), "t");
}

TEST(ProgressLine, EndsFull) {
  ProgressView done = view();
  done.done = done.total;
  EXPECT_NE(progress_line(done, 71).find("100%|██████████|"), std::string::npos);
  done.done = 2 * done.total;  // more than was announced
  EXPECT_NE(progress_line(done, 71).find("100%|██████████|"), std::string::npos);
}

TEST(ProgressLine, TurnsSlowRatesOver) {
  ProgressView slow = view();
  slow.rate = 0.25;
  EXPECT_NE(progress_line(slow, 0).find("4.00s/it"), std::string::npos);
  slow.rate = 0;
  EXPECT_NE(progress_line(slow, 0).find("?it/s"), std::string::npos);
}

TEST(ClockForm, GrowsHoursWhenNeeded) {
  EXPECT_EQ(clock_form(0), "00:00");
  EXPECT_EQ(clock_form(65.9), "01:05");
  EXPECT_EQ(clock_form(3599), "59:59");
  EXPECT_EQ(clock_form(3605), "1:00:05");
  EXPECT_EQ(clock_form(100 * 3600), "100:00:00");
  EXPECT_EQ(clock_form(-1), "?");
}

TEST(Progress, OffATerminalIsOneLineAtTheEnd) {
  testing::internal::CaptureStderr();  // a file
  {
    Progress progress("sample", 100);
    for (int i = 1; i <= 100; ++i) progress.update(i, "image 16/16");
    progress.finish();
    progress.finish();
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("sample: 100% 100/100 [00:00<00:00, "), 0u) << text;
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(Progress, OffATerminalTheEndIsSaidOnceEvenWhereALineIsDue) {
  testing::internal::CaptureStderr();
  {
    Progress progress("sample", 2, 0, std::chrono::milliseconds(0));  // every line is due
    progress.update(1);
    progress.update(2);
    progress.finish();
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(text, '\n'), 2) << text;
  EXPECT_EQ(text.find("100%"), text.rfind("100%")) << text;
}

}  // namespace
}  // namespace ddpm::cli
