// Prints the attack table: verdict and time of every hostile program, and what it left behind. Exit status 1 where a row is not as it should be.
//   code_attack [--deny-namespaces] [--minimum namespaces|landlock|seccomp] [--quick] [part of a name…]
// --quick: what neither compiles nor runs into a limit. Exit status 77: no sandbox can be had.
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "attacks.h"
#include "deny.h"
#include "testing/rows.h"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using namespace tenon::attack;
using Reward = tenon::testing::Instance<tenon_reward_vt>;
using tenon::json::quote;

// The limits below, twice where the machine is busy and the second try has three times as long.
constexpr double kMostSeconds = 20, kMostBuildSeconds = 65;

const char* kStdioRow = R"({"tests":{"inputs":["1 2\n"],"outputs":["3\n"]}})";
const char* kPythonRow = R"({"test_list":["assert f(41971) == 41972","assert f(1) == 2"]})";
const char* kApartRow =
    R"x({"prompt":"","entry_point":"f","test":"def check(g):\n    for x in (41971, 1):\n        assert abs(g(x) - x - 1) < 0.5\n"})x";
const char* kCppRow =
    R"({"declaration":"int f(int x){\n","test":"#include <assert.h>\nint main() { assert(f(41971) == 41972); }\n"})";

std::string text_of(const char* file) {
  std::ifstream in(file);
  std::string text;
  std::getline(in, text, '\0');  // of a process that goes meanwhile: nothing
  return text;
}

// What hostile programs might leave: processes of the box, files, mounts, control groups.
std::set<std::string> residue() {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = text_of(("/proc/" + name + "/stat").c_str());
    const size_t at = stat.rfind(')');
    if (at != std::string::npos && std::atoi(stat.c_str() + at + 4) == getpid())
      found.insert("process " + stat.substr(0, at + 1));
  }
  std::error_code ignored;  // what is not there holds nothing
  for (const char* folder : {"/tmp", "/dev/shm", "/var/tmp", "."})
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename();
      const bool of_box = name.starts_with("tenon-box-" + std::to_string(getpid()) + "-");
      if (name.starts_with("tenon-attack-left") || of_box || name == "sitecustomize.py")
        found.insert("file " + entry.path().string());
    }
  std::istringstream mounts(text_of("/proc/self/mountinfo"));
  for (std::string line; std::getline(mounts, line);)
    for (const char* point : {" /tmp ", " /work ", " /shared "})  // others may mount and unmount meanwhile
      if (line.find(point) != std::string::npos) found.insert("mount " + line);
  const std::string group = "tenon-" + std::to_string(getpid()) + "-";
  for (std::filesystem::recursive_directory_iterator
           it("/sys/fs/cgroup", std::filesystem::directory_options::skip_permission_denied, ignored),
       end;
       it != end; it.increment(ignored))
    if (it->path().filename().string().starts_with(group)) found.insert("group " + it->path().string());
  return found;
}

int listen_on_loopback(int& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 1) != 0) return -1;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

bool among(const std::string& verdict, const std::string& expected) {
  return ("|" + expected + "|").find("|" + verdict + "|") != std::string::npos;
}

// A program that needs memory and threads, `seconds` after its start.
std::string honest(double seconds) {
  return "```python\nimport threading, time\ntime.sleep(" + std::to_string(seconds) +
         ")\nx = bytearray(64 << 20)\nthreading.stack_size(65536)\n"
         "ts = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(16)]\n"
         "for t in ts: t.start()\nfor t in ts: t.join()\nprint(sum(map(int, input().split())))\n```\n";
}

// Rows that run into no limit and need no compiler.
bool is_quick(const Attack& a) {
  return std::strcmp(a.language, "python") == 0 && !among(a.group, "memory|time|output") &&
         !among("time", a.expected);
}

