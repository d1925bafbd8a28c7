// ddpm convert SRC DST: a model as a folder of its own, from a checkpoint or a diffusers pipeline.
#include <unistd.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

namespace fs = std::filesystem;

struct ConvertArgs {
  std::string source, target, weights = "f32";
};

// All files in a folder beside the target, then one rename: the target is whole or absent.
void write_folder(const fs::path& target, const std::map<std::string, std::string>& files) {
  const fs::path temporary = target.string() + fmt::format(".tmp-{}", getpid());
  try {
    for (const auto& [name, bytes] : files) {
      make_folders((temporary / name).parent_path());
      write_file_synced(temporary / name, bytes);
    }
    rename_path(temporary, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

void run_convert(const ConvertArgs& args) {
  fs::path target = args.target;
  if (!target.has_filename()) target = target.parent_path();  // DST/ means DST
  if (fs::exists(fs::symlink_status(target))) {
    throw Error("[cli] convert: {} exists, expected a name that is free; try another",
                target.string());
  }
  const Model model = open_model(args.source);
  write_folder(target,
               model_files(model, args.weights == "f16" ? WeightType::f16 : WeightType::f32));
  put_line("{}", target.string());
}

}  // namespace

void add_convert(CLI::App& app) {
  auto args = std::make_shared<ConvertArgs>();
  auto* command = app.add_subcommand(
      "convert", "Write a model as a folder of its own, as diffusers loads it (EMA weights only).");
  command
      ->add_option("source", args->source,
                   "model folder, run folder, checkpoint, or a shipped model's name")
      ->required();
  command->add_option("target", args->target, "folder to make")->required();
  command
      ->add_option("--weights", args->weights,
                   "f32, or f16: half the size, each weight rounded to 11 bits")
      ->check(CLI::IsMember({"f32", "f16"}));
  command->callback([args] { run_convert(*args); });
}

}  // namespace ddpm::cli
