// Sink `jsonl`: every record and event as one JSON object a line, appended to a file.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>

#include "tenon/json.hpp"
#include "tenon/sink.hpp"

namespace {

class Jsonl {
 public:
  static constexpr uint32_t kFlags = 0;

  explicit Jsonl(tenon::Host host) : path_(host.str("path")), events_(host.boolean("events")) {
    // O_APPEND: each line is one write, so that several runs may share a file.
    fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd_ < 0) fail("cannot be opened for appending");
  }
  ~Jsonl() {
    if (fd_ >= 0) close(fd_);
  }
  Jsonl(const Jsonl&) = delete;
  Jsonl& operator=(const Jsonl&) = delete;

  void record(const tenon_record& r) {
    std::string line = "{\"run\":" + tenon::json::quote(r.run) + ",\"stage\":" + tenon::json::quote(r.stage) +
                       ",\"step\":" + std::to_string(r.step) + ",\"seconds\":" + number(r.seconds);
    for (uint64_t i = 0; i < r.n; ++i) line += "," + tenon::json::quote(r.name[i]) + ":" + number(r.value[i]);
    append(line + "}\n");
  }

  void event(int32_t event, std::string_view stage, std::string_view text) {
    if (!events_) return;
    append("{\"event\":" + tenon::json::quote(name(event)) + ",\"stage\":" + tenon::json::quote(stage) +
           ",\"text\":" + tenon::json::quote(text) + "}\n");
  }

 private:
  // The shortest text that reads back as the same double.
  static std::string number(double value) {
    if (!std::isfinite(value)) return "null";
    char text[32];
    return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
  }

  static std::string_view name(int32_t event) {
    switch (event) {
      case TENON_EVENT_STAGE_BEGIN:
        return "stage-begin";
      case TENON_EVENT_STAGE_END:
        return "stage-end";
      case TENON_EVENT_STAGE_CACHED:
        return "stage-cached";
      case TENON_EVENT_CHECKPOINT:
        return "checkpoint";
      case TENON_EVENT_TABLE:
        return "table";
    }
    return "other";
  }

  void append(std::string_view line) {
    while (!line.empty()) {
      ssize_t n = write(fd_, line.data(), line.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot be written");
      line.remove_prefix(static_cast<size_t>(n));
    }
  }

  [[noreturn]] void fail(const char* what) const {
    int code = errno;
    throw tenon::Error(TENON_E_IO, "option path: " + path_ + " " + what + ": " + std::strerror(code));
  }

  std::string path_;
  bool events_;
  int fd_ = -1;
};

}  // namespace

TENON_SINK_PLUGIN(
    Jsonl, "jsonl", "1.0.0", "Copies what a run records to a file, one JSON object a line.",
    tenon::text("path", nullptr,
                "The file, relative to the working directory; its folder must exist. Lines are appended.",
                {.flags = TENON_O_REQUIRED}),
    tenon::boolean("events", "true",
                   "Whether beginnings and ends of stages, checkpoints and tables are written too."))
