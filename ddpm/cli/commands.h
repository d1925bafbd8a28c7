// One function a subcommand, each in a file of its name. Arguments and defaults live in that file
// only.
#pragma once

#include <CLI/CLI.hpp>

namespace ddpm::cli {

void add_train(CLI::App& app);
void add_sample(CLI::App& app);
void add_join(CLI::App& app);
void add_plan(CLI::App& app);
void add_predict(CLI::App& app);
void add_forward(CLI::App& app);
void add_info(CLI::App& app);
void add_data(CLI::App& app);
void add_convert(CLI::App& app);
void add_bench(CLI::App& app);
void add_bench_samplers(CLI::App& app);
void add_metrics(CLI::App& app);
void add_nll(CLI::App& app);
void add_progressive(CLI::App& app);
void add_interpolate(CLI::App& app);
void add_compress(CLI::App& app);
void add_decompress(CLI::App& app);
void add_truncate(CLI::App& app);
void add_verify(CLI::App& app);
void add_rd(CLI::App& app);

}  // namespace ddpm::cli
