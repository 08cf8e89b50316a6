// Tests of the system-call filters by themselves: what a compilation may do where nothing else walls it in.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <vector>

namespace tenon::sandbox {
namespace {

// What the call gives in a process with the filter: 0, or errno; -1: it was killed.
int under(const std::string& filter, const std::function<int()>& call) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<sock_filter> program(filter.size() / sizeof(sock_filter));
    std::memcpy(program.data(), filter.data(), program.size() * sizeof(sock_filter));
    const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0) != 0)
      _exit(255);
    _exit(call() >= 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int pair_of(int type) {
  int ends[2];
  return socketpair(AF_UNIX, type, 0, ends);
}

TEST(BuildFilter, OfSocketsOnlyAPairOfStreams) {
  const std::string filter = build_filter(true);
  EXPECT_EQ(under(filter, [] { return pair_of(SOCK_STREAM | SOCK_CLOEXEC); }), 0);
  for (int type : {SOCK_DGRAM + 0, SOCK_DGRAM | SOCK_NONBLOCK, SOCK_SEQPACKET + 0, SOCK_RAW + 0})
    EXPECT_EQ(under(filter, [&] { return pair_of(type); }), EPERM) << type;
  EXPECT_EQ(under(filter, [] { return socket(AF_UNIX, SOCK_DGRAM, 0); }), EPERM);
  EXPECT_EQ(under(filter, [] { return socket(AF_INET, SOCK_STREAM, 0); }), EPERM);
}

TEST(BuildFilter, ModesAndTimesByPathOnlyWhereNothingElseCanBeReached) {
  std::string name = (std::filesystem::temp_directory_path() / "tenon-filter-test-XXXXXX").string();
  const int fd = mkstemp(name.data());
  ASSERT_GE(fd, 0);
  const std::vector<std::function<int()>> calls = {
      [&] { return chmod(name.c_str(), 0600); }, [&] { return fchmodat(AT_FDCWD, name.c_str(), 0600, 0); },
      [&] { return utime(name.c_str(), nullptr); },
      [&] { return utimensat(AT_FDCWD, name.c_str(), nullptr, 0); }};
  for (size_t k = 0; k < calls.size(); ++k) {
    EXPECT_EQ(under(build_filter(true), calls[k]), 0) << k;
    EXPECT_EQ(under(build_filter(false), calls[k]), EPERM) << k;
  }
  EXPECT_EQ(under(build_filter(false), [&] { return fchmod(fd, 0700); }), 0)
      << "an open file's: a linker makes programs";
  close(fd);
  unlink(name.c_str());
}

TEST(Filters, NoTerminalIsToBeHad) {
  int off = 0;
  const unsigned long near[] = {FIONBIO ^ 0x10, FIONBIO ^ 0x20, FIONBIO | 0x70, FIOCLEX & ~0x70,
                                FIOCLEX ^ 0x80000000};
  for (const std::string& filter : {run_filter(), build_filter(true)}) {
    for (unsigned long request : {TIOCSTI, TCGETS, FIONREAD, FIOASYNC, TIOCLINUX})
      EXPECT_EQ(under(filter, [&] { return ioctl(0, request, ""); }), ENOTTY);
    for (unsigned long request : near)
      EXPECT_EQ(under(filter, [&] { return ioctl(0, request, ""); }), ENOTTY) << request;
    for (unsigned long request : {FIOCLEX, FIONBIO})
      EXPECT_EQ(under(filter, [&] { return ioctl(0, request, &off); }), 0) << "what fcntl may do as well";
  }
}

}  // namespace
}  // namespace tenon::sandbox
