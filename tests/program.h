// For tests: runs the program in a folder, as a shell would, and says what came of it.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"

namespace ddpm::test {

struct Outcome {
  int code = 0;  // as shells see it: the exit code, or 128 + n when signal n ended the program
  std::string out, err;
};

using Environment = std::map<std::string, std::string>;

/// A program started in `folder`, its output going to files.
class Process {
 public:
  /// `prepare` runs in the child, before the program: limits, closed files.
  Process(const std::filesystem::path& folder, std::vector<std::string> words,
          const Environment& environment = {}, const std::function<void()>& prepare = {}) {
    pid_ = fork();
    if (pid_ == 0) start(folder, std::move(words), environment, prepare);
  }

  void send(int signal) const { kill(pid_, signal); }

  Outcome wait() const {
    int status = 0;
    while (waitpid(pid_, &status, 0) == -1 && errno == EINTR) {
    }
    const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return {code, read_file(output_ / "out").value_or(""), read_file(output_ / "err").value_or("")};
  }

 private:
  static constexpr unsigned kTimeout = 300;  // seconds; a hung program dies by SIGALRM

  [[noreturn]] void start(const std::filesystem::path& folder, std::vector<std::string> words,
                          const Environment& environment, const std::function<void()>& prepare) {
    alarm(kTimeout);
    for (const char* name : {"DDPM_THREADS", "DDPM_ISA", "DDPM_MODELS"}) unsetenv(name);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(open((output_ / "out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
    dup2(open((output_ / "err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
    if (chdir(folder.c_str()) != 0) _exit(126);
    if (prepare) prepare();
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }

  TempFolder output_;
  pid_t pid_ = -1;
};

inline Outcome run(const std::filesystem::path& folder, std::vector<std::string> words,
                   const Environment& environment = {}, const std::function<void()>& prepare = {}) {
  return Process(folder, std::move(words), environment, prepare).wait();
}

/// `ddpm` and its arguments.
inline std::vector<std::string> ddpm(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), DDPM_PROGRAM);
  return arguments;
}

/// Every file and folder below, with the content of the files; without locks, which name who took
/// them last.
inline std::map<std::string, std::string> tree(const std::filesystem::path& folder) {
  std::map<std::string, std::string> result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename() == ".lock") continue;
    const bool file = entry.is_regular_file();
    result[entry.path().lexically_relative(folder).string()] =
        file ? read_file(entry.path()).value_or("?") : "/";
  }
  return result;
}

}  // namespace ddpm::test
