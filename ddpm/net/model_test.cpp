// Whole model folders: the reference's two layouts, our own, and broken ones.
#include "ddpm/net/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/net/golden_for_test.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::UnorderedElementsAre;

constexpr const char* kWeights = "unet/diffusion_pytorch_model.safetensors";

// A model whose every parameter has its own value, all exact in binary16.
Model tiny_model(Prediction prediction = Prediction::eps) {
  Model model;
  model.config = {.in_channels = 1,
                  .out_channels = 1,
                  .height = 4,
                  .width = 8,
                  .block_out_channels = {4, 8},
                  .attention = {false, true},
                  .layers_per_block = 1,
                  .norm_num_groups = 2,
                  .norm_eps = 1e-6,
                  .dropout = 0.1,
                  .attention_head_dim = 0,
                  .flip_sin_to_cos = false,
                  .freq_shift = 1,
                  .downsample_padding = 0};
  model.graph = unet(model.config);
  model.params = Params(model.graph.params());
  float next = -1;
  for (float& value : model.params.all()) value = next = next > 1 ? -1 : next + 0x1p-9f;
  model.schedule = Schedule::linear(20, 0.01, 0.2);
  model.view.prediction = prediction;
  return model;
}

void write_model(const fs::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [name, bytes] : files) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
}

TensorFile tensors_of(const fs::path& file) { return value_or_throw(read_safetensors(file)); }

std::string refusal_of_model(const fs::path& folder) {
  try {
    load_model(folder);
    return "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input) << e.what();
    return e.what();
  }
}

TEST(Model, TheReferencesNestedFolderIsReadAndWrittenByteForByte) {
  const Model model = load_model(golden_path("models/tiny-nested"));
  EXPECT_THAT(model.warnings, IsEmpty());
  EXPECT_EQ(model.config.block_out_channels, (std::vector<int>{16, 32}));
  EXPECT_EQ(model.config.attention_head_dim, 0);
  EXPECT_EQ(model.params.all().size(), 177427u);
  EXPECT_EQ(model.view.variance, Variance::fixed_large);
  EXPECT_EQ(model.view.eps_from, EpsFrom::raw);
  const auto files = model_files(model);
  for (const char* name :
       {"model_index.json", "unet/config.json", "scheduler/scheduler_config.json", kWeights}) {
    EXPECT_TRUE(files.at(name) == golden(std::string("models/tiny-nested/") + name)) << name;
  }
}

TEST(Model, TheReferencesFlatFolderWithOldNamesIsRead) {
  const fs::path folder = golden_path("models/tiny-flat-old");
  const Model model = load_model(folder);
  EXPECT_THAT(model.warnings, IsEmpty());
  EXPECT_EQ(model.config.attention, (std::vector<bool>{false, true, false}));
  EXPECT_EQ(model.config.attention_head_dim, 8);
  EXPECT_EQ(model.params.specs().size(), 268u);
  EXPECT_EQ(model.params.all().size(), 256865u);
  EXPECT_EQ(model.view.variance, Variance::fixed_small);
  const TensorFile stored = tensors_of(folder / "diffusion_pytorch_model.safetensors");
  const std::pair<std::string, std::string> renamed[] = {
      {"query", "to_q"}, {"key", "to_k"}, {"value", "to_v"}, {"proj_attn", "to_out.0"}};
  for (const auto& [old, now] : renamed) {
    const std::string block = "down_blocks.1.attentions.1.";
    const auto tensor = model.params.tensor(block + now + ".weight");
    EXPECT_EQ(std::vector<float>(tensor.begin(), tensor.end()),
              to_floats(stored.tensors.at(block + old + ".weight")));
  }
}

TEST(Model, OurFolderIsReadBackWhole) {
  for (const Prediction prediction :
       {Prediction::eps, Prediction::v, Prediction::mu, Prediction::score}) {
    const TempFolder folder;
    const Model model = tiny_model(prediction);
    write_model(folder.path(), model_files(model));
    const Model back = load_model(folder.path());
    EXPECT_THAT(back.warnings, IsEmpty());
    EXPECT_EQ(back.config, model.config);
    EXPECT_EQ(back.params.specs(), model.params.specs());
    EXPECT_TRUE(std::ranges::equal(back.params.all(), model.params.all()));
    EXPECT_EQ(back.schedule.spec(), model.schedule.spec());
    EXPECT_EQ(back.view.prediction, prediction);
    EXPECT_EQ(back.view.eps_from, EpsFrom::limited_x0);
    EXPECT_EQ(back.folder, folder.path());
    EXPECT_EQ(model_files(back), model_files(model));
  }
}

