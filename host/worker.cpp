// The other side of isolated_reward.cpp, in a process of its own.
// SPDX-License-Identifier: Apache-2.0
#include "host/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "host/command_line.h"
#include "host/instance.h"
#include "host/loader.h"
#include "host/lone_components.h"
#include "host/spec_json.h"
#include "host/worker_protocol.h"
#include "tenon/error.hpp"

namespace tenon::host {

namespace {

namespace json = boost::json;

// Ends this process and what it has started.
[[noreturn]] void end_group() {
  ::kill(0, SIGKILL);
  ::_exit(1);
}

// Sends frames of all threads.
class Speaker {
 public:
  void say(const Frame& frame) {
    std::lock_guard lock(mutex_);
    if (!send_frame(kWorkerSocket, frame)) end_group();
  }

 private:
  std::mutex mutex_;
};

class LogSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LogSink(Speaker& speaker) : speaker_(speaker) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    speaker_.say(
        {FrameType::kLog, message.level, 0, std::string(message.payload.data(), message.payload.size())});
  }
  void flush_() override {}

  Speaker& speaker_;
};

// What a reward may use of the stage that is running on the other side.
class DistantStage : public StageServices {
 public:
  explicit DistantStage(Speaker& speaker) : speaker_(speaker) {}

  void metric(const char* name, double value) override { speaker_.say({FrameType::kMetric, 0, value, name}); }
  void timing(const char* name, double value) override { speaker_.say({FrameType::kTiming, 0, value, name}); }
  void progress(double, double, const char*) override {}  // of the stage, not of a reward in it
  bool cancelled() const override { return false; }  // a run is cancelled between steps, never inside a call
  void score(const std::string&, const tenon_call*, const tenon_reward_in&, tenon_scored&) override {
    refuse("score");
  }
  void row_out(const std::string&, const tenon_row&) override { refuse("row_out"); }
  void sample_out(std::string_view) override { refuse("sample_out"); }
  void artifact(const std::string&, std::string_view) override { refuse("artifact"); }
  uint64_t sample_ids(uint64_t) override { refuse("sample_ids"); }

 private:
  [[noreturn]] static void refuse(const char* what) {
    throw Error(TENON_E_STATE,
                std::string(what) + " is for stages, and this is a reward in a process of its own");
  }

  Speaker& speaker_;
};

class Worker {
 public:
  int serve() {
    end_with_the_other_side();
    std::string bytes;  // of frames that have not come whole
    std::optional<Frame> frame = receive_frame(kWorkerSocket, bytes);
    if (!frame || frame->type != FrameType::kCreate || !create(*frame)) return 1;
    while ((frame = receive_frame(kWorkerSocket, bytes)) && frame->type != FrameType::kEnd) {
      if (frame->type != FrameType::kScore || frame->text.size() != sizeof(ScoreHead)) return 1;
      ScoreHead head;
      std::memcpy(&head, frame->text.data(), sizeof head);
      score(head);
    }
    return 0;
  }

 private:
  // What a component was given and did not read, with those in its slots; the component's own are told by what it did read.
  static void check_read(const Instance& instance) {
    for (const auto& [name, other] : instance.slots()) {
      check_read(*other);
      std::vector<std::string> unread;
      for (const bool references : {false, true})
        for (const auto& [path, mark] : other->unread(references)) unread.push_back(path);
      if (!unread.empty())
        throw Error(TENON_E_INVALID,
                    name + ": option " + unread.front() +
                        " is given, but the component did not read it: with these options it has no effect");
    }
  }

  bool create(const Frame& frame) {
    try {
      const json::value what = json::parse(frame.text);
      if (what.at("tenon").as_string() != version())
        throw Error(TENON_E_STATE, "tenon-worker is of version " + std::string(version()) +
                                       ", and tenon is not: install both together");
      spec_ = spec_of_text(std::string(what.at("spec").as_string()));
      const std::string place(what.at("place").as_string());
      const size_t slash = place.find('/');
      components_ = std::make_unique<LoneComponents>(
          std::stoull(std::string(what.at("seed").as_string())), place.substr(0, slash),
          static_cast<uint32_t>(frame.a),
          std::make_shared<spdlog::logger>("tenon-worker", std::make_shared<LogSink>(speaker_)), &stage_);
      instance_ = &components_->create(*spec_, place.substr(slash + 1));
      check_read(*instance_);
      speaker_.say({FrameType::kCreated, 0, 0, json::serialize(json::value_from(instance_->options_read()))});
      return true;
    } catch (const Error& e) {
      speaker_.say({FrameType::kFailed, e.code(), 0, e.what()});
    } catch (const std::exception& e) {
      // What the component itself said: tenon puts the title before it, and finds the option that it begins with.
      const std::string title = spec_ != nullptr ? title_of(*spec_) + ": " : "", text = e.what();
      speaker_.say({FrameType::kFailed, TENON_E_INVALID, 0,
                    text.starts_with(title) ? text.substr(title.size()) : text});
    }
    return false;
  }

