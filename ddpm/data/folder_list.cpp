// list_folder of folder.h.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>

#include "ddpm/base/error.h"
#include "ddpm/data/folder.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

// Data sets are not nested deeper; links that go round in circles are.
constexpr int kMaxDepth = 16;

constexpr std::array kOtherImages = {".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

[[noreturn]] void refuse_image(const fs::path& path) {
  throw Error(ExitCode::bad_input,
              "[data] {}: got an image that is no PNG, expected PNG files only; try to convert it "
              "(mogrify -format png) or to move it away",
              path.string());
}

using Iterator = fs::recursive_directory_iterator;

// The path when the entry is an image to take.
std::optional<fs::path> take(const fs::directory_entry& entry, Iterator& walk) {
  std::error_code unknown;  // a dangling link: no directory, and read later, which names it
  const bool folder = entry.is_directory(unknown);
  if (is_hidden(entry.path())) {
    if (folder) walk.disable_recursion_pending();
    return std::nullopt;
  }
  if (folder) return std::nullopt;
  const std::string extension = lower_extension(entry.path());
  if (std::ranges::find(kOtherImages, extension) != kOtherImages.end()) refuse_image(entry.path());
  return extension == ".png" ? std::optional(entry.path()) : std::nullopt;
}

std::vector<fs::path> find_images(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::path last = folder;  // where a failure happened
  Iterator walk(folder, fs::directory_options::follow_directory_symlink, error);
  while (!error && walk != Iterator()) {
    if (walk.depth() > kMaxDepth)
      error = std::make_error_code(std::errc::too_many_symbolic_link_levels);
    if (error) break;
    last = walk->path();
    if (auto file = take(*walk, walk)) files.push_back(std::move(*file));
    walk.increment(error);
  }
  if (error) {
    throw Error(ExitCode::bad_input, "[data] search {} for PNGs: {} at {}", folder.string(),
                error.message(), last.string());
  }
  return files;
}

// "cats" of folder/cats/young/1.png; none for folder/1.png.
std::string first_level(const fs::path& folder, const fs::path& file) {
  const fs::path relative = file.lexically_relative(folder);
  const auto first = relative.begin();
  return std::next(first) == relative.end() ? "" : first->string();
}

void number_classes(const fs::path& folder, FolderListing& listing) {
  std::map<std::string, int> numbers;
  for (const fs::path& file : listing.files) {
    const std::string name = first_level(folder, file);
    if (name.empty()) return;
    numbers[name] = 0;
  }
  for (auto& [name, number] : numbers) {
    number = static_cast<int>(listing.classes.size());
    listing.classes.push_back(name);
  }
  for (const fs::path& file : listing.files) {
    listing.labels.push_back(numbers.at(first_level(folder, file)));
  }
}

}  // namespace

FolderListing list_folder(const fs::path& folder) {
  FolderListing listing;
  listing.files = find_images(folder);
  if (listing.files.empty()) {
    throw Error(
        ExitCode::bad_input,
        "[data] {}: got a folder without PNG files, expected at least one; try to convert its "
        "images to PNG",
        folder.string());
  }
  std::ranges::sort(listing.files, {}, [](const fs::path& path) { return path.native(); });
  number_classes(folder, listing);
  return listing;
}

}  // namespace ddpm
