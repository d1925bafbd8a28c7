// Options and arguments that several commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "ddpm/base/shape.h"
#include "ddpm/data/dataset.h"
#include "ddpm/net/classifier.h"
#include "ddpm/net/model_parts.h"

namespace ddpm::cli {

/// At most this many images are computed at a time, so memory stays bounded whatever is asked for.
inline constexpr int kMaxBatch = 16;

/// Digits alone, below 2^64: CLI11 would read -1 and whatever is too large as 2^64 - 1, and 010
/// as 8.
CLI::Validator whole_number();

/// --threads; 0 (or DDPM_THREADS unset) is all.
void add_threads(CLI::App& command, int& threads);

/// --seed and its meaning.
void add_seed(CLI::App& command, std::uint64_t& seed);

/// Threads to use for an option of 0 or more.
int thread_count(int option);

/// What model_folder() holds. Warnings go to stderr.
Model open_model(const std::string& name);

/// The same for a classifier.
Classifier open_classifier(const std::string& name);

/// MODEL|SCHEDULE: a schedule by its name, of which nothing is known but that its network's eps is
/// clipped, or a model's.
Process open_process(const std::string& name);

/// Channels, height and width of the model's images.
Shape image_shape(const Model& model);

/// Whether a likelihood tells the network each image's class: it was trained with them, and the
/// data have them.
bool tells_labels(const Model& model, const Dataset& data);

/// SHA-256 of the weights as float32, the first 16 digits: which model made a picture.
std::string weights_hash(const Params& params);
std::string weights_hash(const Model& model);

/// Throws Error (usage) unless a file can be made at `path`: before any work is done.
void check_output_file(const std::filesystem::path& path);

/// `text` as one word for a POSIX shell.
std::string shell_word(const std::string& text);

}  // namespace ddpm::cli
