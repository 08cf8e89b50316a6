// A plugin for the host's tests whose rewards do what the completion says: crash, hang, print, leave children behind.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tenon/sdk.hpp"

namespace {

using namespace tenon;

pid_t child = 0;  // of the last "fork"

double obey(std::string_view word) {
  if (word == "crash") raise(SIGSEGV);
  if (word == "abort") std::abort();
  if (word == "exit") std::exit(3);
  if (word == "hang")
    while (true) pause();
  if (word == "fork" && (child = fork()) == 0)
    while (true) pause();
  if (word == "print") std::puts("{\"reward\": 1000}");
  if (word == "nan") return std::nan("");
  if (word == "garbage") {
    for (int i = 0; i < 100; ++i)
      if (write(3, "what is this?", 13) < 0) break;
    while (true) pause();
  }
  if (word == "half") {  // the head of a frame whose text never comes
    const uint64_t head[] = {0x100000000 * 7 + 0x4e4e4554, 1000, 0, 0, 0};
    if (write(3, head, sizeof head) > 0)
      while (true) pause();
  }
  if (word == "forge") {  // ends of calls, and a note, of another call than the one that is going on
    for (const uint64_t type : {11, 8, 11}) {
      const uint64_t frame[] = {type << 32 | 0x4e4e4554, type == 8 ? 4u : 0u, 0, 0, 0};
      if (write(3, frame, sizeof frame) < 0 || (type == 8 && write(3, "fake", 4) < 0)) return -1;
    }
  }
  if (word == "shrink") return ftruncate(4, 0) == 0 ? -1 : 6;
  if (word == "inherit")
    return std::system("test ! -e /proc/self/fd/3 -a ! -e /proc/self/fd/4") == 0 ? 7 : -1;
  return static_cast<double>(word.size());
}

struct Wild {
  explicit Wild(Host h) : host(h), weight(h.f64("weight")) {
    if (h.str("at_start") == "crash") raise(SIGSEGV);
    if (h.str("at_start") == "hang")
      while (true) pause();
    if (h.str("at_start") == "once" && access(h.str("flag").c_str(), F_OK) == 0) raise(SIGSEGV);
    if (h.str("at_start") == "once") std::fclose(std::fopen(h.str("flag").c_str(), "w"));
    if (h.str("at_start") == "throw") throw Error(TENON_E_INVALID, "at_start: as asked");
    if (h.str("at_start") == "ignore") return;
    h.i64("count");
  }
  double operator()(const Sample& s) const {
    if (s.completion == "late") {
      while (true) {
        host.throw_if_cancelled(s.call);
        usleep(1000);
      }
    }
    if (s.completion == "pid") return getpid();
    if (s.completion == "threads") {
      std::vector<double> squares(1000);
      host.parallel_for(squares.size(), 1, [&](uint64_t begin, uint64_t end) {
        for (uint64_t i = begin; i < end; ++i) squares[i] = static_cast<double>(i * i);
      });
      return squares[999];
    }
    if (s.completion == "tokens") {
      for (uint64_t k = 0; k < s.tokens.size(); ++k) s.token_reward(k, 0.25 * s.tokens[k]);
      return 0;
    }
    if (s.completion == "remove") std::remove(host.str("flag").c_str());
    if (s.completion == "flood")
      while (true) {
        s.note("more", 1);
        s.reason("more and more");
        host.info("more");
      }
    if (s.completion == "notes") {
      for (int k = 0; k < 1000; ++k) s.note(("n" + std::to_string(k)).c_str(), k);
      s.note(std::string(300, 'x').c_str(), 1);
    }
    if (s.completion == "names") host.metric("step", 1), host.metric("fine", 2);
    host.info("it is at " + std::string(s.completion));
    const double said = obey(s.completion);
    s.note("bytes", static_cast<double>(s.completion.size()));
    if (s.completion == "fork") s.note("child", child);
    s.reason("obeyed: " + s.meta("why").value_or("no reason given"));
    return weight * said;
  }
  Host host;
  double weight;
};
constexpr const char* kAtStart[] = {"nothing", "crash", "throw", "ignore", "hang", "once", nullptr};
constexpr OptionTable kOptions{
    number("weight", "1", "Factor of the reward."), integer("count", "1", "Is read, and no more."),
    choice("at_start", kAtStart, "\"nothing\"", "What happens in create."),
    text("flag", "\"\"",
         "Of at_start: once. A file that is made by the first create; the second then crashes.")};

// Judges all of a call before it says anything.
struct WildBatch {
  explicit WildBatch(Host) {}
  std::vector<RewardOutcome> operator()(const std::vector<Sample>& samples, const tenon_call*) const {
    std::vector<RewardOutcome> out;
    for (const Sample& s : samples) {
      s.note("asked", 1);
      out.push_back({TENON_R_OK, obey(s.completion), ""});
    }
    return out;
  }
};
constexpr OptionTable kNone{};

// Keeps something between steps.
struct Mindful {
  explicit Mindful(Host) {}
  double operator()(const Sample&) { return static_cast<double>(++seen); }
  void save(Writer& w) const { w.value(seen); }
  void load(Reader& r, uint32_t) { seen = r.value<uint64_t>(); }
  uint64_t seen = 0;
};

// Of the C interface: judges nothing, and takes the end of its time for the end of the run.
struct GivesUp {
  explicit GivesUp(Host h) : host(h) {}
  Host host;
};
template <class T>
struct GivesUpShim {
  static constexpr const char* kKind = "reward";
  static int32_t score(void* self, const tenon_call* call, const tenon_reward_in*, tenon_reward_out*,
                       tenon_error* err) {
    const tenon_host* host = static_cast<T*>(self)->host.raw();
    while (host->cancelled(host, call) == 0) usleep(1000);
    return set_error(err, TENON_E_CANCELLED, "it was told to stop");
  }
  static constexpr tenon_reward_vt kTable{sizeof(tenon_reward_vt), 0, score};
};

constexpr tenon_component kWild = component<Wild, RewardShim<Wild>>("wild", "1.0.0", "Obeys.", kOptions);
constexpr tenon_component kBatch =
    component<WildBatch, BatchRewardShim<WildBatch>>("wild-batch", "1.0.0", "Obeys.", kNone);
constexpr tenon_component kMindful =
    component<Mindful, RewardShim<Mindful>>("mindful", "1.0.0", "Counts.", kNone);
constexpr tenon_component kGivesUp =
    component<GivesUp, GivesUpShim<GivesUp>>("gives-up", "1.0.0", "Is cancelled.", kNone);

}  // namespace

TENON_PLUGIN("wild", "1.0.0", &kWild, &kBatch, &kMindful, &kGivesUp)
