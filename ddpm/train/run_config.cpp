#include "ddpm/train/run_config.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string_view>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// A score changes no weight, and each says what it is. Where a rate falls is counted from the last
// step, so `decay` is as free as `steps`.
const std::set<std::string> kFree = {
    "train.steps",          "train.decay",       "train.save_every", "train.sample_every",
    "train.keep",           "train.micro_batch", "train.recompute",  "train.score_every",
    "train.score_features", "train.score_count", "train.score_plan", "train.keep_best"};

// Calls f(line, "table.key", value) for each line that config_text() writes; other lines have no
// key. Strings are escaped there, so a line is a line.
void for_lines(std::string_view text,
               const std::function<void(std::string_view, const std::string&, std::string)>& f) {
  std::string table;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('[')) table = line.substr(1, line.size() - 2);
    if (line.starts_with('[') || equals == std::string_view::npos) {
      f(line, "", "");
    } else {
      f(line, table + "." + std::string(line.substr(0, equals)),
        std::string(line.substr(equals + 3)));
    }
  }
}

std::map<std::string, std::string> values_of(const std::string& text) {
  std::map<std::string, std::string> values;
  for_lines(text, [&](std::string_view, const std::string& key, const std::string& value) {
    if (!key.empty()) values[key] = value;
  });
  return values;
}

}  // namespace

std::string result_config(const RunConfig& config) {
  std::string kept;
  for_lines(config_text(config),
            [&](std::string_view line, const std::string& key, const std::string&) {
              if (!kFree.contains(key)) kept.append(line).push_back('\n');
            });
  return kept;
}

std::vector<std::string> config_differences(const std::string& then, const std::string& now) {
  std::map<std::string, std::string> old_values = values_of(then), new_values = values_of(now);
  // A key that is younger than the checkpoint had its default. A table that only one of them has is
  // no such key.
  const auto trains_classifier = [](const auto& values) {
    const auto first = values.lower_bound("classifier.");
    return first != values.end() && first->first.starts_with("classifier.");
  };
  RunConfig defaults;
  if (trains_classifier(old_values)) defaults.classifier.emplace();
  for (const auto& [key, value] : values_of(result_config(defaults))) {
    if (new_values.contains(key)) old_values.try_emplace(key, value);
  }
  std::set<std::string> keys;
  for (const auto* values : {&old_values, &new_values}) {
    for (const auto& [key, value] : *values) keys.insert(key);
  }
  const auto shown = [](const std::string& value) { return value.empty() ? "unset" : value; };
  std::vector<std::string> differences;
  for (const std::string& key : keys) {
    if (old_values[key] != new_values[key]) {
      differences.push_back(
          fmt::format("{}: {} then, {} now", key, shown(old_values[key]), shown(new_values[key])));
    }
  }
  return differences;
}

}  // namespace ddpm