struct Table {
  void row(const Reward& reward, const Attack& a) {
    const bool is_cpp = std::strcmp(a.language, "cpp") == 0;
    const bool is_heavy = among(a.group, "processes|memory|time|output");
    std::vector<tenon::code::testing::Row> rows{{"```" + std::string(a.language) + "\n" + a.code + "```\n",
                                                 a.form == Form::kStdio   ? kStdioRow
                                                 : a.form == Form::kApart ? kApartRow
                                                 : is_cpp                 ? kCppRow
                                                                          : kPythonRow,
                                                 ""}};
    // Beside it and after it.
    for (int k = 0; k < (is_heavy ? 6 : 1); ++k) rows.push_back({honest(is_heavy ? 0.15 : 0), kStdioRow, ""});
    const auto begin = std::chrono::steady_clock::now();
    const auto verdicts = tenon::code::testing::judge_rows(reward, rows);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto& v = verdicts[0];
    const std::string verdict = v.why.substr(0, v.why.find(':'));
    std::string problem;
    if (v.status != TENON_R_OK || !among(verdict, a.expected)) problem = v.why;
    if (v.why.find('[') == std::string::npos) problem += "; the reason does not say the layer";
    if (seconds > kMostSeconds + (is_cpp ? kMostBuildSeconds : 0)) problem += "; it took too long";
    for (size_t k = 1; k < rows.size(); ++k)
      if (verdicts[k].reward != 1) problem += "; an honest program got: " + verdicts[k].why;
    ++rows_;
    bad_ += !problem.empty();
    std::printf("%-10s %-46s %-7s %-14s %6.2f s  %s%s\n", a.group, a.name, a.language, verdict.c_str(),
                seconds, problem.empty() ? "as it should" : "NOT AS IT SHOULD: ", problem.c_str());
    std::fflush(stdout);
  }
  int rows_ = 0, bad_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);  // what outlives its parent becomes ours, and so residue
  std::string minimum = "landlock";
  bool quick = false;
  std::vector<std::string> parts;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    if (word == "--minimum" && k + 1 < argc)
      minimum = argv[++k];
    else if (word == "--quick")
      quick = true;
    else if (word == "--deny-namespaces") {
      if (!deny_namespaces()) return std::fprintf(stderr, "namespaces cannot be denied here\n"), 2;
    } else
      parts.push_back(word);
  }
  std::string secret = "/tmp/tenon-attack-secret-XXXXXX";
  const int secret_fd = mkstemp(secret.data());
  if (secret_fd < 0 || write(secret_fd, "int secret;\n", 12) != 12) return 2;
  int port = 0;
  const int listener = listen_on_loopback(port);
  const std::set<std::string> before = residue();
  Table table;
  {
    std::unique_ptr<Reward> reward;
    try {
      reward = std::make_unique<Reward>(
          tenon::testing::component_of(tenon_plugin_query_v1(nullptr)),
          std::map<std::string, std::string>{{"time", "\"1s\""},
                                             {"memory", "\"512MiB\""},
                                             {"output", "\"1MiB\""},
                                             {"build_time", "\"15s\""},
                                             {"workers", "2"},
                                             {"sandbox", "{\"minimum\": " + quote(minimum) + "}"}});
    } catch (const tenon::Error& e) {
      std::printf("%s\n", e.what());
      unlink(secret.c_str());
      return 77;
    }
    std::printf("%s\n", reward->host.logs.empty() ? "" : reward->host.logs[0].second.c_str());
    std::vector<Attack> wanted;
    for (const Attack& a : attacks(secret, port)) {
      bool is_wanted = parts.empty();
      for (const std::string& part : parts)
        is_wanted |= (std::string(a.group) + " " + a.name + " " + a.language).find(part) != std::string::npos;
      if (is_wanted && (!quick || is_quick(a))) wanted.push_back(a);
    }
    // The first programs that want them have their headers precompiled: no attack's time.
    if (std::any_of(wanted.begin(), wanted.end(),
                    [](const Attack& a) { return std::strcmp(a.language, "cpp") == 0; }))
      for (const auto& [code, meta] : {std::pair{"#include <bits/stdc++.h>\nint main() {}\n", kStdioRow},
                                       std::pair{"int f(int x) { return x + 1; }\n", kCppRow}})
        tenon::testing::judge(*reward, "```cpp\n" + std::string(code) + "```\n", meta);
    for (const Attack& a : wanted) table.row(*reward, a);
  }
  int left = 0;
  for (const std::string& one : residue())
    if (!before.contains(one)) std::printf("left behind: %s\n", one.c_str()), ++left;
  std::printf("%d attacks, %d not as they should be, %d things left behind\n", table.rows_, table.bad_, left);
  close(listener);
  close(secret_fd);
  unlink(secret.c_str());
  return table.bad_ == 0 && left == 0 ? 0 : 1;
}