  // A reward that hangs would not see that nobody waits for it.
  static void end_with_the_other_side() {
    std::thread([] {
      pollfd wait{kWorkerSocket, POLLRDHUP, 0};
      while (::poll(&wait, 1, -1) < 0) {
      }
      end_group();
    }).detach();
  }

  unsigned char* memory(uint64_t bytes) {
    if (bytes == mapped_) return memory_;
    void* at = memory_ == nullptr
                   ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kWorkerMemory, 0)
                   : ::mremap(memory_, mapped_, bytes, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) throw std::runtime_error(std::string("shared memory: ") + std::strerror(errno));
    memory_ = static_cast<unsigned char*>(at), mapped_ = bytes;
    return memory_;
  }

  // What a reward says during one call. Nothing of it may throw: the reward's frames are between it and us.
  struct Judging {
    Speaker& speaker;
    const ScoreColumns& columns;
    uint64_t n, call;
    std::vector<uint64_t> n_notes = std::vector<uint64_t>(n);

    void reason(uint64_t i, const char* text, uint64_t length) const {
      guard(nullptr, [&] {
        std::string cut(text, std::min(length, kMaxReasonText));
        speaker.say({FrameType::kReason, static_cast<int64_t>(i), 0, std::move(cut), call});
      });
    }
    void note(uint64_t i, const char* key, double value) {
      guard(nullptr, [&] {
        if (i >= n || n_notes[i]++ >= kMaxNotesSent) return;
        std::string cut(key, key != nullptr ? ::strnlen(key, kMaxKeyText) : 0);
        speaker.say({FrameType::kNote, static_cast<int64_t>(i), value, std::move(cut), call});
      });
    }
    void judging(uint64_t i, bool begins) const {
      if (i >= n) return;
      const bool is_answered = !begins && columns.status[i] != TENON_R_UNSET;
      std::atomic_ref(columns.state[i])
          .store(begins        ? SampleState::kBegun
                 : is_answered ? SampleState::kAnswered
                               : SampleState::kUntouched,
                 std::memory_order_release);
    }
  };

  void score(const ScoreHead& head) {
    const ScoreColumns c(head, memory(head.memory_bytes));
    const auto column = [&](const void* values, const uint64_t* offsets) {
      tenon_ragged out{};
      out.values = values, out.offsets = offsets, out.n = head.n;
      return out;
    };
    tenon_reward_in in{};
    in.struct_size = sizeof in;
    in.n = head.n, in.sample_id = c.sample_id, in.group_id = c.group_id;
    in.prompt = column(c.prompt, c.prompt_offsets),
    in.completion = column(c.completion, c.completion_offsets);
    in.meta_json = column(c.meta, c.meta_offsets);
    if (head.has_tokens != 0) in.tokens = column(c.tokens, c.token_offsets);
    if (head.has_finish != 0) in.finish = c.finish;

    Judging said{speaker_, c, head.n, head.call};
    tenon_reward_out out{};
    out.struct_size = sizeof out;
    out.reward = c.reward, out.status = c.status, out.ctx = &said;
    if (head.has_token_rewards != 0) out.token_reward = c.token_reward;
    out.reason = [](void* ctx, uint64_t i, const char* text, uint64_t length) {
      static_cast<Judging*>(ctx)->reason(i, text, length);
    };
    out.note = [](void* ctx, uint64_t i, const char* key, double value) {
      static_cast<Judging*>(ctx)->note(i, key, value);
    };
    out.judging = [](void* ctx, uint64_t i, int32_t begins) {
      static_cast<Judging*>(ctx)->judging(i, begins != 0);
    };
    const tenon_call call{sizeof call, kDLCPU, 0, 0, head.step, head.deadline_ns, nullptr};
    char text[2048];
    tenon_error err{sizeof err, 0, text, sizeof text, 0};
    const tenon_ref ref = instance_->ref();
    const int32_t code = static_cast<const tenon_reward_vt*>(ref.vt)->score(ref.self, &call, &in, &out, &err);
    speaker_.say({FrameType::kDone, code, 0,
                  std::string(text, code < 0 ? std::min<uint64_t>(err.len, sizeof text) : 0), head.call});
  }

  Speaker speaker_;
  DistantStage stage_{speaker_};
  std::shared_ptr<Spec> spec_;
  std::unique_ptr<LoneComponents> components_;
  Instance* instance_ = nullptr;
  unsigned char* memory_ = nullptr;
  uint64_t mapped_ = 0;
};

}  // namespace

int serve_as_worker() {
  // What the reward starts has no part in this.
  for (int fd : {kWorkerSocket, kWorkerMemory}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  const rlimit no_core{0, 0};  // a crash here is an outcome, not a thing to look into
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // what the reward prints is seen even if it dies
  Worker worker;
  return worker.serve();
}

}  // namespace tenon::host
