// For tests: a forked child whose system calls are counted, so that it can be killed after the n-th
// of them, or the n-th can be made to fail. Linux; failing calls only on x86-64, where the
// registers are known here.
#pragma once

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#if defined(__x86_64__)
#include <sys/user.h>
#endif

namespace ddpm {

struct ChildEnd {
  bool traced = true;   // false: this machine does not let us trace
  bool killed = false;  // by us; otherwise it exited by itself
  int exit_code = 0;
  int calls = 0;  // system calls seen
};

namespace traced {

inline bool next_stop(pid_t child, int& status) {
  return ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0 &&
         ::waitpid(child, &status, 0) == child;
}

inline bool is_call_stop(int status) {
  return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

// Starts body() stopped, with tracing on. Returns false where tracing isn't allowed.
inline pid_t start(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(111);
    ::raise(SIGSTOP);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return -1;
  ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  return child;
}

// Whether the call that has just returned may have changed what a later process finds. Where the
// registers are not known here, any may.
inline bool may_leave_traces([[maybe_unused]] pid_t child) {
#if defined(__x86_64__)
  user_regs_struct regs{};
  ::ptrace(PTRACE_GETREGS, child, nullptr, &regs);
  switch (static_cast<long>(regs.orig_rax)) {
    case SYS_read:
    case SYS_pread64:
    case SYS_close:
    case SYS_fstat:
    case SYS_newfstatat:
    case SYS_lseek:
    case SYS_getdents64:
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_brk:
    case SYS_futex:
    case SYS_getpid:
      return false;
    default:
      return true;
  }
#else
  return true;
#endif
}

}  // namespace traced

/// Kills the child with SIGKILL right after the n-th of its system calls that may leave traces has
/// returned (n >= 1): between two of them every moment is like the first.
inline ChildEnd kill_after_call(int n, const std::function<int()>& body) {
  ChildEnd end;
  const pid_t child = traced::start(body);
  if (child < 0) return {.traced = false};
  bool inside = false;
  for (int status = 0; traced::next_stop(child, status);) {
    if (WIFEXITED(status)) {
      end.exit_code = WEXITSTATUS(status);
      return end;
    }
    if (!traced::is_call_stop(status)) continue;
    inside = !inside;
    if (inside || !traced::may_leave_traces(child) || ++end.calls < n) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    end.killed = true;
    return end;
  }
  return end;
}

#if defined(__x86_64__)
/// The fsyncs ('f') and renames ('r') of the child, in order; "" where tracing isn't allowed.
inline std::string syncs_and_renames(const std::function<int()>& body) {
  std::string calls;
  const pid_t child = traced::start(body);
  if (child < 0) return calls;
  bool inside = false;
  for (int status = 0; traced::next_stop(child, status) && !WIFEXITED(status);) {
    if (!traced::is_call_stop(status)) continue;
    inside = !inside;
    user_regs_struct regs{};
    ::ptrace(PTRACE_GETREGS, child, nullptr, &regs);
    if (inside && regs.orig_rax == SYS_fsync) calls += 'f';
    if (inside && regs.orig_rax == SYS_rename) calls += 'r';
  }
  return calls;
}

/// The child's n-th write, fsync, rename or mkdir is not carried out and returns `error`.
inline ChildEnd fail_call(int n, int error, const std::function<int()>& body) {
  ChildEnd end;
  const pid_t child = traced::start(body);
  if (child < 0) return {.traced = false};
  bool inside = false, failing = false;
  for (int status = 0; traced::next_stop(child, status);) {
    if (WIFEXITED(status)) {
      end.exit_code = WEXITSTATUS(status);
      return end;
    }
    if (!traced::is_call_stop(status)) continue;
    inside = !inside;
    user_regs_struct regs{};
    ::ptrace(PTRACE_GETREGS, child, nullptr, &regs);
    const auto call = static_cast<long>(regs.orig_rax);
    if (inside) {
      failing =
          (call == SYS_write || call == SYS_fsync || call == SYS_rename || call == SYS_mkdir) &&
          ++end.calls == n;
      if (failing) regs.orig_rax = static_cast<unsigned long long>(-1);  // no such call
    } else if (failing) {
      regs.rax = static_cast<unsigned long long>(-error);
      failing = false;
    } else {
      continue;
    }
    ::ptrace(PTRACE_SETREGS, child, nullptr, &regs);
  }
  return end;
}
#endif

}  // namespace ddpm
