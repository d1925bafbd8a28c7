// Where a model's name leads.
#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/base/suggest.h"
#include "ddpm/net/model.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> from_environment() {
  std::vector<fs::path> places;
  const char* value = std::getenv("DDPM_MODELS");
  std::string_view rest = value == nullptr ? "" : value;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    if (colon != 0) places.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return places;
}

// In the order in which they are looked at. A program takes what was installed beside it.
std::vector<fs::path> places() {
  std::vector<fs::path> all = from_environment();
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  if (!program.empty()) {
    const fs::path up = program.parent_path().parent_path();
    all.push_back(up / "share" / "ddpm" / "models");
    all.push_back(up / "models");
  }
#ifdef DDPM_SOURCE_MODELS
  all.emplace_back(DDPM_SOURCE_MODELS);
#endif
#ifdef DDPM_INSTALLED_MODELS
  all.emplace_back(DDPM_INSTALLED_MODELS);
#endif
  return all;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

}  // namespace

std::vector<fs::path> known_models() {
  std::vector<fs::path> all;
  for (const fs::path& place : places()) {
    std::error_code ignored;
    std::vector<fs::path> here;
    for (const auto& entry : fs::directory_iterator(place, ignored)) {
      if (entry.is_directory(ignored)) here.push_back(entry.path());
    }
    std::ranges::sort(here);
    for (fs::path& path : here) {
      if (std::ranges::find(all, path) == all.end()) all.push_back(std::move(path));
    }
  }
  return all;
}

namespace {

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const fs::path& folder : known_models()) names.push_back(folder.filename().string());
  return names;
}

}  // namespace

fs::path find_model(const std::string& name) {
  std::error_code ignored;
  if (!name.empty() && fs::is_directory(name, ignored)) return name;
  if (!name.empty() && fs::exists(name, ignored)) {
    throw Error(
        ExitCode::bad_input,
        "[net] model: got the file {}, expected a model folder; try the folder that holds it",
        name);
  }
  std::string looked = fmt::format("'{}'", name);
  if (is_plain_name(name)) {
    for (const fs::path& place : places()) {
      if (fs::is_directory(place / name, ignored)) return place / name;
      looked += ", " + (place / name).string();
    }
  }
  const std::string near = nearest(name, known_names());
  throw Error(ExitCode::bad_input,
              "[net] model: got '{}', expected a model folder or the name of a shipped model; "
              "looked at {}; {}try setting DDPM_MODELS to the folder of your models",
              name, looked, near.empty() ? "" : fmt::format("did you mean '{}'? Or ", near));
}

}  // namespace ddpm
