#include "ddpm/cli/options.h"

#include <unistd.h>

#include <bit>
#include <charconv>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/thread_pool.h"
#include "ddpm/cli/output.h"
#include "ddpm/train/run_model.h"

namespace ddpm::cli {
namespace fs = std::filesystem;

CLI::Validator whole_number() {
  const auto check = [](const std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    const bool octal = text.size() > 1 && text[0] == '0';
    if (whole && !octal) return std::string();
    return fmt::format("got `{}`, expected a whole number below 2^64", text);
  };
  return {check, "", "whole number"};
}

void add_threads(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "threads to use, 0 = all; the results are the same")
      ->check(whole_number())
      ->check(CLI::Range(0, 1024))
      ->envname("DDPM_THREADS");
}

void add_seed(CLI::App& command, std::uint64_t& seed) {
  command.add_option("--seed", seed, "the same seed gives the same bytes")->check(whole_number());
}

int thread_count(int option) { return option > 0 ? option : ThreadPool::default_threads(); }

Model open_model(const std::string& name) {
  Model model = load_model(model_folder(name));
  for (const std::string& warning : model.warnings) print_warning(warning);
  return model;
}

Classifier open_classifier(const std::string& name) {
  Classifier classifier = load_classifier(model_folder(name));
  for (const std::string& warning : classifier.warnings) print_warning(warning);
  return classifier;
}

Process open_process(const std::string& name) {
  if (Schedule::is_named(name)) return {Schedule::parse(name), {}};
  try {
    const Model model = open_model(name);
    return {model.schedule, model.view};
  } catch (const Error& error) {
    throw Error(error.code(), "{}; or try a schedule, as linear:1000", error.what());
  }
}

Shape image_shape(const Model& model) {
  return {model.config.in_channels, model.config.height, model.config.width};
}

bool tells_labels(const Model& model, const Dataset& data) {
  return model.config.conditional() && data.size() > 0 && data.label(0).has_value();
}

std::string weights_hash(const Model& model) { return weights_hash(model.params); }

std::string weights_hash(const Params& params) {
  static_assert(std::endian::native == std::endian::little);
  const std::span<const float> values = params.all();
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return sha256_hex(bytes).substr(0, 16);
}

void check_output_file(const fs::path& path) {
  std::error_code none;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (path.filename().empty() || fs::is_directory(path, none)) {
    throw Error("[cli] output: got {}, expected a file name, and that is a folder", path.string());
  }
  if (!fs::is_directory(folder, none)) {
    throw Error("[cli] output: the folder of {} does not exist; try mkdir -p {}", path.string(),
                shell_word(folder.string()));
  }
  if (access(folder.c_str(), W_OK) != 0) {
    throw Error("[cli] output: may not write into {}; try -o with another folder", folder.string());
  }
}

std::string shell_word(const std::string& text) {
  const std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace ddpm::cli
