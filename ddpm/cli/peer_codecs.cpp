#include "ddpm/cli/peer_codecs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/codec_model.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr double kLossless = std::numeric_limits<double>::infinity();

// A folder for other programs' files, removed with all that is in it.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "ddpm-rd-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw Error(ExitCode::resources, "[cli] rd: cannot make a folder like {}", name);
    }
    path_ = name;
  }
  ~Scratch() {
    std::error_code none;
    fs::remove_all(path_, none);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// Whether the program ran and was content. Its output goes nowhere.
bool run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int out : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, out, "/dev/null", O_WRONLY, 0);
  }
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return false;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

double deflated(const std::vector<Image>& images) {
  std::string raw;
  for (const Image& image : images) raw.append(image.pixels.begin(), image.pixels.end());
  std::vector<Bytef> out(compressBound(raw.size()));
  uLongf size = out.size();
  DDPM_CHECK(compress2(out.data(), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size(),
                       9) == Z_OK);
  return static_cast<double>(size) + 12;  // a gzip file has 18 bytes of frame, zlib's 6
}

Image sheet_of(const std::vector<Image>& images) {
  return image_grid(images, grid_columns(images.size()), 0, 0);
}

struct Tool {
  std::string name, encode, decode, ending;
  std::vector<std::string> lossless, lossy;  // options; the quality follows
  std::vector<std::string> qualities;
};
const std::vector<Tool>& tools() {
  static const std::vector<Tool> all = {{"webp",
                                         "cwebp",
                                         "dwebp",
                                         ".webp",
                                         {"-lossless", "-z", "9"},
                                         {"-m", "6", "-q"},
                                         {"0", "5", "10", "20", "40", "60", "80", "95"}},
                                        {"jxl",
                                         "cjxl",
                                         "djxl",
                                         ".jxl",
                                         {"-d", "0", "-e", "9"},
                                         {"-e", "9", "-d"},
                                         {"15", "10", "6", "4", "2", "1", "0.5"}}};
  return all;
}

// `program options IN [-o] OUT`.
std::vector<std::string> words_of(std::vector<std::string> words, const std::string& in,
                                  const std::string& out, const std::string& tool) {
  words.push_back(in);
  if (tool == "webp") words.push_back("-o");
  words.push_back(out);
  return words;
}

// All images with one setting; bytes 0 when the program failed.
PeerResult coded(const Tool& tool, const std::vector<std::string>& options, bool lossless,
                 const std::string& setting, const std::vector<Image>& images,
                 const Scratch& scratch) {
  PeerResult result{tool.name, setting, 0, kLossless};
  const std::string in = scratch / "in.png", out = scratch / ("out" + tool.ending);
  const std::string back = scratch / "back.png";
  std::vector<std::string> encode = {tool.encode};
  encode.insert(encode.end(), options.begin(), options.end());
  std::vector<Image> decoded;
  for (const Image& image : images) {
    write_png(in, image);
    if (!run(words_of(encode, in, out, tool.name))) return {};
    result.bytes += static_cast<double>(fs::file_size(out));
    if (lossless) continue;
    if (!run(words_of({tool.decode}, out, back, tool.name))) return {};
    decoded.push_back(with_channels(value_or_throw(read_png(back)), image.channels));
  }
  if (!lossless) result.psnr = psnr_of(decoded, images);
  return result;
}

}  // namespace

std::vector<PeerResult> peer_results(const std::vector<Image>& images,
                                     std::vector<std::string>& missing) {
  std::vector<PeerResult> results;
  double png = 0;
  for (const Image& image : images) png += static_cast<double>(encode_png(image).size());
  const std::vector<Image> sheet = {sheet_of(images)};
  results.push_back({"png", "one file an image", png, kLossless});
  results.push_back({"png", "sheet", static_cast<double>(encode_png(sheet[0]).size()), kLossless});
  results.push_back({"gzip", "all pixels", deflated(images), kLossless});
  const Scratch scratch;
  for (const Tool& tool : tools()) {
    if (!run({tool.encode, tool.name == "webp" ? "-version" : "--version"})) {
      missing.push_back(tool.encode);
      continue;
    }
    results.push_back(coded(tool, tool.lossless, true, "one file an image", images, scratch));
    results.push_back(coded(tool, tool.lossless, true, "sheet", sheet, scratch));
    for (const std::string& quality : tool.qualities) {
      std::vector<std::string> options = tool.lossy;
      options.push_back(quality);
      results.push_back(coded(tool, options, false, "lossy " + quality, images, scratch));
    }
  }
  std::erase_if(results, [](const PeerResult& r) { return r.bytes == 0; });
  return results;
}

}  // namespace ddpm::cli
