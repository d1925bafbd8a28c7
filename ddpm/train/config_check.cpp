#include "ddpm/train/config_check.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/engine/engine.h"

namespace ddpm::config {
namespace {

int levels(const UNetConfig& net) { return static_cast<int>(net.block_out_channels.size()); }

std::vector<int> heights(const UNetConfig& net) {
  std::vector<int> result;
  for (int i = 0; i < levels(net); ++i) result.push_back(net.height >> i);
  return result;
}

class PairCheck {
 public:
  PairCheck(Keys& keys, Mistakes& mistakes)
      : keys_(keys), net_(keys.run.net), train_(keys.run.train), mistakes_(mistakes) {}

  void run() {
    data();
    micro_batch();
    const bool timeless = keys_.run.classifier && !keys_.run.classifier->noisy;
    if (!timeless) {
      attempt("diffusion.schedule",
              [&] { schedule_ = Schedule::parse(keys_.run.diffusion.schedule); });
    }
    if (keys_.run.classifier) return classifier();
    channels();
    size("net.height", net_.height);
    size("net.width", net_.width);
    groups();
    time_embedding();
    attention();
    head_dim();
    labels();
    learned_times();
    diffusion();
    scores();
    if (!mistakes_.any()) whole_net();
  }

 private:
  bool fine(std::initializer_list<const char*> names) const {
    return std::none_of(names.begin(), names.end(),
                        [&](const char* name) { return mistakes_.about(name); });
  }

  void data() {
    if (fine({"data", "data.path"}) && keys_.run.data.path.empty()) {
      mistakes_.add("data.path",
                    "missing, expected a data set to train on; try path = \"fashion-mnist:train\"");
    }
  }

  void channels() {
    if (!fine({"net.in_channels", "net.out_channels", "diffusion.variance"})) return;
    const Variance variance = keys_.run.diffusion.variance;
    const bool learned = is_learned(variance);
    const int expected = net_.in_channels * (learned ? 2 : 1);
    if (net_.out_channels == expected) return;
    const std::string what =
        learned ? fmt::format("twice in_channels = {}: variance {} has channels of its own",
                              expected, to_string(variance))
                : fmt::format(
                      "in_channels = {}: the output is read as an image of the input's "
                      "shape",
                      expected);
    mistakes_.add("net.out_channels",
                  fmt::format("got {}, expected {}; try leaving it out", net_.out_channels, what));
  }

  void size(const char* key, int value) {
    if (!fine({key, "net.block_out_channels"})) return;
    const int unit = 1 << (levels(net_) - 1);
    if (value % unit == 0) return;
    const int below = value / unit * unit;
    const std::string nearest =
        below ? fmt::format("{} or {}", below, below + unit) : fmt::format("{}", below + unit);
    mistakes_.add(key, fmt::format("got {}, expected a multiple of {}, since {} levels halve it {} "
                                   "times; try {}",
                                   value, unit, levels(net_), levels(net_) - 1, nearest));
  }

  void groups() {
    if (!fine({"net.block_out_channels", "net.norm_num_groups"})) return;
    for (int c : net_.block_out_channels) {
      if (c % net_.norm_num_groups == 0) continue;
      mistakes_.add("net.block_out_channels",
                    fmt::format("got {}, expected multiples of norm_num_groups = {}", c,
                                net_.norm_num_groups));
    }
  }

  // Sinusoids come in pairs, and freq_shift = 1 divides by pairs - 1.
  void time_embedding() {
    if (!fine({"net.block_out_channels", "net.freq_shift"})) return;
    const int first = net_.block_out_channels.front();
    if (first % 2 != 0) {
      mistakes_.add(
          "net.block_out_channels",
          fmt::format("got {} first, expected an even number: the time embedding is pairs "
                      "of sines and cosines",
                      first));
    } else if (first <= 2 * net_.freq_shift) {
      mistakes_.add("net.block_out_channels",
                    fmt::format("got {} first, expected above {} with freq_shift = {}", first,
                                2 * net_.freq_shift, net_.freq_shift));
    }
  }

  void attention() {
    net_.attention.assign(levels(net_), false);
    if (!fine({"net.height", "net.block_out_channels", "net.attention_resolutions"})) return;
    const std::vector<int> known = heights(net_);
    for (int height : keys_.attention_resolutions) {
      const auto level = std::find(known.begin(), known.end(), height);
      if (level == known.end()) {
        mistakes_.add(
            "net.attention_resolutions",
            fmt::format("got {}, expected heights of levels: {}", height, fmt::join(known, ", ")));
      } else {
        net_.attention[level - known.begin()] = true;
      }
    }
  }

  void head_dim() {
    for (const auto& [key, value] : {std::pair{"net.attention_head_dim", net_.attention_head_dim},
                                     {"net.attention_heads", net_.attention_heads}}) {
      if (fine({"net.block_out_channels", key}) && value != 0) divides_channels(key, value);
    }
  }

  void divides_channels(const char* key, int value) {
    for (int i = 0; i < levels(net_); ++i) {
      const bool middle = net_.add_attention && i + 1 == levels(net_);
      const int c = net_.block_out_channels[i];
      if ((!net_.attention[i] && !middle) || c % value == 0) continue;
      mistakes_.add(key, fmt::format("got {}, expected a divisor of the {} channels of level {}",
                                     value, c, i + 1));
    }
  }

