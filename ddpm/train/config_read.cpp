// TOML -> RunConfig. Every mistake is collected; nothing is guessed.
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "ddpm/base/file.h"
#include "ddpm/base/suggest.h"
#include "ddpm/base/utf8.h"
#include "ddpm/diffusion/variance.h"
#include "ddpm/train/config_check.h"
#include "ddpm/train/config_keys.h"

namespace ddpm {
namespace {

using config::Integers;
using config::Keys;
using config::Mistakes;
using config::Reals;

constexpr std::uint64_t kMaxConfigBytes = 1 << 20;
constexpr std::size_t kMaxLevels = 8;

struct Names {  // table -> its keys
  std::vector<std::string> tables;
  std::map<std::string, std::vector<std::string>> keys;
};

const Names& known_names() {
  static const Names names = [] {
    Names result;
    Keys keys;
    config::visit_keys(keys, [&](const char* table, const char* key, auto&&...) {
      if (!result.keys.contains(table)) result.tables.emplace_back(table);
      result.keys[table].emplace_back(key);
    });
    return result;
  }();
  return names;
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// What to say after "unknown key": the nearest name in its table, the table it belongs to, or all
// there is.
std::string key_advice(const std::string& table, const std::string& key) {
  const Names& names = known_names();
  const std::string near = nearest(key, names.keys.at(table));
  if (!near.empty()) return "try " + near;
  for (const std::string& other : names.tables) {
    if (contains(names.keys.at(other), key)) return fmt::format("it belongs in [{}]", other);
  }
  return "known keys: " + listed(names.keys.at(table));
}

std::string table_advice(const std::string& name) {
  const Names& names = known_names();
  for (const std::string& table : names.tables) {
    if (contains(names.keys.at(table), name)) return fmt::format("it belongs in [{}]", table);
  }
  const std::string near = nearest(name, names.tables);
  if (!near.empty()) return fmt::format("try [{}]", near);
  return "known tables: " + listed(names.tables);
}

std::string kind_of(const toml::node& node) {
  std::ostringstream text;
  text << node.type();
  return text.str();
}

// The value as TOML, shortened.
std::string shown(const toml::node& node) {
  if (node.is_table() || node.is_array_of_tables()) return "a table";
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  std::string out = to_utf8(text.str());
  if (out.size() > 60) out = to_utf8(out.substr(0, 57)) + "...";
  return out;
}

// Where a key's value comes from: the file, or a later --set.
struct Source {
  const toml::node* node = nullptr;
  const std::string* raw = nullptr;  // --set: the text after '='
};

class Sources {
 public:
  Sources(const toml::table& root, std::string file, Mistakes& mistakes)
      : root_(root), file_(std::move(file)), mistakes_(mistakes) {}

  void check_names() {
    for (const auto& [key, node] : root_) {
      const std::string table(key.str());
      if (!contains(known_names().tables, table)) {
        const char* what = node.is_table() ? "unknown table" : "unknown key";
        mistakes_.add_at(place(key.source()), table,
                         fmt::format("{}; {}", what, table_advice(table)));
      } else if (!node.is_table()) {
        mistakes_.add_at(place(node.source()), table,
                         fmt::format("got {}, expected a table; try [{}]", kind_of(node), table));
      } else {
        mistakes_.set_place(table, place(node.source()));
        check_table(table, *node.as_table());
      }
    }
  }

  // `table.key=value`; the value is TOML, or text where the key takes text.
  void set(const std::string& override) {
    const config::Place here = {std::numeric_limits<int>::max(),
                                static_cast<int>(overrides_.size()), "--set " + to_utf8(override)};
    const std::size_t dot = override.find('.'), equals = override.find('=');
    if (equals == std::string::npos || dot > equals) {
      mistakes_.add_at(here, "--set", "expected TABLE.KEY=VALUE; try --set train.steps=1000");
      return;
    }
    const std::string table = override.substr(0, dot),
                      key = override.substr(dot + 1, equals - dot - 1);
    if (!contains(known_names().tables, table)) {
      mistakes_.add_at(here, table, "unknown table; " + table_advice(table));
    } else if (!contains(known_names().keys.at(table), key)) {
      mistakes_.add_at(here, table + "." + key, "unknown key; " + key_advice(table, key));
    } else {
      const std::string path = table + "." + key;
      mistakes_.set_place(path, here);
      overrides_[path] = {override.substr(equals + 1), parse_value(override.substr(equals + 1))};
    }
  }

  Source find(const char* table, const char* key) const {
    const auto set = overrides_.find(fmt::format("{}.{}", table, key));
    if (set != overrides_.end()) return {set->second.value.get("value"), &set->second.raw};
    const toml::table* inside = root_[table].as_table();
    return {inside ? inside->get(key) : nullptr, nullptr};
  }

  bool has_table(const std::string& table) const {
    if (root_.contains(table)) return true;
    return std::ranges::any_of(overrides_,
                               [&](const auto& o) { return o.first.starts_with(table + '.'); });
  }

 private:
  struct Override {
    std::string raw;
    toml::table value;  // { value = ... }
  };

  // A value that isn't TOML by itself is taken as text: `--set data.path=images`.
  static toml::table parse_value(const std::string& raw) {
    try {
      toml::table table = toml::parse("value = " + raw);
      if (table.size() == 1) return table;
    } catch (const toml::parse_error&) {
    }
    toml::table table;
    table.insert("value", raw);
    return table;
  }

  void check_table(const std::string& table, const toml::table& inside) {
    for (const auto& [key, node] : inside) {
      const std::string name(key.str()), path = table + "." + name;
      if (contains(known_names().keys.at(table), name)) {
        mistakes_.set_place(path, place(node.source()));
      } else {
        mistakes_.add_at(place(key.source()), path, "unknown key; " + key_advice(table, name));
      }
    }
  }

  config::Place place(const toml::source_region& region) const {
    const int line = static_cast<int>(region.begin.line),
              column = static_cast<int>(region.begin.column);
    return {line, column, fmt::format("{}:{}:{}", file_, line, column)};
  }

  const toml::table& root_;
  std::string file_;
  Mistakes& mistakes_;
  std::map<std::string, Override> overrides_;
};

std::string form(Reals range) {
  return fmt::format("a number in {}{}, {}{}", range.low_open ? '(' : '[', range.low, range.high,
                     range.high_open ? ')' : ']');
}

std::string form(Integers range) { return fmt::format("{}..{}", range.low, range.high); }

bool inside(double value, Reals range) {  // false for NaN
  const bool above = range.low_open ? value > range.low : value >= range.low;
  const bool below = range.high_open ? value < range.high : value <= range.high;
  return above && below;
}

// Reads one value a call into its place in Keys; what isn't in the file keeps its default.
class Reader {
 public:
  Reader(const Sources& sources, Mistakes& mistakes) : sources_(sources), mistakes_(mistakes) {}

  template <class T, class... Range>
  void operator()(const char* table, const char* key, T& value, Range... range) {
    const Source source = sources_.find(table, key);
    if (!source.node) return;
    path_ = fmt::format("{}.{}", table, key);
    seen_.insert(path_);
    read(source, value, range...);
  }

  bool seen(const std::string& path) const { return seen_.contains(path); }
  const std::set<std::string>& seen() const { return seen_; }

 private:
  void expected(const toml::node& node, const std::string& what) {
    mistakes_.add(path_, fmt::format("got {}, expected {}", shown(node), what));
  }

  void read(const Source& source, std::string& value) {
    if (const auto text = source.node->value_exact<std::string>()) {
      value = *text;
    } else if (source.raw) {
      value = *source.raw;
    } else {
      return expected(*source.node, "text in quotes");
    }
    if (!is_utf8(value)) mistakes_.add(path_, "got bytes that are not UTF-8, expected UTF-8 text");
    if (value.find('\0') != std::string::npos) mistakes_.add(path_, "got a NUL, expected text");
  }

  void read(const Source& source, bool& value) {
    const auto flag = source.node->value_exact<bool>();
    if (!flag) return expected(*source.node, "true or false");
    value = *flag;
  }

  void read(const Source& source, double& value, Reals range) {
    const bool number = source.node->is_integer() || source.node->is_floating_point();
    const auto real = number ? source.node->value<double>() : std::nullopt;
    if (!real || !inside(*real, range)) return expected(*source.node, form(range));
    value = *real;
  }

  template <class Integer>
  void read(const Source& source, Integer& value, Integers range) {
    const auto integer = source.node->value_exact<std::int64_t>();
    if (!integer || *integer < range.low || *integer > range.high) {
      return expected(*source.node, "a whole number in " + form(range));
    }
    value = static_cast<Integer>(*integer);
  }

  void read(const Source& source, std::vector<int>& value, Integers range) {
    const toml::array* array = source.node->as_array();
    const bool levels = path_.ends_with(".block_out_channels");  // the other list may be empty
    if (!array || array->size() > kMaxLevels || (levels && array->empty())) {
      return expected(*source.node,
                      fmt::format("a list of {}..{} whole numbers", levels ? 1 : 0, kMaxLevels));
    }
    std::vector<int> list;
    for (const toml::node& node : *array) {
      int item = 0;
      read(Source{&node, nullptr}, item, range);
      list.push_back(item);
    }
    value = list;
  }

  template <class Enum, std::size_t n>
  void read_name(const Source& source, Enum& value, const std::array<Enum, n>& all) {
    std::string text;
    read(source, text);
    if (mistakes_.about(path_)) return;
    std::vector<std::string> names;
    for (const Enum item : all) {
      names.emplace_back(to_string(item));
      if (names.back() == text) return void(value = item);
    }
    const std::string near = nearest(text, names);
    mistakes_.add(path_, fmt::format("got \"{}\", expected one of {}{}", text, listed(names),
                                     near.empty() ? "" : "; try \"" + near + "\""));
  }

  void read(const Source& source, Prediction& value) {
    using enum Prediction;
    read_name(source, value, std::array{eps, x0, v, mu, score});
  }

  void read(const Source& source, Variance& value) {
    read_name(source, value,
              std::array{Variance::fixed_small, Variance::fixed_large, Variance::learned,
                         Variance::learned_range});
  }

  void read(const Source& source, TimeEmbedding& value) {
    using enum TimeEmbedding;
    read_name(source, value, std::array{positional, fourier, learned});
  }

  void read(const Source& source, TimeShift& value) {
    read_name(source, value, std::array{TimeShift::add, TimeShift::scale_shift});
  }

  void read(const Source& source, Resample& value) {
    read_name(source, value, std::array{Resample::conv, Resample::resnet});
  }

  void read(const Source& source, cpu::Recompute& value) {
    read_name(source, value, std::array{cpu::Recompute::none, cpu::Recompute::blocks});
  }

  const Sources& sources_;
  Mistakes& mistakes_;
  std::string path_;
  std::set<std::string> seen_;
};

toml::table parse_toml(const std::string& text, const std::string& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    throw Error("[config] {}:{}:{}: not TOML: {}", file, at.line, at.column,
                to_utf8(error.description()));
  }
}

// Defaults that hang on other keys: attention at 16 x 16 as in the paper, where a level has that
// size.
void fill_defaults(Keys& keys, const Reader& reader) {
  UNetConfig& net = keys.run.net;
  if (!reader.seen("net.out_channels")) {
    net.out_channels = net.in_channels * (is_learned(keys.run.diffusion.variance) ? 2 : 1);
  }
  // UNet2DModel leaves the middle's attention without a norm there unless it is given groups.
  if (net.resnet_time_scale_shift == TimeShift::scale_shift &&
      !reader.seen("net.attn_norm_num_groups")) {
    net.attn_norm_num_groups = net.norm_num_groups;
  }
  if (reader.seen("net.attention_resolutions")) return;
  for (std::size_t i = 0; i < net.block_out_channels.size(); ++i) {
    if (net.height >> i == 16) keys.attention_resolutions = {16};
  }
}

// A table [classifier] makes the run a classifier's; what then has no meaning is a mistake.
void choose_kind(Keys& keys, const Sources& sources, const Reader& reader, Mistakes& mistakes) {
  if (sources.has_table("classifier")) keys.run.classifier = keys.classifier;
  for (const std::string& path : reader.seen()) {
    const std::size_t dot = path.find('.');
    const std::string table = path.substr(0, dot);
    if (config::applies(keys.run, table, path.substr(dot + 1))) continue;
    const bool times = table == "diffusion" && !keys.run.classifier->noisy;
    mistakes.add(path, fmt::format("a run with [classifier] has no such key; try leaving it out{}",
                                   times ? ", or noisy = true for a classifier of x_t" : ""));
  }
}

}  // namespace

RunConfig parse_config(const std::string& text, const std::string& file,
                       const std::vector<std::string>& overrides) {
  const toml::table root = parse_toml(text, file);
  Mistakes mistakes(file);
  Sources sources(root, file, mistakes);
  sources.check_names();
  for (const std::string& override : overrides) sources.set(override);
  Keys keys;
  Reader reader(sources, mistakes);
  config::visit_keys(keys, reader);
  choose_kind(keys, sources, reader, mistakes);
  fill_defaults(keys, reader);
  config::check_pairs(keys, mistakes);
  mistakes.throw_if_any();
  return keys.run;
}

RunConfig read_config(const std::filesystem::path& file,
                      const std::vector<std::string>& overrides) {
  return parse_config(value_or_throw(read_file(file, kMaxConfigBytes)), file.string(), overrides);
}

}  // namespace ddpm
