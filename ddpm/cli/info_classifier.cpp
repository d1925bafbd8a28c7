#include "ddpm/cli/info_classifier.h"

#include <fmt/ranges.h>

#include "ddpm/base/utf8.h"
#include "ddpm/cli/info_words.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

void as_json(const Classifier& classifier) {
  const ClassifierConfig& c = classifier.config;
  const auto& schedule = classifier.schedule;
  print_json(
      "ddpm.info/1",
      {{"kind", json_string("classifier")},
       {"path", json_string(to_utf8(classifier.folder.string()))},
       {"parameters", json_integer(static_cast<std::int64_t>(classifier.params.all().size()))},
       {"tensors", json_integer(static_cast<std::int64_t>(classifier.params.specs().size()))},
       {"weights", json_string(weights_hash(classifier.params))},
       {"shape", json_list_of(std::vector<int>{c.in_channels, c.height, c.width}, json_integer)},
       {"block_out_channels", json_list_of(c.block_out_channels, json_integer)},
       {"layers_per_block", json_integer(c.layers_per_block)},
       {"features", json_integer(c.features())},
       {"classes", json_integer(c.num_classes)},
       {"class_names", json_class_names(classifier.class_names)},
       {"noisy", json_bool(c.noisy)},
       {"schedule", schedule ? json_string(schedule_name(*schedule)) : Json()},
       {"T", schedule ? json_integer(schedule->T()) : Json()}});
}

// What it is good for, beside what it was trained on.
std::string input_of(const Classifier& classifier) {
  if (!classifier.schedule) return "clean images: ddpm metrics --features scores by it";
  const Schedule& schedule = *classifier.schedule;
  return fmt::format("noisy images x_t of {}, T = {}: ddpm sample --classifier is guided by it",
                     one_line(schedule_name(schedule)), schedule.T());
}

}  // namespace

void classifier_info(const Classifier& classifier, bool json) {
  if (json) return as_json(classifier);
  const ClassifierConfig& c = classifier.config;
  put_line("classifier  {}", one_line(classifier.folder.string()));
  put_line("images      {} x {}, {}", c.width, c.height, counted(c.in_channels, "channel"));
  put_line("parameters  {} in {} tensors, weights {}", classifier.params.all().size(),
           classifier.params.specs().size(), weights_hash(classifier.params));
  put_line("levels      channels [{}], layers_per_block {}, {} features",
           fmt::join(c.block_out_channels, ", "), c.layers_per_block, c.features());
  put_line("classes     {}{}", c.num_classes, names_of_classes(classifier.class_names));
  put_line("sees        {}", input_of(classifier));
}

}  // namespace ddpm::cli
