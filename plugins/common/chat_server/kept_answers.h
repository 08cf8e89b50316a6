// Answers of a server that were paid for, in a file that a crash leaves whole.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tenon::chat_server {

// What a server answered.
struct Reply {
  std::string thought,
      text;  // `thought`: what a reasoning model thought before it, where the server gives that apart; UTF-8
  int32_t finish;  // TENON_FINISH_…
  std::optional<uint64_t> prompt_tokens,
      completion_tokens;  // as the server counts (`usage`); nothing: it does not say
};

// Field `field` of a JSON object as a number of tokens; nothing if it is absent or no whole number up to 2^53.
std::optional<uint64_t> count_in(std::string_view object, const char* field);

// One line per answer, appended when it is there: {"asked": hash of the request, "thought": …, "text": …, "finish": "stop", …}. The text of an answer is read from the file when it is asked for;
// memory holds some 50 bytes of each. [one thread]
class KeptAnswers {
 public:
  // Opens the file, or makes it and its folder. A line that was cut, as a crash leaves the last one, is taken off. Throws TENON_E_IO; TENON_E_INVALID that names file and line of one that is damaged.
  explicit KeptAnswers(std::string path);
  ~KeptAnswers();
  KeptAnswers(const KeptAnswers&) = delete;
  KeptAnswers& operator=(const KeptAnswers&) = delete;

  // The answer to a request with this body; nothing: it is not there. A later line of the same request counts for nothing.
  std::optional<Reply> find(std::string_view request) const;
  // Adds one, which then outlives a crash of this process. Throws TENON_E_IO.
  void add(std::string_view request, const Reply& reply);
  uint64_t size() const { return places_.size(); }

 private:
  [[noreturn]] void fail(const char* doing) const;
  std::string read(uint64_t begin, uint64_t length) const;

  std::string path_;
  int fd_ = -1;
  uint64_t end_ = 0;
  std::unordered_map<std::string, std::pair<uint64_t, uint64_t>>
      places_;  // by hash: offset and length of the line
};

}  // namespace tenon::chat_server
