// The model that a run, or a name, stands for.
#pragma once

#include <filesystem>
#include <string>

namespace ddpm {

/// The folder that MODEL names: a model's, that of a run's newest checkpoint (or of RUN/latest,
/// RUN/best), or of a shipped model. Throws Error (bad_input) where there is none.
std::filesystem::path model_folder(const std::string& name);

/// Whether it is RUN/latest or RUN/best, a file that stands for a folder.
bool is_checkpoint_pointer(const std::filesystem::path& path);

}  // namespace ddpm
