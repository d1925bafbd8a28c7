// The program: parses the command line, runs one subcommand, maps what went wrong to an exit code.
#pragma once

namespace ddpm::cli {

/// The exit code (ExitCode in base/error.h). After a graceful stop by signal n it does not return:
/// the process ends by that signal, so that shells see 128 + n. Errors are one line each on stderr,
/// `ddpm: error: ...`.
int run(int argc, char** argv);

}  // namespace ddpm::cli