TEST(Model, APipelineThatDiffusersCannotRunHasNoIndexAndSaysWhy) {
  const auto files = model_files(tiny_model(Prediction::score));
  EXPECT_FALSE(files.contains("model_index.json"));
  EXPECT_THAT(files.at("ddpm.json"), HasSubstr("\"diffusers\": \"no model_index.json: "));
  EXPECT_THAT(files.at("README.md"), HasSubstr("Not a diffusers pipeline: "));
  EXPECT_THAT(model_files(tiny_model()),
              UnorderedElementsAre(Key("model_index.json"), Key("README.md"), Key("ddpm.json"),
                                   Key("unet/config.json"), Key("scheduler/scheduler_config.json"),
                                   Key(kWeights)));
  EXPECT_TRUE(
      model_files(tiny_model()).at("README.md").starts_with("---\nlibrary_name: diffusers\n"));
}

Model model_of(const UNetConfig& config, Variance variance = Variance::fixed_large) {
  Model model = tiny_model();
  model.config = config;
  model.graph = unet(config);
  model.params = Params(model.graph.params());
  float next = -1;
  for (float& value : model.params.all()) value = next = next > 1 ? -1 : next + 0x1p-9f;
  model.view.variance = variance;
  return model;
}

struct Kind {
  std::string name;
  UNetConfig config;
  Variance variance = Variance::fixed_large;
  std::string why_not;  // of diffusers; "" = it can
};

std::vector<Kind> kinds() {
  const UNetConfig base = tiny_model().config;
  std::vector<Kind> all;
  const auto add = [&](const std::string& name, const std::string& why_not) -> Kind& {
    return all.emplace_back(Kind{name, base, Variance::fixed_large, why_not});
  };
  Kind& learned = add("learned_range", "");
  learned.config.out_channels = 2;
  learned.variance = Variance::learned_range;
  Kind& logarithm = add("learned", "not for its logarithm");
  logarithm.config.out_channels = 2;
  logarithm.variance = Variance::learned;
  UNetConfig& classes = add("classes", "").config;
  classes.num_classes = 10;
  classes.null_class = true;
  UNetConfig& heads = add("heads of one width", "").config;
  heads.attention_heads = 2;
  UNetConfig& many = add("heads of two widths", "heads of one width").config;
  many.attention_heads = 2;
  many.attention = {true, true};
  add("skip_rescale", "rescales no residual sums").config.skip_rescale = true;
  UNetConfig& fourier = add("fourier", "divides its output by the time").config;
  fourier.time_embedding_type = TimeEmbedding::fourier;
  UNetConfig& divided = add("fourier as UNet2DModel has it", "").config;
  divided.time_embedding_type = TimeEmbedding::fourier;
  divided.divide_by_time = true;
  return all;
}

TEST(Model, EveryKindOfNetworkIsReadBackWhole) {
  for (const Kind& kind : kinds()) {
    const TempFolder folder;
    const Model model = model_of(kind.config, kind.variance);
    const auto files = model_files(model);
    write_model(folder.path(), files);
    const Model back = load_model(folder.path());
    EXPECT_THAT(back.warnings, IsEmpty()) << kind.name;
    EXPECT_EQ(back.config, model.config) << kind.name;
    EXPECT_EQ(back.view.variance, kind.variance) << kind.name;
    EXPECT_TRUE(std::ranges::equal(back.params.all(), model.params.all())) << kind.name;
    EXPECT_EQ(files.contains("model_index.json"), kind.why_not.empty()) << kind.name;
    EXPECT_THAT(files.at("ddpm.json"), HasSubstr(kind.why_not)) << kind.name;
  }
}

// Older readers would make another network of it; others they may read as before.
TEST(Model, TheFormatIsRaisedOnlyWhereOlderReadersWouldBeWrong) {
  for (const Kind& kind : kinds()) {
    const bool newer = kind.config.attention_heads > 0 || kind.config.skip_rescale ||
                       kind.why_not.find("by the time") != std::string::npos;
    EXPECT_THAT(model_files(model_of(kind.config, kind.variance)).at("ddpm.json"),
                HasSubstr(newer ? "\"format\": 2" : "\"format\": 1"))
        << kind.name;
  }
}

