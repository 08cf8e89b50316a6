// The box's entry: reads how it is to be built, walls itself in and serves; a second process stays outside to clean up.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "box.h"

namespace {

using namespace tenon::sandbox;

void read_config(BoxConfig& config) {
  static char bytes[kMaxMessage];
  const ssize_t n = recv(kControlFd, bytes, sizeof bytes, 0);
  if (n <= 0 || !config.unpack(bytes, static_cast<size_t>(n))) die("no configuration");
}

void clean_up(const BoxConfig& config) {
  for (const std::string& folder : config.cgroups) {
    // Processes that were killed leave their group a moment later.
    for (int tries = 0; rmdir(folder.c_str()) != 0 && errno == EBUSY && tries < 2000; ++tries) usleep(1000);
  }
  if (!config.temporary.empty()) remove_folder(config.temporary);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "check") == 0) return check_confinement(argv[2]);
  setsid();  // no signal of the judge's terminal comes here; the closed control socket ends the box
  umask(077);
  close_range(kControlFd + 1, ~0U, 0);
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};  // the judge's may be low; each running job takes one
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  BoxConfig config;
  read_config(config);
  int ready[2], done[2];
  if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(done, O_CLOEXEC) != 0) die("pipe");
  const pid_t box = fork();
  if (box < 0) die("fork");
  if (box == 0) {
    close(ready[0]);
    close(done[1]);
    enter_box(config, ready[1], done[0]);
    close(ready[1]);
    close(done[0]);
    serve(config);
  }
  close(kControlFd);
  close(ready[1]);
  close(done[0]);
  char byte = 0;
  if (read(ready[0], &byte, 1) == 1) {
    byte = write_id_maps(config, box) ? 'y' : 'n';
    if (write(done[1], &byte, 1) != 1) kill(box, SIGKILL);
  }
  int status = 0;
  while (waitpid(box, &status, 0) < 0 && errno == EINTR) {
  }
  clean_up(config);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 123;
}
