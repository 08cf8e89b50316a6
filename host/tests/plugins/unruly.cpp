// A plugin for the host's tests whose stage does what no stage should: returns early, crashes, calls exit.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "tenon/sdk.hpp"

namespace {

using namespace tenon;

constexpr const char* kModes[] = {"well", "exit", "crash", "exit-in-create", "crash-in-check", nullptr};

struct Unruly {
  explicit Unruly(Host h)
      : host(h),
        announced(static_cast<uint64_t>(h.i64("announced"))),
        steps(static_cast<uint64_t>(h.i64("steps"))),
        mode(h.str("mode")),
        sleep_us(h.i64("sleep_us")),
        n_rewards(h.count("rewards")) {
    if (mode == "exit-in-create") std::exit(0);
  }
  static void check(Host h, Findings&) {
    if (h.str("mode") == "crash-in-check") raise(SIGSEGV);
  }
  void run(const tenon_call* call, const StageIo& io) {
    if (announced > 0) io.begin(announced);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      if (step == 2 && mode == "exit") std::exit(0);
      if (step == 2 && mode == "crash") raise(SIGSEGV);
      if (n_rewards > 0) score(call, step);
      host.metric("state", static_cast<double>(state += step));
      usleep(static_cast<useconds_t>(sleep_us));
      io.step_end(step);
    }
  }
  void score(const tenon_call* call, uint64_t step) {
    Rollout r;
    Ragged<char> prompts, completions, meta;
    for (uint64_t i = 0; i < 4; ++i) {
      const std::vector<int32_t> token{static_cast<int32_t>(i)};
      r.push(token, token, {}, i, 4 * step + i, TENON_FINISH_STOP);
      prompts.push(std::string_view("p")), completions.push(std::string_view(i % 2 == 0 ? "even" : "odd")),
          meta.push(std::string_view("{}"));
    }
    score_rewards(host, "rewards", call, r, prompts, completions, meta);
  }
  void save(Writer& w) const { w.value(state); }
  void load(Reader& r, uint32_t) { state = r.value<uint64_t>(); }

  Host host;
  uint64_t announced, steps;
  std::string mode;
  int64_t sleep_us;
  uint64_t n_rewards, state = 0;
};
constexpr OptionTable kOptions{
    integer("announced", "0", "Steps that `begin` is told; 0: it is not called."),
    integer("steps", "0", "Steps that are done."),
    choice("mode", kModes, "\"well\"", "What happens in step 2."),
    integer("sleep_us", "0", "Sleep in each step."),
    reference("rewards", "reward", nullptr, "Rewards of four samples a step.", {.flags = TENON_O_LIST})};

// Refuses every odd completion; with `exit`, ends the program instead.
struct Fussy {
  explicit Fussy(Host h) : exits(h.boolean("exit")), all(h.boolean("all")) {}
  double operator()(const Sample& s) const {
    if (exits) std::exit(0);
    if (all || s.completion == "odd") refuse("it is odd");
    return 1;
  }
  bool exits, all;
};
constexpr OptionTable kFussyOptions{boolean("exit", "false", "Call exit."),
                                    boolean("all", "false", "Refuse all.")};

constexpr tenon_component kStage =
    component<Unruly, StageShim<Unruly>>("unruly", "1.0.0", "Misbehaves.", kOptions);
constexpr tenon_component kReward =
    component<Fussy, RewardShim<Fussy>>("fussy", "1.0.0", "Refuses.", kFussyOptions);

}  // namespace

TENON_PLUGIN("unruly", "1.0.0", &kStage, &kReward)
