#include "ddpm/cli/info_words.h"

#include <fmt/format.h>

#include "ddpm/base/utf8.h"

namespace ddpm::cli {

std::string one_line(const std::string& text) {
  std::string out = to_utf8(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

std::string schedule_name(const Schedule& schedule) {
  return schedule.spec().empty() ? fmt::format("{} given betas", schedule.T()) : schedule.spec();
}

std::string names_of_classes(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += fmt::format("{} {} {}", i == 0 ? ":" : ",", i, one_line(names[i]));
  }
  return text;
}

Json json_class_names(const std::vector<std::string>& names) {
  std::vector<Json> list;
  for (const std::string& name : names) list.push_back(json_string(to_utf8(name)));
  return json_list(std::move(list));
}

}  // namespace ddpm::cli
