// The file of answers.
// SPDX-License-Identifier: Apache-2.0
#include "chat_server/kept_answers.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tenon/abi.h"
#include "tenon/json.hpp"

namespace tenon::chat_server {
namespace {

std::string hash_of(std::string_view request) {
  constexpr size_t kBytes = 16;
  unsigned char hash[EVP_MAX_MD_SIZE];
  if (EVP_Digest(request.data(), request.size(), hash, nullptr, EVP_sha256(), nullptr) != 1)
    throw Error(TENON_E_INTERNAL, "OpenSSL has no SHA-256");
  std::string hex;
  for (size_t i = 0; i < kBytes; ++i)
    hex.append(1, "0123456789abcdef"[hash[i] >> 4]).append(1, "0123456789abcdef"[hash[i] & 15]);
  return hex;
}

std::string to_line(const std::string& hash, const Reply& reply) {
  std::string out = "{\"asked\":" + json::quote(hash);
  if (!reply.thought.empty()) out += ",\"thought\":" + json::quote(reply.thought);
  out += ",\"text\":" + json::quote(reply.text) +
         ",\"finish\":" + (reply.finish == TENON_FINISH_LENGTH ? "\"length\"" : "\"stop\"");
  if (reply.prompt_tokens) out += ",\"prompt_tokens\":" + std::to_string(*reply.prompt_tokens);
  if (reply.completion_tokens) out += ",\"completion_tokens\":" + std::to_string(*reply.completion_tokens);
  return out + "}\n";
}

Reply from_line(std::string_view line) {
  Reply out;
  out.thought = json::text_field(line, "thought").value_or("");
  out.text = json::text_field(line, "text").value_or("");
  out.finish =
      json::text_field(line, "finish").value_or("") == "length" ? TENON_FINISH_LENGTH : TENON_FINISH_STOP;
  out.prompt_tokens = count_in(line, "prompt_tokens");
  out.completion_tokens = count_in(line, "completion_tokens");
  return out;
}

// The hash that a line is filed under; throws for what is no such line.
std::string hash_in(std::string_view line) {
  const auto hash = json::text_field(line, "asked");
  if (!hash || !json::raw_field(line, "text")) throw Error(TENON_E_INVALID, "it is no answer of a server");
  return *hash;
}

}  // namespace

std::optional<uint64_t> count_in(std::string_view object, const char* field) {
  constexpr double kMost = 0x1p53;  // what JSON's numbers surely tell apart
  const auto text = json::text_field(object, field);
  if (!text) return std::nullopt;
  char* end = nullptr;
  const double n = std::strtod(text->c_str(), &end);
  const bool is_count = !text->empty() && *end == '\0' && n >= 0 && n <= kMost && n == std::floor(n);
  return is_count ? std::optional(static_cast<uint64_t>(n)) : std::nullopt;
}

KeptAnswers::KeptAnswers(std::string path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("open");
  struct stat info {};
  if (::fstat(fd_, &info) != 0) fail("read");
  const auto size = static_cast<uint64_t>(info.st_size);
  constexpr uint64_t kAtOnce = 1 << 20;
  std::string pending;
  uint64_t line = 1;
  for (uint64_t at = 0; at < size; at += kAtOnce) {
    pending += read(at, std::min(kAtOnce, size - at));
    size_t begin = 0;
    for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1, ++line) {
      try {
        places_.try_emplace(hash_in(std::string_view(pending).substr(begin, end - begin)), end_, end - begin);
      } catch (const Error& e) {
        ::close(fd_);
        throw Error(TENON_E_INVALID, path_ + ":" + std::to_string(line) + ": " + e.what() +
                                         ": remove the line, and what it answered is asked again");
      }
      end_ += end - begin + 1;
    }
    pending.erase(0, begin);
  }
  if (end_ < size && ::ftruncate(fd_, static_cast<off_t>(end_)) != 0) fail("shorten");
}

KeptAnswers::~KeptAnswers() {
  ::close(fd_);
}

void KeptAnswers::fail(const char* doing) const {
  const std::string why = std::strerror(errno);
  if (fd_ >= 0) ::close(fd_);
  throw Error(TENON_E_IO, path_ + ": cannot " + doing + " it: " + why);
}

std::string KeptAnswers::read(uint64_t begin, uint64_t length) const {
  std::string out(length, '\0');
  for (uint64_t done = 0; done < length;) {
    const ssize_t n = ::pread(fd_, out.data() + done, length - done, static_cast<off_t>(begin + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw Error(TENON_E_IO, path_ + ": cannot read it: " +
                                  (n < 0 ? std::strerror(errno) : "it has become shorter while it was read"));
    done += static_cast<uint64_t>(n);
  }
  return out;
}

std::optional<Reply> KeptAnswers::find(std::string_view request) const {
  const auto at = places_.find(hash_of(request));
  if (at == places_.end()) return std::nullopt;
  return from_line(read(at->second.first, at->second.second));
}

void KeptAnswers::add(std::string_view request, const Reply& reply) {
  const std::string hash = hash_of(request), line = to_line(hash, reply);
  for (size_t done = 0; done < line.size();) {
    const ssize_t n = ::pwrite(fd_, line.data() + done, line.size() - done, static_cast<off_t>(end_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(TENON_E_IO, path_ + ": cannot write it: " + std::strerror(errno));
    done += static_cast<size_t>(n);
  }
  places_.try_emplace(hash, end_, line.size() - 1);
  end_ += line.size();
}

}  // namespace tenon::chat_server
