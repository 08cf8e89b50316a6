// Frames over a socket, and the layout of a call's columns.
// SPDX-License-Identifier: Apache-2.0
#include "host/worker_protocol.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace tenon::host {

namespace {

constexpr uint32_t kMagic = 0x4e4e4554;  // "TENN"

struct Head {
  uint32_t magic, type;
  uint64_t text_bytes, call;
  int64_t a;
  double value;
};

bool is_gone(int error) {
  return error == EPIPE || error == ECONNRESET || error == ENOTCONN || error == EBADF;
}

bool send_all(int socket, const char* bytes, size_t n) {
  while (n > 0) {
    const ssize_t sent = ::send(socket, bytes, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && is_gone(errno)) return false;
    if (sent < 0) throw std::system_error(errno, std::generic_category(), "writing to a worker");
    bytes += sent, n -= static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace

bool send_frame(int socket, const Frame& frame) {
  const Head head{kMagic,     static_cast<uint32_t>(frame.type), frame.text.size(), frame.call, frame.a,
                  frame.value};
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes += frame.text;
  return send_all(socket, bytes.data(), bytes.size());
}

std::optional<Frame> take_frame(std::string& bytes) {
  Head head{};
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != kMagic || head.text_bytes > kMaxFrameText ||
      head.type < static_cast<uint32_t>(FrameType::kCreate) ||
      head.type > static_cast<uint32_t>(FrameType::kDone))
    throw std::runtime_error("what came through its socket is no answer of tenon-worker");
  if (bytes.size() - sizeof head < head.text_bytes) return std::nullopt;
  Frame frame{static_cast<FrameType>(head.type), head.a, head.value,
              bytes.substr(sizeof head, head.text_bytes), head.call};
  bytes.erase(0, sizeof head + head.text_bytes);
  return frame;
}

std::optional<Frame> receive_frame(int socket, std::string& bytes) {
  while (true) {
    if (std::optional<Frame> frame = take_frame(bytes)) return frame;
    char more[65536];
    const ssize_t got = ::recv(socket, more, sizeof more, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0 || (got < 0 && is_gone(errno))) return std::nullopt;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "reading from tenon");
    bytes.append(more, static_cast<size_t>(got));
  }
}

ScoreColumns::ScoreColumns(const ScoreHead& h, unsigned char* base) : bytes(0) {
  const auto take = [&](auto*& column, uint64_t count) {
    using T = std::remove_reference_t<decltype(*column)>;
    column = base == nullptr ? nullptr : reinterpret_cast<T*>(base + bytes);
    bytes += (count * sizeof(T) + 7) / 8 * 8;
  };
  take(sample_id, h.n), take(group_id, h.n);
  take(prompt_offsets, h.n + 1), take(completion_offsets, h.n + 1), take(meta_offsets, h.n + 1);
  take(token_offsets, h.has_tokens != 0 ? h.n + 1 : 0);
  take(finish, h.has_finish != 0 ? h.n : 0);
  take(prompt, h.prompt_bytes), take(completion, h.completion_bytes), take(meta, h.meta_bytes);
  take(tokens, h.has_tokens != 0 ? h.n_tokens : 0);
  take(reward, h.n), take(token_reward, h.has_token_rewards != 0 ? h.n_tokens : 0);
  take(status, h.n), take(state, h.n);
}

}  // namespace tenon::host