// As diffusers counts: the class that stands for none is the table's last row.
TEST(Model, TheNullClassIsARowOfTheTable) {
  UNetConfig config = tiny_model().config;
  config.num_classes = 10;
  config.null_class = true;
  const auto files = model_files(model_of(config));
  EXPECT_THAT(files.at("unet/config.json"), HasSubstr("\"num_class_embeds\": 11"));
  EXPECT_THAT(files.at("ddpm.json"), HasSubstr("\"null_class\": 10"));
  const TensorFile weights = value_or_throw(parse_safetensors(files.at(kWeights), "own"));
  EXPECT_EQ(weights.tensors.at("class_embedding.weight").shape,
            (std::vector<std::int64_t>{11, 16}));
}

TEST(Model, NamesOfClassesComeBackAndFitTheirNumber) {
  UNetConfig config = tiny_model().config;
  config.num_classes = 2;
  Model model = model_of(config);
  model.class_names = {"Ankle boot", "T-shirt/top"};
  const TempFolder folder;
  write_model(folder.path(), model_files(model));
  EXPECT_EQ(load_model(folder.path()).class_names, model.class_names);
  model.class_names.emplace_back("Bag");
  write_model(folder.path(), model_files(model));
  EXPECT_THAT(refusal_of_model(folder.path()), HasSubstr("class_names: got 3, expected 2"));
}

TEST(Model, FilesInMemoryAreTheFolder) {
  const auto files = model_files(tiny_model());
  std::map<std::string, std::string_view> views(files.begin(), files.end());
  EXPECT_EQ(model_files(load_model(views)), files);
  views.erase(kWeights);
  try {
    load_model(views);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THAT(error.what(), HasSubstr("without unet/diffusion_pytorch_model.safetensors"));
  }
}

TEST(Model, HalvesAreWrittenOnRequestAndReadAsFloats) {
  const TempFolder folder;
  const Model model = tiny_model();
  write_model(folder.path(), model_files(model, WeightType::f16));
  EXPECT_EQ(tensors_of(folder / kWeights).tensors.at("conv_in.weight").dtype, DType::f16);
  EXPECT_TRUE(std::ranges::equal(load_model(folder.path()).params.all(), model.params.all()));
}

// Changes the stored tensors of a good folder.
template <class Change>
std::map<std::string, std::string> changed(Change change) {
  auto files = model_files(tiny_model());
  TensorFile tensors = value_or_throw(parse_safetensors(files.at(kWeights), "own"));
  change(tensors);
  files[kWeights] = encode_safetensors(tensors);
  return files;
}

TEST(Model, LinearLayersStoredAsConvolutionsAndOtherFloatTypesAreRead) {
  const TempFolder folder;
  write_model(folder.path(), changed([](TensorFile& file) {
                RawTensor& q = file.tensors.at("mid_block.attentions.0.to_q.weight");
                q.shape = {8, 8, 1, 1};
                RawTensor& bias = file.tensors.at("conv_in.bias");
                bias = {DType::bf16, {4}, std::string("\x80\x3f\x00\xc0\x00\x00\x80\x3f", 8)};
              }));
  const Model model = load_model(folder.path());
  EXPECT_TRUE(std::ranges::equal(model.params.tensor("mid_block.attentions.0.to_q.weight"),
                                 tiny_model().params.tensor("mid_block.attentions.0.to_q.weight")));
  EXPECT_THAT(std::vector<float>(model.params.tensor("conv_in.bias").begin(),
                                 model.params.tensor("conv_in.bias").end()),
              ElementsAre(1, -2, 0, 1));
}

TEST(Model, TensorsThatDoNotFitTheConfigAreListed) {
  const TempFolder folder;
  write_model(folder.path(), changed([](TensorFile& file) {
                file.tensors.erase("conv_out.bias");
                file.tensors.erase("conv_norm_out.weight");
                file.tensors["surplus"] = {DType::u8, {1}, "x"};
                file.tensors.at("conv_in.weight").shape = {1, 4, 3, 3};
                file.tensors.at("conv_in.bias") = {DType::i32, {4}, std::string(16, 'i')};
                file.tensors.at("conv_norm_out.bias").shape = {4, 1};
              }));
  EXPECT_THAT(refusal_of_model(folder.path()),
              AllOf(HasSubstr("missing (2): conv_norm_out.weight, conv_out.bias"),
                    HasSubstr("extra (1): \"surplus\""), HasSubstr("mismatched (3): "),
                    HasSubstr("conv_in.weight is F32 [1, 4, 3, 3], expected [4, 1, 3, 3]"),
                    HasSubstr("conv_in.bias is I32 [4], expected [4]")));
}

