#include "ddpm/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "ddpm/base/temp_folder.h"

namespace ddpm {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

// The exit status of `body` run in a child; 99 when it throws.
int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int names_in(const fs::path& folder) {
  return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error";
  return Error("no error");
}

RC_GTEST_PROP(File, ReadReturnsWhatWasWritten, (const std::string& bytes)) {
  const TempFolder folder;
  write_file_atomic(folder / "a", bytes);
  RC_ASSERT(read_file(folder / "a").value() == bytes);
  write_file_synced(folder / "a", bytes + bytes);
  RC_ASSERT(read_file(folder / "a").value() == bytes + bytes);
}

TEST(File, ReadHonoursItsLimit) {
  const TempFolder folder;
  const fs::path path = folder.write("a", "0123456789");
  EXPECT_EQ(read_file(path, 10).value(), "0123456789");
  EXPECT_EQ(read_file(path, 9).error().code, FailureCode::io);
  EXPECT_THAT(read_file(path, 9).error().message, HasSubstr("at most 9 bytes"));
}

// Files of /proc say that they are empty.
TEST(File, ReadGoesOnUntilTheEndWhateverFstatSaid) {
  const std::string status = read_file("/proc/self/status").value();
  EXPECT_THAT(status, HasSubstr("Name:"));
  EXPECT_FALSE(read_file("/proc/self/status", 10));
}

void make_socket(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
}

TEST(File, ReadRefusesWhatIsNoRegularFileAndSaysWhatItIs) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  make_socket(folder / "socket");
  const std::pair<fs::path, const char*> cases[] = {
      {folder / "missing", "no such file"}, {folder.path(), "got a directory"},
      {folder / "pipe", "got a pipe"},      {folder / "socket", "got a socket"},
      {"/dev/null", "got a device"},        {folder / "missing/x", "no such file"}};
  for (const auto& [path, text] : cases) {
    const auto result = read_file(path);
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().code, FailureCode::io) << path;
    EXPECT_THAT(result.error().message, HasSubstr(text));
    EXPECT_THAT(result.error().message, HasSubstr(path.string()));
  }
}

TEST(File, ReadSaysWhenPermissionIsMissing) {
  const TempFolder folder;
  const fs::path path = folder.write("secret", "x");
  ::chmod(path.c_str(), 0);
  ::chmod(folder.path().c_str(), 0755);
  const int status = in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
    const auto result = read_file(path);
    if (result) return 2;
    return result.error().message.find("Permission denied") == std::string::npos ? 3 : 0;
  });
  EXPECT_EQ(status, 0);
}

TEST(File, AtomicWriteReplacesAndLeavesNothingElse) {
  const TempFolder folder;
  write_file_atomic(folder / "a", "old");
  write_file_atomic(folder / "a", "new");
  EXPECT_EQ(read_file(folder / "a").value(), "new");
  EXPECT_EQ(names_in(folder.path()), 1);
}

// The size limit stands for a full disk: the write fails in the middle, with the same code path.
TEST(File, FailedWriteKeepsTheOldContentAndLeavesNothingElse) {
  const TempFolder folder;
  write_file_atomic(folder / "a", "old");
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string large(10'000, 'x');
    for (const bool atomic : {true, false}) {
      try {
        if (atomic) write_file_atomic(folder / "a", large);
        if (!atomic) write_file_synced(folder / "b", large);
        return 1;
      } catch (const Error& error) {
        const std::string text = error.what();
        if (error.code() != ExitCode::resources) return 2;
        if (text.find("10000 bytes") == std::string::npos) return 3;
        if (text.find("File too large after 4096 bytes") == std::string::npos) return 4;
      }
    }
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(folder / "a").value(), "old");
  EXPECT_EQ(names_in(folder.path()), 1);
}

