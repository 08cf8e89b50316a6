// Fill in the middle: documents that are read out of order, so that a model learns to write what stands between two texts.
// SPDX-License-Identifier: Apache-2.0
#include "fim.h"

#include <algorithm>
#include <array>

#include "utf8/utf8.h"

namespace tenon::pretrain {
namespace {

// Where a character begins, and the end: the places to cut. A byte that is in no valid sequence is a character.
std::vector<size_t> boundaries(std::string_view text) {
  std::vector<size_t> out{0};
  for (size_t at = 0; at < text.size(); out.push_back(at)) at += std::max<size_t>(1, utf8::length(text, at));
  return out;
}

// A number below n from 64 random bits (Lemire, arXiv 1805.10941; the bias of at most n / 2^64 is left in).
uint64_t below(uint64_t n, uint64_t bits) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * n >> 64);
}

bool is_given(const Host& host, const char* option) {
  tenon_str written{};
  return host.raw()->get_json(host.raw(), option, &written) != TENON_END;
}

}  // namespace

std::optional<FillInMiddle> FillInMiddle::of(const Host& host, const Tokenizer& tokenizer, uint64_t max_len) {
  if (host.f64("fim_rate") == 0) return std::nullopt;
  return FillInMiddle(host, tokenizer, max_len);
}

void FillInMiddle::check(const Host& host, Findings& findings) {
  const bool on = host.f64("fim_rate") > 0, named = is_given(host, "fim_tokens");
  if (on && !named)
    findings.error("fim_rate",
                   "needs `fim_tokens`, three tokens of the model's tokenizer: {begin: \"…\", hole: \"…\", "
                   "end: \"…\"}");
  if (!on && named) findings.no_effect("fim_tokens", "fim_rate is 0");
}

FillInMiddle::FillInMiddle(const Host& host, const Tokenizer& tokenizer, uint64_t max_len)
    : host_(host),
      tokenizer_(tokenizer),
      max_len_(max_len),
      rate_(host.f64("fim_rate")),
      bos_(tokenizer.encode("", TENON_ENCODE_BOS)),
      begin_(token("begin")),
      hole_(token("hole")),
      end_(token("end")),
      eos_(stages::ending_id(tokenizer)) {
  std::array ids{begin_, hole_, end_, eos_};
  std::sort(ids.begin(), ids.end());
  if (std::adjacent_find(ids.begin(), ids.end()) != ids.end())
    throw Error(TENON_E_INVALID,
                "fim_tokens: begin, hole, end and the token that ends a text must be four different tokens");
}

int32_t FillInMiddle::token(const char* option) const {
  const std::string path = std::string("fim_tokens.") + option, name = host_.str(path.c_str());
  const int64_t id = tokenizer_.special(name.c_str());
  if (id < 0)
    throw Error(TENON_E_INVALID, path + ": the model's tokenizer has no token " + utf8::excerpt(name, 0, 60) +
                                     ": name one that it has and that stands in no text (of `char`: a "
                                     "character of the alphabet), or set fim_rate to 0");
  return static_cast<int32_t>(id);
}

std::vector<int32_t> FillInMiddle::arranged(std::string_view prefix, std::string_view middle,
                                            std::string_view suffix) const {
  std::vector<int32_t> out = bos_;
  auto add = [&](int32_t opening, std::string_view text) {
    out.push_back(opening);
    const std::vector<int32_t> ids = tokenizer_.encode(text, TENON_ENCODE_SPECIAL);
    out.insert(out.end(), ids.begin(), ids.end());
  };
  add(begin_, prefix), add(hole_, suffix), add(end_, middle);
  out.push_back(eos_);
  return out;
}

std::optional<stages::PromptAndCompletion> FillInMiddle::apply(const Row& row, uint64_t step,
                                                               Tally& tally) const {
  if (!is_document(row)) return std::nullopt;
  std::array<uint64_t, 4> draws{};
  host_.rng(host_.seed(), row.index, 2 * step, draws.data(), draws.size());
  if (static_cast<double>(draws[0] >> 11) * 0x1p-53 >= rate_) return std::nullopt;

  const std::string_view text = row.prompt;
  const std::vector<size_t> places = boundaries(text);
  const auto [first, second] =
      std::minmax(places[below(places.size(), draws[1])], places[below(places.size(), draws[2])]);
  const std::vector<int32_t> ids =
      arranged(text.substr(0, first), text.substr(first, second - first), text.substr(second));
  const auto ours = std::count_if(ids.begin(), ids.end(),
                                  [&](int32_t id) { return id == begin_ || id == hole_ || id == end_; });
  if (ids.size() > max_len_ || ours != 3) {
    ++tally.left;
    return std::nullopt;
  }
  ++tally.filled;
  return stages::PromptAndCompletion{{ids.front()}, {ids.begin() + 1, ids.end()}};
}

}  // namespace tenon::pretrain
