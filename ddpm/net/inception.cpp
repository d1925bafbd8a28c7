#include "ddpm/net/inception.h"

#include <algorithm>
#include <functional>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr int kClasses = 1008;

class InceptionBuilder {
 public:
  explicit InceptionBuilder(std::span<const InceptionTap> taps)
      : wanted_(taps.begin(), taps.end()) {}

  Inception build() {
    Value x = g().input({3, kInceptionSide, kInceptionSide});
    for (const auto& [name, stage] : stages()) {
      x = net_.named[name] = stage(name, x);
      if (collect(name, x)) break;
    }
    std::vector<Value> taps;
    for (const InceptionTap tap : wanted_) taps.push_back(taps_.at(tap));
    g().output = join(taps);
    return std::move(net_);
  }

 private:
  using Stage = std::function<Value(const std::string& name, Value x)>;

  Graph& g() { return net_.graph; }

  // Convolution, batch norm, ReLU. Stride 2 has no padding.
  Value conv(const std::string& name, Value x, int out, int kernel, int stride = 1, int pad = 0) {
    return net_.named[name] = g().relu(g().conv(x, name, out, kernel, stride, pad, pad));
  }
  Value rect(const std::string& name, Value x, int out, int height, int width) {
    return net_.named[name] = g().relu(g().conv_rect(x, name, out, height, width));
  }
  Value mean3(Value x) { return g().avg_pool(x, 3, 1, 1, /*count_padding=*/false); }
  Value join(const std::vector<Value>& parts) {
    Value all = parts.at(0);
    for (std::size_t i = 1; i < parts.size(); ++i) all = g().concat(all, parts[i]);
    return all;
  }

  Value block_a(const std::string& p, Value x, int pool_features) {
    const Value one = conv(p + ".branch1x1", x, 64, 1);
    const Value five = conv(p + ".branch5x5_2", conv(p + ".branch5x5_1", x, 48, 1), 64, 5, 1, 2);
    Value three = conv(p + ".branch3x3dbl_1", x, 64, 1);
    three = conv(p + ".branch3x3dbl_2", three, 96, 3, 1, 1);
    three = conv(p + ".branch3x3dbl_3", three, 96, 3, 1, 1);
    return join({one, five, three, conv(p + ".branch_pool", mean3(x), pool_features, 1)});
  }

  Value block_b(const std::string& p, Value x) {
    const Value three = conv(p + ".branch3x3", x, 384, 3, 2);
    Value twice = conv(p + ".branch3x3dbl_1", x, 64, 1);
    twice = conv(p + ".branch3x3dbl_2", twice, 96, 3, 1, 1);
    twice = conv(p + ".branch3x3dbl_3", twice, 96, 3, 2);
    return join({three, twice, g().max_pool(x, 3, 2, 0)});
  }

  Value block_c(const std::string& p, Value x, int c) {
    const Value one = conv(p + ".branch1x1", x, 192, 1);
    Value seven = conv(p + ".branch7x7_1", x, c, 1);
    seven = rect(p + ".branch7x7_2", seven, c, 1, 7);
    seven = rect(p + ".branch7x7_3", seven, 192, 7, 1);
    Value twice = conv(p + ".branch7x7dbl_1", x, c, 1);
    twice = rect(p + ".branch7x7dbl_2", twice, c, 7, 1);
    twice = rect(p + ".branch7x7dbl_3", twice, c, 1, 7);
    twice = rect(p + ".branch7x7dbl_4", twice, c, 7, 1);
    twice = rect(p + ".branch7x7dbl_5", twice, 192, 1, 7);
    return join({one, seven, twice, conv(p + ".branch_pool", mean3(x), 192, 1)});
  }

  Value block_d(const std::string& p, Value x) {
    const Value three = conv(p + ".branch3x3_2", conv(p + ".branch3x3_1", x, 192, 1), 320, 3, 2);
    Value seven = conv(p + ".branch7x7x3_1", x, 192, 1);
    seven = rect(p + ".branch7x7x3_2", seven, 192, 1, 7);
    seven = rect(p + ".branch7x7x3_3", seven, 192, 7, 1);
    seven = conv(p + ".branch7x7x3_4", seven, 192, 3, 2);
    return join({three, seven, g().max_pool(x, 3, 2, 0)});
  }

  // The last block's pool is a maximum, a slip of the graph of 2015 that all scores rest on.
  Value block_e(const std::string& p, Value x, bool max_pool) {
    const Value one = conv(p + ".branch1x1", x, 320, 1);
    const Value three = conv(p + ".branch3x3_1", x, 384, 1);
    const Value three_a = rect(p + ".branch3x3_2a", three, 384, 1, 3);
    const Value three_b = rect(p + ".branch3x3_2b", three, 384, 3, 1);
    Value twice = conv(p + ".branch3x3dbl_1", x, 448, 1);
    twice = conv(p + ".branch3x3dbl_2", twice, 384, 3, 1, 1);
    const Value twice_a = rect(p + ".branch3x3dbl_3a", twice, 384, 1, 3);
    const Value twice_b = rect(p + ".branch3x3dbl_3b", twice, 384, 3, 1);
    const Value pooled = max_pool ? g().max_pool(x, 3, 1, 1) : mean3(x);
    return join(
        {one, three_a, three_b, twice_a, twice_b, conv(p + ".branch_pool", pooled, 192, 1)});
  }

