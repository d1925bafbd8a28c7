// ddpm info MODEL|FILE: what it is, what is in it.
#include <fmt/ranges.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/info_classifier.h"
#include "ddpm/cli/info_ddpc.h"
#include "ddpm/cli/info_words.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/image/png.h"
#include "ddpm/net/model_parts.h"
#include "ddpm/net/safetensors.h"
#include "ddpm/train/run_model.h"

namespace ddpm::cli {
namespace {

struct InfoArgs {
  std::string what;
  bool json = false;
};

const char* name_of(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
  }
  return "?";
}

std::vector<int> attention_heights(const UNetConfig& net) {
  std::vector<int> heights;
  for (std::size_t i = 0; i < net.attention.size(); ++i) {
    if (net.attention[i] || net.attends_up(i)) heights.push_back(net.height >> i);
  }
  return heights;
}

std::string heads_of(const UNetConfig& net) {
  if (net.attention_heads > 0) return counted(net.attention_heads, "head");
  if (net.attention_head_dim > 0) return fmt::format("heads of {}", net.attention_head_dim);
  return "one head";
}

std::string text_of_classes(const Model& model) {
  const UNetConfig& net = model.config;
  if (net.class_timestep) return "any number, embedded as times are";
  return fmt::format("{}{}{}", net.num_classes,
                     net.null_class ? ", and one for images without" : "",
                     names_of_classes(model.class_names));
}

// What the network is beside its sizes; "" for the paper's.
std::string features_of(const UNetConfig& net) {
  std::vector<std::string> list;
  const auto add = [&](bool has, std::string text) {
    if (has) list.push_back(std::move(text));
  };
  add(net.resnet_time_scale_shift == TimeShift::scale_shift, "scale_shift");
  add(net.time_embedding_type != TimeEmbedding::positional,
      fmt::format("{} time embedding", to_string(net.time_embedding_type)));
  add(net.divide_by_time, "output divided by the time");
  add(net.skip_rescale, "skip_rescale");
  add(net.mid_block_scale_factor != 1,
      fmt::format("mid_block_scale_factor {}", net.mid_block_scale_factor));
  add(net.downsample_type == Resample::resnet, "downsample_type resnet");
  add(net.upsample_type == Resample::resnet, "upsample_type resnet");
  add(net.center_input_sample, "center_input_sample");
  add(!net.mid_block, "no middle");
  return fmt::format("{}", fmt::join(list, ", "));
}

void model_as_json(const Model& model) {
  const UNetConfig& net = model.config;
  print_json("ddpm.info/1",
             {{"kind", json_string("model")},
              {"path", json_string(to_utf8(model.folder.string()))},
              {"parameters", json_integer(static_cast<std::int64_t>(model.params.all().size()))},
              {"tensors", json_integer(static_cast<std::int64_t>(model.params.specs().size()))},
              {"weights", json_string(weights_hash(model))},
              {"shape", json_list_of(std::vector<int>{net.in_channels, net.height, net.width},
                                     json_integer)},
              {"out_channels", json_integer(net.out_channels)},
              {"block_out_channels", json_list_of(net.block_out_channels, json_integer)},
              {"attention_resolutions", json_list_of(attention_heights(net), json_integer)},
              {"layers_per_block", json_integer(net.layers_per_block)},
              {"classes", json_integer(net.num_classes)},
              {"class_names", json_class_names(model.class_names)},
              {"null_class", json_bool(net.null_class)},
              {"unet", unet_config_json(net)},
              {"schedule", json_string(schedule_name(model.schedule))},
              {"T", json_integer(model.schedule.T())},
              {"prediction", json_string(std::string(to_string(model.view.prediction)))},
              {"variance", json_string(std::string(to_string(model.view.variance)))}});
}

void model_info(const Model& model, bool json) {
  if (json) return model_as_json(model);
  const UNetConfig& net = model.config;
  const Schedule& schedule = model.schedule;
  const bool middle = net.mid_block && net.add_attention;
  put_line("model       {}", one_line(model.folder.string()));
  put_line("images      {} x {}, {}", net.width, net.height, counted(net.in_channels, "channel"));
  put_line("parameters  {} in {} tensors, weights {}", model.params.all().size(),
           model.params.specs().size(), weights_hash(model));
  put_line("levels      channels [{}], layers_per_block {}, attention at heights [{}]{}, {}",
           fmt::join(net.block_out_channels, ", "), net.layers_per_block,
           fmt::join(attention_heights(net), ", "), middle ? " and in the middle" : "",
           heads_of(net));
  if (const std::string features = features_of(net); !features.empty()) {
    put_line("features    {}", features);
  }
  if (net.conditional()) put_line("classes     {}", text_of_classes(model));
  put_line("schedule    {}: T = {}, beta {:.6g} to {:.6g}, alpha_bar(T) = {:.4g}",
           one_line(schedule_name(schedule)), schedule.T(), schedule.beta(1),
           schedule.beta(schedule.T()), schedule.alpha_bar(schedule.T()));
  put_line("predicts    {}, variance {}", to_string(model.view.prediction),
           to_string(model.view.variance));
}

void tensors_info(const std::string& path, const TensorFile& file, bool json) {
  if (json) {
    std::map<std::string, Json> tensors, metadata;
    for (const auto& [name, tensor] : file.tensors) {
      tensors[name] = json_object({{"dtype", json_string(name_of(tensor.dtype))},
                                   {"shape", json_list_of(tensor.shape, json_integer)}});
    }
    for (const auto& [key, value] : file.metadata) metadata[key] = json_string(value);
    return print_json("ddpm.info/1", {{"kind", json_string("safetensors")},
                                      {"path", json_string(to_utf8(path))},
                                      {"tensors", json_object(std::move(tensors))},
                                      {"metadata", json_object(std::move(metadata))}});
  }
  put_line("safetensors {}: {}", one_line(path), counted(std::ssize(file.tensors), "tensor"));
  for (const auto& [key, value] : file.metadata)
    put_line("  {} = {}", one_line(key), one_line(value));
  for (const auto& [name, tensor] : file.tensors) {
    put_line("  {:<4} [{}] {}", name_of(tensor.dtype), fmt::join(tensor.shape, ", "),
             one_line(name));
  }
}

void png_info(const std::string& path, bool json) {
  const Image image = value_or_throw(read_png(path));
  const PngText text = value_or_throw(read_png_text(path));
  if (json) {
    std::map<std::string, Json> entries;
    for (const auto& [key, value] : text) entries[to_utf8(key)] = json_string(to_utf8(value));
    return print_json(
        "ddpm.info/1",
        {{"kind", json_string("png")},
         {"path", json_string(to_utf8(path))},
         {"shape",
          json_list_of(std::vector<int>{image.channels, image.height, image.width}, json_integer)},
         {"text", json_object(std::move(entries))}});
  }
  put_line("PNG {}: {} x {}, {}", one_line(path), image.width, image.height,
           counted(image.channels, "channel"));
  for (const auto& [key, value] : text) {
    if (key != "ddpm:command") put_line("  {}: {}", one_line(key), one_line(value));
  }
  const auto command = text.find("ddpm:command");
  if (command != text.end()) put_line("made by:\n  {}", one_line(command->second));
}

void file_info(const std::string& path, bool json) {
  const std::string bytes = value_or_throw(read_file(path));
  if (bytes.compare(0, 8, "\x89PNG\r\n\x1A\n") == 0) return png_info(path, json);
  if (bytes.starts_with("DDPC")) return ddpc_info(path, bytes, json);
  if (std::filesystem::path(path).extension() == ".png")
    return png_info(path, json);  // says what is wrong
  tensors_info(path, value_or_throw(parse_safetensors(bytes, path)), json);
}

void run_info(const InfoArgs& args) {
  std::error_code none;
  const std::filesystem::path path = args.what;
  const bool file = std::filesystem::exists(path, none) &&
                    !std::filesystem::is_directory(path, none) && !is_checkpoint_pointer(path);
  if (file) return file_info(args.what, args.json);
  if (is_classifier(model_folder(args.what))) {
    return classifier_info(open_classifier(args.what), args.json);
  }
  model_info(open_model(args.what), args.json);
}

}  // namespace

void add_info(CLI::App& app) {
  auto args = std::make_shared<InfoArgs>();
  auto* command = app.add_subcommand(
      "info", "What a model, a classifier, a tensor file, a DDPC file or one of our PNGs holds.");
  command
      ->add_option("what", args->what,
                   "model or classifier (folder, run or name), FILE.safetensors, FILE.ddpc or "
                   "FILE.png")
      ->required();
  command->add_flag("--json", args->json, "print it as JSON");
  command->callback([args] { run_info(*args); });
}

}  // namespace ddpm::cli