// The device is reached by a link: were it named itself, a broken build run by root would replace
// the machine's own.
TEST(File, WritesRefuseWhatTheyCannotReplace) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_directory(folder / "dir");
  fs::create_symlink("/dev/null", folder / "device");
  const std::pair<fs::path, const char*> cases[] = {{folder / "pipe", "got a pipe"},
                                                    {folder / "dir", "got a directory"},
                                                    {folder / "device", "got a device"},
                                                    {folder / "no/such/a", "No such file"}};
  for (const auto& [path, text] : cases) {
    for (const auto& write : {write_file_atomic, write_file_synced}) {
      const Error error = error_of([&] { write(path, "x"); });
      EXPECT_EQ(error.code(), ExitCode::resources);
      EXPECT_THAT(error.what(), HasSubstr(text));
      EXPECT_THAT(error.what(), HasSubstr(path.string()));
    }
  }
  EXPECT_EQ(names_in(folder.path()), 3);
  EXPECT_TRUE(fs::is_symlink(folder / "device"));
}

TEST(File, FoldersAreMadeMovedAndSynced) {
  const TempFolder folder;
  make_folders(folder / "a/b/c");
  make_folders(folder / "a/b/c");
  sync_folder(folder / "a");
  rename_path(folder / "a/b", folder / "d");
  EXPECT_TRUE(fs::is_directory(folder / "d/c"));
}

TEST(File, FolderErrorsNameTheFolders) {
  const TempFolder folder;
  folder.write("file", "x");
  const Error make = error_of([&] { make_folders(folder / "file/x"); });
  EXPECT_EQ(make.code(), ExitCode::resources);
  EXPECT_THAT(make.what(), HasSubstr((folder / "file/x").string()));
  EXPECT_THAT(error_of([&] { make_folders(folder / "file"); }).what(),
              HasSubstr("Not a directory"));
  const Error rename = error_of([&] { rename_path(folder / "p", folder / "q"); });
  EXPECT_THAT(rename.what(), HasSubstr((folder / "p").string()));
  EXPECT_THAT(rename.what(), HasSubstr((folder / "q").string()));
  EXPECT_EQ(error_of([&] { sync_folder(folder / "no"); }).code(), ExitCode::resources);
}

// A child that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& folder) {
    int ready[2];
    DDPM_CHECK(::pipe(ready) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const FolderLock lock(folder);
      const bool told = ::write(ready[1], "x", 1) == 1;
      if (told) ::sleep(60);  // killed long before
      ::_exit(1);
    }
    char byte = 0;
    DDPM_CHECK(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() { kill_now(); }

  pid_t pid() const { return pid_; }

  void kill_now() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
};

TEST(FolderLock, SecondProcessIsRefusedAndToldWhoHasIt) {
  const TempFolder folder;
  const Holder holder(folder.path());
  const Error error = error_of([&] { const FolderLock lock(folder.path()); });
  EXPECT_EQ(error.code(), ExitCode::usage);
  EXPECT_THAT(error.what(), HasSubstr(fmt::format("pid {} on host ", holder.pid())));
  EXPECT_THAT(error.what(), HasSubstr(folder.path().string()));
}

TEST(FolderLock, IsFreeAfterItsHolderWasKilled) {
  const TempFolder folder;
  Holder holder(folder.path());
  holder.kill_now();
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, IsFreeAfterItsObjectEnded) {
  const TempFolder folder;
  {
    const FolderLock lock(folder.path());
  }
  EXPECT_EQ(in_child([&] {
              const FolderLock lock(folder.path());
              return 0;
            }),
            0);
}

TEST(FolderLock, ALongerNameOfAnEarlierHolderLeavesNoTrace) {
  const TempFolder folder;
  folder.write(".lock", std::string(300, 'x') + "\n");
  const FolderLock lock(folder.path());
  EXPECT_THAT(read_file(folder / ".lock").value(),
              testing::MatchesRegex(fmt::format("pid {} on host [^\n]*\n", ::getpid())));
}

TEST(FolderLock, MissingFolderIsAnError) {
  const TempFolder folder;
  EXPECT_EQ(error_of([&] { FolderLock(folder / "no"); }).code(), ExitCode::resources);
}

}  // namespace
}  // namespace ddpm
