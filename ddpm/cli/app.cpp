#include "ddpm/cli/app.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <new>
#include <sstream>

#include "ddpm/base/error.h"
#include "ddpm/base/suggest.h"
#include "ddpm/base/version.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/signals.h"
#include "ddpm/engine/cpu/cpu.h"

namespace ddpm::cli {
namespace {

// A file that the program opens must not get the number of a closed standard stream: messages would
// go into it. Standard output is opened for reading alone, so that writing results to a closed one
// fails as it should.
void open_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) == -1) (void)!open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR);
  }
}

std::string version_line() {
  return fmt::format("ddpm {} (numerics {}, {})", kVersion, kNumerics, cpu::isa_name());
}

void build(CLI::App& app) {
  app.description("Denoising diffusion probabilistic models: train, sample and look inside.");
  app.footer("Try: ddpm sample fashion-mnist -n 64 -o clothes.png");
  app.set_version_flag("--version", version_line, "print version, numerics and instruction set");
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(36);
  add_train(app);
  add_sample(app);
  add_join(app);
  add_plan(app);
  add_predict(app);
  add_forward(app);
  add_info(app);
  add_data(app);
  add_convert(app);
  add_bench(app);
  add_bench_samplers(app);
  add_metrics(app);
  add_nll(app);
  add_progressive(app);
  add_interpolate(app);
  add_compress(app);
  add_decompress(app);
  add_truncate(app);
  add_verify(app);
  add_rd(app);
}

std::string advice(const std::string& near, const std::string& otherwise) {
  return near.empty() ? otherwise : near;
}

CLI::App* find_subcommand(CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (CLI::App* sub : app.get_subcommands({})) {
    if (sub->get_name() == name) return sub;
    names.push_back(sub->get_name());
  }
  throw Error("[cli] got `{}`, expected a command; try ddpm {}", name,
              advice(nearest(name, names), "--help"));
}

std::vector<std::string> long_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// CLI11 has no "did you mean", and complains about missing arguments before unknown ones: look for
// unknown names first.
void check_names(CLI::App& app, const std::vector<std::string>& words) {
  if (words.empty() || words[0].empty() || words[0][0] == '-') return;
  const CLI::App* command = find_subcommand(app, words[0]);
  const std::vector<std::string> known = long_names(*command);
  for (const std::string& word : words) {
    if (word == "--") return;
    if (word.rfind("--", 0) != 0) continue;
    const std::string name = word.substr(0, word.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string help = fmt::format("ddpm {} --help", words[0]);
    throw Error("[cli] {}: got {}, which is no option; try {}", words[0], name,
                advice(nearest(name, known), help));
  }
}

// --help and --version arrive as exceptions too.
void print_success(const CLI::App& app, const CLI::Success& success) {
  std::ostringstream out, unused;
  app.exit(success, out, unused);
  put(out.str());
}

void parse_and_run(int argc, char** argv) {
  cpu::select_isa_from_environment();
  CLI::App app("", "ddpm");
  build(app);
  check_names(app, {argv + std::min(argc, 1), argv + argc});
  try {
    app.parse(argc, argv);  // calls the subcommand
  } catch (const CLI::Success& success) {
    print_success(app, success);
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    throw Error("[cli] {}; try ddpm {}--help", error.what(),
                chosen.empty() ? "" : chosen[0]->get_name() + " ");
  }
}

int report(ExitCode code, const std::string& text) {
  print_error(text);
  return static_cast<int>(code);
}

}  // namespace

int run(int argc, char** argv) {
  open_standard_streams();
  std::signal(SIGPIPE,
              SIG_IGN);  // put() ends the process itself; training outlives a closed pipe on stderr
  std::signal(SIGXFSZ, SIG_IGN);  // a file over `ulimit -f` is an error like a full disk
  try {
    parse_and_run(argc, argv);
    return 0;
  } catch (const Interrupted& stop) {
    end_by_signal(stop.signal);
  } catch (const Error& error) {
    return report(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report(ExitCode::resources,
                  "[cli] out of memory; try fewer or smaller images at a time");
  } catch (const std::filesystem::filesystem_error& error) {
    return report(ExitCode::bad_input, fmt::format("[cli] {}", error.what()));
  } catch (const std::exception& error) {
    return report(ExitCode::bug,
                  fmt::format("{}; this is a bug in ddpm, please report it", error.what()));
  }
}

}  // namespace ddpm::cli
