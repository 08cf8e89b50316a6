// What tenon and tenon-worker say to each other: frames over a socket, the columns of a call in shared memory.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/reward_outcome.h"
#include "host/step_values.h"
#include "tenon/abi.h"

namespace tenon::host {

// Descriptors that a worker finds open.
inline constexpr int kWorkerSocket = 3, kWorkerMemory = 4;

enum class FrameType : uint32_t {
  kCreate = 1,  // to the worker: text = what it is to make (worker.cpp), a = its threads
  kScore,       // to the worker: text = a ScoreHead, about what is in the memory
  kEnd,         // to the worker: destroy the component and exit
  kCreated,     // from it: text = paths of the options that were read, a JSON array
  kFailed,      // from it: the component was not made; text = why, a = a code of TENON_E_…
  kLog,         // from it: text, a = spdlog's level
  kReason,      // from it: text = why sample a got its reward
  kNote,        // from it: text = key, a = sample, value
  kMetric,      // from it: text = name, value
  kTiming,      // as kMetric
  kDone,        // from it: score returned code a, with the text of its error
};

struct Frame {
  FrameType type{};
  int64_t a = 0;
  double value = 0;
  std::string text{};
  uint64_t call = 0;  // ScoreHead::call of the call that it belongs to; 0: to none
};

// Longest text of a frame; of a reason and of a key, which are cut to it where they are sent (a key then still is too long for a note, and told to be); notes of a
// sample that are sent, one more than are recorded.
inline constexpr uint64_t kMaxFrameText = 64u << 20, kMaxReasonText = 4096, kMaxKeyText = kMaxNameBytes + 1,
                          kMaxNotesSent = kMaxNotes + 1;

// False: the other side is gone. Throws std::system_error for anything else. Frames of several threads do not mix if each call is under one lock.
bool send_frame(int socket, const Frame& frame);
// Takes the first whole frame out of `bytes`; nothing: there is none yet. Throws std::runtime_error for what is no frame.
std::optional<Frame> take_frame(std::string& bytes);
// Waits for a whole one. Nothing: the other side is gone. Throws as take_frame does.
std::optional<Frame> receive_frame(int socket, std::string& bytes);

// One call of tenon_reward_vt.score. Its columns lie in the memory one behind the other, each at a multiple of 8 bytes.
struct ScoreHead {
  uint64_t call = 0;  // its number, from 1
  uint64_t n = 0, n_tokens = 0;
  uint64_t prompt_bytes = 0, completion_bytes = 0, meta_bytes = 0;
  uint64_t memory_bytes = 0;  // size of the memory, which grows between calls
  uint64_t step = 0;
  int64_t deadline_ns = 0;
  uint32_t has_tokens = 0, has_finish = 0, has_token_rewards = 0, _pad = 0;
};

// How far the worker is with a sample. Written by the worker behind all else that concerns the sample.
enum class SampleState : uint8_t { kUntouched = 0, kBegun = 1, kAnswered = 2 };

// Where the columns of a call are. Pointers into a memory that begins at `base`; nullptr base: only `bytes` counts.
struct ScoreColumns {
  ScoreColumns(const ScoreHead& head, unsigned char* base);

  uint64_t *sample_id, *group_id;
  uint64_t *prompt_offsets, *completion_offsets, *meta_offsets, *token_offsets;  // n + 1
  int32_t* finish;
  char *prompt, *completion, *meta;
  int32_t* tokens;
  // What the worker writes.
  double *reward, *token_reward;
  int32_t* status;
  SampleState* state;
  uint64_t bytes;  // of all columns together
};

}  // namespace tenon::host