TEST(Model, LongListsOfTensorsAreCutAfterTen) {
  const TempFolder folder;
  write_model(folder.path(), changed([](TensorFile& file) { file.tensors.clear(); }));
  const std::string message = refusal_of_model(folder.path());
  EXPECT_THAT(message, AllOf(HasSubstr("got 0 tensors"), HasSubstr(", ...")));
  EXPECT_EQ(std::ranges::count(message, ','),
            11);  // after "tensors", between ten names, before "..."
}

TEST(Model, OneTensorUnderBothItsNamesIsRefused) {
  const TempFolder folder;
  write_model(folder.path(), changed([](TensorFile& file) {
                file.tensors["mid_block.attentions.0.query.bias"] =
                    file.tensors.at("mid_block.attentions.0.to_q.bias");
              }));
  EXPECT_THAT(refusal_of_model(folder.path()), HasSubstr("the same tensor"));
}

// A good folder with one file replaced; no bytes: the file is removed, "/": a folder of that name.
struct Broken {
  std::string file;
  std::optional<std::string> bytes;
  std::string message;
};

TEST(Model, BrokenFoldersAreRefusedWithTheFileAndTheReason) {
  const auto good = model_files(tiny_model());
  const Broken table[] = {
      {"unet/config.json", std::nullopt, "unet/config.json: no such file"},
      {"unet/config.json", "/", "unet/config.json"},
      {"unet/config.json", "", "unet/config.json: byte 0"},
      {"unet/config.json", "{", "unet/config.json: byte 1: not JSON"},
      {"unet/config.json", std::string(5 << 20, ' '), "unet/config.json"},
      {"unet/config.json", R"({"sample_size": 32, "act_fn": "relu"})",
       "act_fn: got \"relu\", expected silu"},
      {"scheduler/scheduler_config.json", std::nullopt, "scheduler_config.json: no such file"},
      {"scheduler/scheduler_config.json", "[]", "got a list of 0"},
      {"scheduler/scheduler_config.json", R"({"set_alpha_to_one": false})",
       "set_alpha_to_one: got false, expected true"},
      {"scheduler/scheduler_config.json", R"({"variance_type": "learned_range"})",
       "variance learned_range"},
      {"model_index.json", R"({"_class_name": "StableDiffusionPipeline"})",
       "DDPMPipeline or DDIMPipeline"},
      {"model_index.json", R"({"unet": ["diffusers", "UNet2DConditionModel"]})",
       "expected UNet2DModel"},
      {"model_index.json", R"({"scheduler": "DDPMScheduler"})", "scheduler: got"},
      {"ddpm.json", R"({"format": 99})", "try a newer ddpm"},
      {"ddpm.json", "/", "ddpm.json"},
      {kWeights, std::nullopt, "no diffusion_pytorch_model.safetensors"},
      {kWeights, "/", "got a folder, expected a regular file"},
      {kWeights, "", "got 0 bytes"},
      {kWeights, good.at(kWeights).substr(0, good.at(kWeights).size() - 1),
       "the file is cut short"},
      {kWeights, good.at(kWeights).substr(0, 500), "the file is cut short"},
      {kWeights, std::string("PK\x03\x04") + std::string(1000, 'z'), "no safetensors file"},
  };
  for (const auto& [file, bytes, message] : table) {
    const TempFolder folder;
    write_model(folder.path(), good);
    fs::remove(folder / file);
    if (bytes == "/") {
      fs::create_directory(folder / file);
    } else if (bytes) {
      folder.write(file, *bytes);
    }
    EXPECT_THAT(refusal_of_model(folder.path()), HasSubstr(message)) << file;
  }
}

