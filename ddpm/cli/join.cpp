// ddpm join PART... -o WHOLE: puts together what `ddpm sample --shard` made.
#include <algorithm>
#include <filesystem>
#include <map>

#include "ddpm/base/crc32.h"
#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/part_file.h"
#include "ddpm/data/npy.h"
#include "ddpm/data/zip_stream.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

struct JoinArgs {
  std::vector<std::string> parts;
  std::string out;
  bool json = false;
};

using Arrays = std::map<std::string, NpyArray>;

// The arrays of a part by name, "" for that of an .npy file. Parts are read one at a time and more
// than once, so that only one is in memory.
Arrays read_part(const std::string& path, const std::vector<std::string>& wanted = {}) {
  const std::string bytes = value_or_throw(read_file(path)), name = to_utf8(path);
  if (fs::path(path).extension() == ".npz") {
    return value_or_throw(parse_npz(bytes, name, wanted));
  }
  return {{"", value_or_throw(parse_npy(bytes, name))}};
}

std::vector<std::int64_t> image_axes(const NpyArray& array) {
  return {array.shape.begin() + 1, array.shape.end()};
}

void check_scalar(const std::string& path, const Arrays& arrays) {
  for (const auto& [key, array] : arrays) {
    if (!array.shape.empty()) continue;
    throw Error(ExitCode::bad_input, "[cli] join: {}: got a single number, expected images",
                to_utf8(path));
  }
}

[[noreturn]] void throw_unlike(const std::string& path, const std::string& first) {
  throw Error(ExitCode::bad_input,
              "[cli] join: {} has other arrays, types or shapes than {}, expected parts of one "
              "whole",
              to_utf8(path), to_utf8(first));
}

// What the whole has: the parts' arrays without their values, lengths added.
Arrays whole_of(const std::vector<std::string>& parts) {
  Arrays whole;
  for (const std::string& path : parts) {
    Arrays arrays = read_part(path);
    check_scalar(path, arrays);
    for (auto& [key, array] : arrays) array.bytes.clear();
    if (whole.empty()) {
      whole = std::move(arrays);
      continue;
    }
    if (whole.size() != arrays.size()) throw_unlike(path, parts[0]);
    for (auto& [key, sum] : whole) {
      const auto found = arrays.find(key);
      const bool alike = found != arrays.end() && found->second.type == sum.type &&
                         image_axes(found->second) == image_axes(sum);
      if (!alike) throw_unlike(path, parts[0]);
      sum.shape[0] += found->second.shape[0];
    }
  }
  if (whole.empty()) throw Error(ExitCode::bad_input, "[cli] join: {} is empty", parts[0]);
  return whole;
}

// Appends the values of an array, part after part; its CRC goes on from `crc`.
std::uint32_t append_values(const std::vector<std::string>& parts, const std::string& key,
                            PartFile& file, std::uint32_t crc) {
  for (const std::string& path : parts) {
    const Arrays arrays =
        read_part(path, key.empty() ? std::vector<std::string>{} : std::vector<std::string>{key});
    const std::string& bytes = arrays.at(key).bytes;
    file.append(bytes);
    crc = crc32_of(bytes, crc);
  }
  return crc;
}

void write_whole_npz(const std::vector<std::string>& parts, const Arrays& whole, PartFile& file) {
  ZipStream zip;
  for (const auto& [key, array] : whole) {
    const std::string header = npy_header(array.type, array.shape);
    const std::uint64_t values = array.size() * element_size(array.type);
    file.append(zip.begin_entry(key + ".npy", header.size() + values) + header);
    const std::uint32_t crc = append_values(parts, key, file, crc32_of(header));
    zip.set_crc(crc);
    file.overwrite(zip.crc_offset(), {reinterpret_cast<const char*>(&crc), sizeof(crc)});
  }
  file.append(zip.end());
}

void check_names(const JoinArgs& args) {
  check_output_file(args.out);
  const auto kind = fs::path(args.out).extension();
  if (kind != ".npy" && kind != ".npz") {
    throw Error("[cli] join: got -o {}, expected FILE.npy or FILE.npz; try -o whole.npy",
                to_utf8(args.out));
  }
  for (const std::string& part : args.parts) {
    if (fs::path(part).extension() == kind) continue;
    throw Error("[cli] join: got {} for -o {}, expected {} files", to_utf8(part), to_utf8(args.out),
                kind.string());
  }
}

void run_join(const JoinArgs& args) {
  check_names(args);
  const Arrays whole = whole_of(args.parts);
  PartFile file(args.out);
  file.truncate(0);
  if (fs::path(args.out).extension() == ".npz") {
    write_whole_npz(args.parts, whole, file);
  } else {
    const NpyArray& array = whole.begin()->second;
    file.append(npy_header(array.type, array.shape));
    append_values(args.parts, "", file, 0);
  }
  file.finish();
  if (!args.json) return put_line("{}", args.out);
  print_json("ddpm.join/1", {{"output", json_string(to_utf8(args.out))},
                             {"parts", json_integer(std::ssize(args.parts))},
                             {"count", json_integer(whole.begin()->second.shape[0])}});
}

}  // namespace

void add_join(CLI::App& app) {
  auto args = std::make_shared<JoinArgs>();
  auto* command = app.add_subcommand(
      "join", "Put parts together that `ddpm sample --shard` made: the bytes of one process.");
  command->add_option("parts", args->parts, "FILE.npy or FILE.npz, in the order of the images")
      ->required();
  command->add_option("-o,--out", args->out, "the whole, of the same kind")->required();
  command->add_flag("--json", args->json, "say what was written as JSON");
  command->callback([args] { run_join(*args); });
}

}  // namespace ddpm::cli
