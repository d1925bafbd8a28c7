// ddpm data DATA: what a data set holds, before a day of training is spent on it.
#include <cmath>
#include <set>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/sample_output.h"
#include "ddpm/cli/signals.h"
#include "ddpm/data/dataset.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {
namespace {

constexpr std::size_t kMaxListed = 10;

struct DataArgs {
  std::string data, out;
  int count = 64;
  bool json = false;
};

// What one pass over the images finds.
struct Scan {
  std::vector<double> mean, deviation;  // a channel, of values in [-1, 1]
  std::vector<std::int64_t> labels;     // images a class
  std::int64_t duplicates = 0;          // images equal to an earlier one
  std::int64_t unreadable = 0;
  std::vector<std::string> errors;  // the first few
};

// Exact sums of bytes: no order of images changes them.
struct ChannelSum {
  std::uint64_t sum = 0, squares = 0, count = 0;

  void add(std::span<const std::uint8_t> bytes) {
    for (const std::uint64_t b : bytes) {
      sum += b;
      squares += b * b;
    }
    count += bytes.size();
  }
  double mean() const { return count ? static_cast<double>(sum) / static_cast<double>(count) : 0; }
  double deviation() const {
    if (count == 0) return 0;
    const double m = mean();
    return std::sqrt(
        std::max(static_cast<double>(squares) / static_cast<double>(count) - m * m, 0.0));
  }
};

void count_label(std::optional<int> label, std::vector<std::int64_t>& labels) {
  if (!label || *label < 0) return;
  const auto index = static_cast<std::size_t>(*label);
  if (index >= labels.size()) labels.resize(index + 1);
  ++labels[index];
}

Scan scan(const Dataset& data) {
  SignalWatch watch;
  Scan result;
  const Shape shape = data.shape();
  std::vector<ChannelSum> sums(shape.c);
  std::vector<std::uint8_t> bytes(shape.size());
  std::set<std::string> hashes;
  Progress progress("data", static_cast<std::int64_t>(data.size()));
  for (std::size_t i = 0; i < data.size(); ++i) {
    watch.check();
    progress.update(static_cast<std::int64_t>(i) + 1);
    try {
      data.load(i, bytes);
    } catch (const Error& error) {
      if (++result.unreadable <= static_cast<std::int64_t>(kMaxListed))
        result.errors.emplace_back(error.what());
      continue;
    }
    const std::string_view view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!hashes.insert(sha256_hex(view).substr(0, 32)).second) ++result.duplicates;
    for (int c = 0; c < shape.c; ++c) {
      sums[c].add(std::span(bytes).subspan(std::size_t{1} * c * shape.pixels(), shape.pixels()));
    }
    count_label(data.label(i), result.labels);
  }
  for (const ChannelSum& sum : sums) {
    result.mean.push_back(sum.mean() / 127.5 - 1);
    result.deviation.push_back(sum.deviation() / 127.5);
  }
  return result;
}

std::string class_name(const Dataset& data, std::size_t label) {
  const std::vector<std::string> names = data.classes();
  return label < names.size() ? to_utf8(names[label]) : fmt::format("class {}", label);
}

void print_text(const Dataset& data, const Scan& found) {
  const Shape shape = data.shape();
  put_line("{}", to_utf8(data.description()));
  put_line("images      {}", data.size());
  put_line("shape       {} x {}, {}", shape.w, shape.h, counted(shape.c, "channel"));
  for (std::size_t c = 0; c < found.mean.size(); ++c) {
    put_line("channel {}   mean {:+.4f}, deviation {:.4f} (of values in [-1, 1])", c, found.mean[c],
             found.deviation[c]);
  }
  put_line("duplicates  {}", found.duplicates);
  if (found.unreadable > 0) put_line("unreadable  {}", found.unreadable);
  for (std::size_t i = 0; i < found.labels.size(); ++i) {
    put_line("  {:>8}  {}", found.labels[i], class_name(data, i));
  }
}

void print_as_json(const Dataset& data, const Scan& found) {
  const Shape shape = data.shape();
  std::vector<Json> mean, deviation, classes;
  for (const double m : found.mean) mean.push_back(json_real(m));
  for (const double d : found.deviation) deviation.push_back(json_real(d));
  for (std::size_t i = 0; i < found.labels.size(); ++i) {
    classes.push_back(json_object(
        {{"name", json_string(class_name(data, i))}, {"count", json_integer(found.labels[i])}}));
  }
  print_json(
      "ddpm.data/1",
      {{"description", json_string(to_utf8(data.description()))},
       {"count", json_integer(static_cast<std::int64_t>(data.size()))},
       {"shape", json_list({json_integer(shape.c), json_integer(shape.h), json_integer(shape.w)})},
       {"mean", json_list(std::move(mean))},
       {"deviation", json_list(std::move(deviation))},
       {"duplicates", json_integer(found.duplicates)},
       {"unreadable", json_integer(found.unreadable)},
       {"classes", json_list(std::move(classes))}});
}

// The first images that can be read, as a grid.
Image first_images(const Dataset& data, int count) {
  const Shape shape = data.shape();
  std::vector<std::uint8_t> bytes(shape.size());
  std::vector<float> floats(shape.size());
  std::vector<Image> images;
  for (std::size_t i = 0; i < data.size() && images.size() < static_cast<std::size_t>(count); ++i) {
    try {
      data.load(i, bytes);
    } catch (const Error&) {
      continue;  // the scan has listed it
    }
    bytes_to_floats(bytes, floats);
    images.push_back(image_from_floats(floats, shape));
  }
  if (images.empty()) throw Error(ExitCode::bad_input, "[cli] data: no image can be read");
  return image_grid(images, grid_columns(images.size()));
}

void run_data(const DataArgs& args) {
  if (!args.out.empty()) check_output_file(args.out);
  const auto data = open_dataset(args.data);
  const Scan found = scan(*data);
  for (const std::string& error : found.errors) print_error(error);
  if (!args.out.empty()) write_png(args.out, first_images(*data, args.count));
  if (args.json) {
    print_as_json(*data, found);
  } else {
    if (stdout_is_terminal()) show_on_stdout(first_images(*data, args.count));
    print_text(*data, found);
    if (!args.out.empty()) put_line("{}", args.out);
  }
  if (found.unreadable > 0) {
    throw Error(ExitCode::bad_input, "[cli] data: {} of {} images can't be read; try removing them",
                found.unreadable, data->size());
  }
}

}  // namespace

void add_data(CLI::App& app) {
  auto args = std::make_shared<DataArgs>();
  auto* command = app.add_subcommand("data", "Count, measure and show a data set.");
  command
      ->add_option("data", args->data,
                   "IDX file, CIFAR binary, folder of PNGs, or fashion-mnist:train")
      ->required();
  command->add_option("-n,--count", args->count, "images in the grid")
      ->check(whole_number())
      ->check(CLI::Range(1, 4096));
  command->add_option("-o,--out", args->out, "PNG grid of the first images");
  command->add_flag("--json", args->json, "print it as JSON");
  command->callback([args] { run_data(*args); });
}

}  // namespace ddpm::cli