  // The table has a row for each time of the schedule.
  void learned_times() {
    const bool learned = net_.time_embedding_type == TimeEmbedding::learned;
    net_.num_train_timesteps = learned && schedule_ ? schedule_->T() : 0;
  }

  void micro_batch() {
    if (!fine({"train.batch", "train.micro_batch"}) || train_.micro_batch == 0) return;
    std::vector<int> whole;  // images in the first one, two, ... slices
    int sum = 0;
    for (int size : slice_sizes(train_.batch)) whole.push_back(sum += size);
    if (std::find(whole.begin(), whole.end(), train_.micro_batch) != whole.end()) return;
    mistakes_.add("train.micro_batch",
                  fmt::format("got {}, expected whole slices of the batch of {}: {}, or 0 for one "
                              "slice at a time",
                              train_.micro_batch, train_.batch, fmt::join(whole, ", ")));
  }

  void labels() {
    if (!fine({"diffusion.label_dropout", "net.num_classes", "net.null_class"})) return;
    if (keys_.run.diffusion.label_dropout == 0 || net_.null_class) return;
    mistakes_.add("diffusion.label_dropout",
                  fmt::format("got {}, expected 0: the network has no class for images whose label "
                              "is not told; try num_classes and null_class = true in [net]",
                              keys_.run.diffusion.label_dropout));
  }

  void classifier() {
    const ClassifierConfig& c = *keys_.run.classifier;
    attempt("classifier", [&] { check_classifier(c); });
    if (schedule_) time_sampler();
  }

  void time_sampler() {
    attempt("diffusion.time_sampler",
            [&] { make_time_sampler(keys_.run.diffusion.time_sampler, *schedule_); });
  }

  // Runs f, whose Error is a mistake about `key`, unless that is known to be wrong already.
  template <class F>
  void attempt(const char* key, F f) {
    if (!fine({key})) return;
    try {
      f();
    } catch (const Error& error) {
      mistakes_.add(key, error.what());
    }
  }

  void diffusion() {
    const DiffusionConfig& d = keys_.run.diffusion;
    if (!schedule_) return;
    time_sampler();
    if (!fine({"diffusion.prediction", "diffusion.variance"})) return;
    attempt("diffusion.loss",
            [&] { Objective(*schedule_, d.prediction, d.variance, parse_loss(d.loss)); });
    plan("train.sample_plan", train_.sample_plan, *schedule_);
    if (!train_.score_plan.empty()) plan("train.score_plan", train_.score_plan, *schedule_);
  }

  void plan(const char* key, const std::string& spec, const Schedule& schedule) {
    const DiffusionConfig& d = keys_.run.diffusion;
    attempt(key, [&] {
      parse_plan(spec, schedule, {.prediction = d.prediction, .variance = d.variance});
    });
  }

  void scores() {
    if (!fine({"train.score_every"})) return;
    const bool scored = train_.score_every > 0;
    if (scored && keys_.run.data.eval.empty() && fine({"data.eval"})) {
      mistakes_.add("train.score_every",
                    fmt::format("got {} without held-out images to compare samples with; try eval "
                                "in [data]",
                                train_.score_every));
    }
    if (train_.keep_best && !scored && fine({"train.keep_best"})) {
      mistakes_.add("train.keep_best",
                    "got true without scores to choose by; try score_every = 1000");
    }
  }

  // The net's own rules; whatever the checks above leave out is found here, without a place of its
  // own.
  void whole_net() {
    try {
      check_unet(net_);
    } catch (const Error& error) {
      mistakes_.add("net", error.what());
    }
  }

  Keys& keys_;
  UNetConfig& net_;
  TrainConfig& train_;
  Mistakes& mistakes_;
  std::optional<Schedule> schedule_;  // where one is needed and right
};

}  // namespace

Place Mistakes::place_of(const std::string& key) const {
  const std::string table = key.substr(0, key.find('.'));
  for (const std::string& name : {key, table}) {
    const auto place = places_.find(name);
    if (place != places_.end()) return place->second;
  }
  return {0, 0, file_};
}

void Mistakes::add(const std::string& key, const std::string& message) {
  add_at(place_of(key), key, message);
}

void Mistakes::add_at(const Place& place, const std::string& key, const std::string& message) {
  keys_.insert(key);
  found_.push_back(
      {place.line, place.column, fmt::format("[config] {}: {}: {}", place.text, key, message)});
}

void Mistakes::throw_if_any() const {
  if (found_.empty()) return;
  std::vector<Mistake> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Mistake& a, const Mistake& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  std::string text;
  for (const Mistake& mistake : sorted) text += (text.empty() ? "" : "\n") + mistake.text;
  throw Error("{}", text);
}

void check_pairs(Keys& keys, Mistakes& mistakes) { PairCheck(keys, mistakes).run(); }

std::vector<int> attention_heights(const UNetConfig& net) {
  std::vector<int> result;
  const std::vector<int> known = heights(net);
  for (std::size_t i = 0; i < net.attention.size(); ++i) {
    if (net.attention[i]) result.push_back(known.at(i));
  }
  return result;
}

}  // namespace ddpm::config