  std::vector<std::pair<std::string, Stage>> stages() {
    const auto conv_stage = [this](int out, int kernel, int stride = 1, int pad = 0) -> Stage {
      return
          [=, this](const std::string& p, Value x) { return conv(p, x, out, kernel, stride, pad); };
    };
    const Stage halve = [this](const std::string&, Value x) { return g().max_pool(x, 3, 2, 0); };
    const auto a = [this](int features) -> Stage {
      return [=, this](const std::string& p, Value x) { return block_a(p, x, features); };
    };
    const auto c = [this](int channels) -> Stage {
      return [=, this](const std::string& p, Value x) { return block_c(p, x, channels); };
    };
    const auto e = [this](bool max_pool) -> Stage {
      return [=, this](const std::string& p, Value x) { return block_e(p, x, max_pool); };
    };
    return {{"Conv2d_1a_3x3", conv_stage(32, 3, 2)},
            {"Conv2d_2a_3x3", conv_stage(32, 3)},
            {"Conv2d_2b_3x3", conv_stage(64, 3, 1, 1)},
            {"MaxPool_1", halve},
            {"Conv2d_3b_1x1", conv_stage(80, 1)},
            {"Conv2d_4a_3x3", conv_stage(192, 3)},
            {"MaxPool_2", halve},
            {"Mixed_5b", a(32)},
            {"Mixed_5c", a(64)},
            {"Mixed_5d", a(64)},
            {"Mixed_6a", [this](const std::string& p, Value x) { return block_b(p, x); }},
            {"Mixed_6b", c(128)},
            {"Mixed_6c", c(160)},
            {"Mixed_6d", c(160)},
            {"Mixed_6e", c(192)},
            {"Mixed_7a", [this](const std::string& p, Value x) { return block_d(p, x); }},
            {"Mixed_7b", e(false)},
            {"Mixed_7c", e(true)},
            {"AvgPool", [this](const std::string&, Value x) { return g().mean_pixels(x); }}};
  }

  bool wants(InceptionTap tap) const { return std::ranges::find(wanted_, tap) != wanted_.end(); }

  // Takes the taps of a stage; true when no other is missing.
  bool collect(const std::string& stage, Value x) {
    const auto take = [&](InceptionTap tap, const char* at, const auto& make) {
      if (stage == at && wants(tap)) taps_[tap] = make();
    };
    const auto mean = [&] { return g().mean_pixels(x); };
    take(InceptionTap::block64, "MaxPool_1", mean);
    take(InceptionTap::block192, "MaxPool_2", mean);
    take(InceptionTap::block768, "Mixed_6e", mean);
    take(InceptionTap::spatial, "Mixed_6d", [&] { return first_channels(); });
    take(InceptionTap::pool, "AvgPool", [&] { return x; });
    take(InceptionTap::logits, "AvgPool", [&] { return g().linear(x, "fc", kClasses); });
    take(InceptionTap::logits_unbiased, "AvgPool",
         [&] { return g().linear(x, "fc_unbiased", kClasses); });
    return std::ranges::all_of(wanted_, [&](InceptionTap tap) { return taps_.contains(tap); });
  }

  Value first_channels() {
    const Value one = net_.named.at("Mixed_6d.branch1x1");
    const Shape s = g().shape(one);
    return g().flatten(g().append({.op = Op::slice,
                                   .inputs = {one},
                                   .param = "",
                                   .a = {.begin = 0},
                                   .shape = {kSpatialChannels, s.h, s.w}}));
  }

  std::vector<InceptionTap> wanted_;
  Inception net_;
  std::map<InceptionTap, Value> taps_;
};

}  // namespace

std::string_view to_string(InceptionTap tap) {
  switch (tap) {
    case InceptionTap::block64:
      return "64";
    case InceptionTap::block192:
      return "192";
    case InceptionTap::block768:
      return "768";
    case InceptionTap::pool:
      return "2048";
    case InceptionTap::logits:
      return "logits";
    case InceptionTap::logits_unbiased:
      return "logits_unbiased";
    case InceptionTap::spatial:
      return "spatial";
  }
  return "?";
}

int dims(InceptionTap tap) {
  switch (tap) {
    case InceptionTap::block64:
      return 64;
    case InceptionTap::block192:
      return 192;
    case InceptionTap::block768:
      return 768;
    case InceptionTap::pool:
      return 2048;
    case InceptionTap::spatial:
      return kSpatialChannels * 17 * 17;
    default:
      return kClasses;
  }
}

Inception inception(std::span<const InceptionTap> taps) {
  DDPM_CHECK(!taps.empty());
  return InceptionBuilder(taps).build();
}

}  // namespace ddpm