TEST(Model, WhatIsNoFolderIsRefused) {
  const TempFolder folder;
  fs::create_symlink(folder / "loop", folder / "loop");
  EXPECT_THAT(refusal_of_model(folder / "missing"), HasSubstr("which is not there"));
  EXPECT_THAT(refusal_of_model(folder.write("file", "")), HasSubstr("which is no folder"));
  EXPECT_THAT(refusal_of_model(folder / "loop"), HasSubstr("expected a model folder"));
  fs::create_directory(folder / "empty");
  EXPECT_THAT(refusal_of_model(folder / "empty"), HasSubstr("config.json: no such file"));
}

TEST(Model, PicklesAreNotReadAndTheMessageSaysHowToConvert) {
  const TempFolder folder;
  auto files = model_files(tiny_model());
  files["unet/diffusion_pytorch_model.bin"] = "pickle";
  files.erase(kWeights);
  write_model(folder.path(), files);
  EXPECT_THAT(refusal_of_model(folder.path()),
              AllOf(HasSubstr("unet/diffusion_pytorch_model.bin"), HasSubstr("python3 -c"),
                    HasSubstr("weights_only=True"), HasSubstr("save_file(")));
}

TEST(Model, UnknownKeysOfEveryFileWarn) {
  const TempFolder folder;
  auto files = model_files(tiny_model());
  for (const char* name :
       {"model_index.json", "ddpm.json", "unet/config.json", "scheduler/scheduler_config.json"}) {
    files[name] = "{\"surprise\": 1, " + files.at(name).substr(1);
  }
  write_model(folder.path(), files);
  EXPECT_THAT(
      load_model(folder.path()).warnings,
      UnorderedElementsAre(HasSubstr("model_index.json: unknown key \"surprise\""),
                           HasSubstr("ddpm.json: unknown"), HasSubstr("unet/config.json: unknown"),
                           HasSubstr("scheduler_config.json: unknown")));
}

// The weights of the tiny model in two shards, and an index whose entries for `odd` are replaced.
void write_shards(const fs::path& folder, const std::string& odd, const std::string& shard) {
  auto files = model_files(tiny_model());
  TensorFile all = value_or_throw(parse_safetensors(files.at(kWeights), "own"));
  files.erase(kWeights);
  TensorFile parts[2];
  std::map<std::string, Json> map;
  for (auto& [name, tensor] : all.tensors) {
    const int part = name < "m" ? 0 : 1;
    parts[part].tensors[name] = tensor;
    map[name] = json_string(name == odd ? shard : fmt::format("part-{}.safetensors", part));
  }
  for (int i = 0; i < 2; ++i)
    files[fmt::format("unet/part-{}.safetensors", i)] = encode_safetensors(parts[i]);
  files[std::string(kWeights) + ".index.json"] =
      write_json(json_object({{"weight_map", json_object(map)}}));
  write_model(folder, files);
}

TEST(Model, ShardsOfAnIndexAreReadTogether) {
  const TempFolder folder;
  write_shards(folder.path(), "", "");
  EXPECT_TRUE(
      std::ranges::equal(load_model(folder.path()).params.all(), tiny_model().params.all()));
}

TEST(Model, IndexesThatLeaveTheFolderOrLieAreRefused) {
  const std::pair<std::string, std::string> table[] = {
      {"../part-0.safetensors", "a plain file name"},  {"/etc/passwd", "a plain file name"},
      {"a\\b.safetensors", "a plain file name"},       {"part-0.bin", "a plain file name"},
      {"part-0.safetensors", "that weight_map names"}, {"absent.safetensors", "No such file"}};
  for (const auto& [shard, message] : table) {
    const TempFolder folder;
    write_shards(folder.path(), "up_blocks.0.resnets.0.conv1.bias", shard);
    EXPECT_THAT(refusal_of_model(folder.path()), HasSubstr(message)) << shard;
  }
}

TEST(Model, AHalfPrecisionVariantIsTakenForWantOfTheFullOne) {
  const TempFolder folder;
  auto files = model_files(tiny_model(), WeightType::f16);
  files["unet/diffusion_pytorch_model.fp16.safetensors"] = files.at(kWeights);
  files.erase(kWeights);
  write_model(folder.path(), files);
  const Model model = load_model(folder.path());
  EXPECT_THAT(model.warnings, ElementsAre(HasSubstr("the fp16 variant")));
  EXPECT_TRUE(std::ranges::equal(model.params.all(), tiny_model().params.all()));
}

}  // namespace
}  // namespace ddpm
