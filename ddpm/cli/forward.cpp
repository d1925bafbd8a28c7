// ddpm forward MODEL|SCHEDULE IMAGE: the forward process, seen (Figure 2 of the paper, left to
// right).
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;  // of all frames

struct ForwardArgs {
  std::string process, image, out = "forward.png";
  int frames = 10;
  std::uint64_t seed = 0;
  bool json = false;
};

// t = 0..T, as evenly as whole numbers allow.
std::vector<int> frame_times(int T, int frames) {
  std::vector<int> times;
  for (int k = 0; k < frames; ++k) {
    times.push_back(
        static_cast<int>((std::int64_t{2} * k * T + (frames - 1)) / (2 * (frames - 1))));
  }
  return times;
}

// The chain of Eq. (2) from time `from` to `to` at once: x_to = sqrt(r) x_from + sqrt(1 - r) z, r =
// alpha_bar_to / alpha_bar_from. One picture dissolves, as in a film, where Eq. (4) would show
// other noise in every frame.
void advance(const Schedule& schedule, int from, int to, const NoiseKey& key,
             std::vector<float>& x) {
  const double before = schedule.alpha_bar(from);
  const double keep = std::sqrt(schedule.alpha_bar(to) / before);
  const double add =
      std::sqrt((schedule.one_minus_alpha_bar(to) - schedule.one_minus_alpha_bar(from)) / before);
  std::vector<float> z(x.size());
  fill_normal(key, z);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(keep * x[i] + add * z[i]);
}

std::vector<Image> draw_frames(const Schedule& schedule, const std::vector<int>& times,
                               const Image& image, std::uint64_t seed) {
  const Shape shape = {image.channels, image.height, image.width};
  std::vector<float> x(shape.size());
  image_to_floats(image, x);
  std::vector<Image> frames;
  int t = 0;
  for (const int next : times) {
    NoiseKey key{seed, Purpose::forward_chain};
    key.step = static_cast<std::uint32_t>(next);
    if (next > t) advance(schedule, t, next, key, x);
    t = next;
    frames.push_back(image_from_floats(x, shape));
  }
  return frames;
}

double decibels(double snr) { return 10 * exact::log(snr) / exact::log(10); }

void print_table(const Schedule& schedule, const std::vector<int>& times) {
  std::string text =
      fmt::format("{:>6}  {:>12}  {:>12}  {:>9}\n", "t", "alpha_bar", "SNR", "SNR in dB");
  for (const int t : times) {
    const double alpha_bar = schedule.alpha_bar(t);
    if (t == 0) {
      text += fmt::format("{:>6}  {:>12}  {:>12}  {:>9}\n", t, alpha_bar, "inf", "inf");
    } else {
      text += fmt::format("{:>6}  {:>12.6g}  {:>12.6g}  {:>9.2f}\n", t, alpha_bar, schedule.snr(t),
                          decibels(schedule.snr(t)));
    }
  }
  put(text);
}

void print_as_json(const ForwardArgs& args, const Schedule& schedule,
                   const std::vector<int>& times) {
  std::vector<Json> frames;
  for (const int t : times) {
    std::map<std::string, Json> frame = {{"t", json_integer(t)},
                                         {"alpha_bar", json_real(schedule.alpha_bar(t))}};
    if (t > 0) {  // clean data have no finite signal-to-noise ratio
      frame["snr"] = json_real(schedule.snr(t));
      frame["snr_db"] = json_real(decibels(schedule.snr(t)));
    }
    frames.push_back(json_object(std::move(frame)));
  }
  print_json("ddpm.forward/1", {{"output", json_string(args.out)},
                                {"schedule", json_string(schedule.spec())},
                                {"seed", json_string(fmt::format("{}", args.seed))},
                                {"frames", json_list(std::move(frames))}});
}

void run_forward(const ForwardArgs& args) {
  check_output_file(args.out);
  const Schedule schedule = open_process(args.process).schedule;
  if (args.frames > schedule.T() + 1) {
    throw Error("[cli] forward: got {} frames, expected 2..{}, since t runs from 0 to {}",
                args.frames, schedule.T() + 1, schedule.T());
  }
  Image image = value_or_throw(read_png(args.image));
  if (image.channels % 2 == 0) image = with_channels(image, image.channels - 1);  // no transparency
  if (std::int64_t{image.width} * image.height * args.frames > kMaxPixels) {
    throw Error("[cli] forward: got {} frames of {} x {}, expected at most {} pixels; try fewer",
                args.frames, image.width, image.height, kMaxPixels);
  }
  const std::vector<int> times = frame_times(schedule.T(), args.frames);
  const Image strip = image_grid(draw_frames(schedule, times, image, args.seed), args.frames);
  write_png(args.out, strip);
  if (args.json) return print_as_json(args, schedule, times);
  show_on_stdout(strip);
  print_table(schedule, times);
  put_line("{}", args.out);
}

}  // namespace

void add_forward(CLI::App& app) {
  auto args = std::make_shared<ForwardArgs>();
  auto* command = app.add_subcommand("forward", "Watch an image dissolve into noise (Figure 2).");
  command
      ->add_option("process", args->process, "schedule, as linear:1000 or cosine:4000, or a model")
      ->required();
  command->add_option("image", args->image, "PNG file")->required();
  command->add_option("--frames", args->frames, "frames from t = 0 to t = T")
      ->check(whole_number())
      ->check(CLI::Range(2, 1000));
  add_seed(*command, args->seed);
  command->add_option("-o,--out", args->out, "PNG to write");
  command->add_flag("--json", args->json, "print the table as JSON");
  command->callback([args] { run_forward(*args); });
}

}  // namespace ddpm::cli
