// From documents to what BERT reads: pairs of segments, some of their tokens masked.
// SPDX-License-Identifier: Apache-2.0
#include "examples.h"

#include <algorithm>
#include <cmath>

namespace tenon::mlm_nsp {

uint64_t Draws::next() {
  if (used_ == numbers_.size()) {
    numbers_.resize(kAtOnce);
    host_.rng(host_.seed(), stream_, block_, numbers_.data(), kAtOnce);
    block_ += kAtOnce / 2;
    used_ = 0;
  }
  return numbers_[used_++];
}

uint64_t Draws::below(uint64_t n) {
  return std::min(n - 1, static_cast<uint64_t>(share() * static_cast<double>(n)));
}

double Draws::share() {
  return static_cast<double>(next() >> 11) * 0x1p-53;
}

namespace {

constexpr std::string_view kWhite = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhite) + 1 - begin);
}

void read_text(std::string_view text, const Tokenizer& tokenizer, const std::string& separator,
               Document& to) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (const std::string_view sentence = trimmed(text.substr(begin, end - begin)); !sentence.empty())
      if (std::vector<int32_t> ids = tokenizer.encode(sentence); !ids.empty()) to.push_back(std::move(ids));
    begin = end + separator.size();
  }
}

void append(std::vector<int32_t>& to, const std::vector<int32_t>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// The sentences [begin, end) of a document as one segment.
std::vector<int32_t> joined(const Document& document, size_t begin, size_t end) {
  std::vector<int32_t> out;
  for (size_t s = begin; s < end; ++s) append(out, document[s]);
  return out;
}

void fit(std::vector<int32_t>& a, std::vector<int32_t>& b, uint64_t most) {
  if (a.size() + b.size() <= most) return;
  // What each may keep: half, and what the other one leaves of its half.
  const uint64_t half = most / 2;
  const uint64_t for_a = b.size() < most - half ? most - b.size() : std::min<uint64_t>(half, a.size());
  const uint64_t keep_a = std::min<uint64_t>(a.size(), for_a);
  a.erase(a.begin(), a.end() - static_cast<ptrdiff_t>(keep_a));
  b.resize(most - keep_a);
}

}  // namespace

Document read_document(const Row& row, const Tokenizer& tokenizer, const std::string& separator) {
  if (!row.messages_json.empty())
    throw Error(TENON_E_INVALID, "a conversation is no document of sentences: give rows with `prompt`");
  Document out;
  read_text(row.prompt, tokenizer, separator, out);
  read_text(row.completion, tokenizer, separator, out);
  if (out.size() < 2)
    throw Error(TENON_E_INVALID, "it has " + std::to_string(out.size()) +
                                     (out.size() == 1 ? " sentence" : " sentences") +
                                     ", and a pair needs two: is `separator` what parts sentences?");
  return out;
}

Example make_pair(std::span<const Document> documents, size_t i, const ExampleRules& rules, Draws& draws) {
  const Document& own = documents[i];
  const size_t most = rules.segment_sentences == 0 ? SIZE_MAX : rules.segment_sentences;
  const size_t split = 1 + draws.below(own.size() - 1);
  Example e;
  std::vector<size_t> others;
  for (size_t k = 0; k < documents.size(); ++k)
    if (documents[k] != own) others.push_back(k);
  e.next = draws.share() < 0.5 || others.empty() ? 0 : 1;
  const size_t drawn = draws.below(std::max<size_t>(1, others.size()));
  const Document& other = e.next == 0 ? own : documents[others[drawn]];
  const size_t from = e.next == 0 ? split : draws.below(other.size());
  std::vector<int32_t> a = joined(own, split - std::min(split, most), split),
                       b = joined(other, from, from + std::min(other.size() - from, most));
  fit(a, b, rules.model.max_len - 3);

  e.ids = {rules.model.cls};
  append(e.ids, a);
  e.ids.push_back(rules.model.sep);
  e.segment.assign(e.ids.size(), 0);
  append(e.ids, b);
  e.ids.push_back(rules.model.sep);
  e.segment.resize(e.ids.size(), 1);
  e.target.assign(e.ids.size(), -1);
  return e;
}

std::vector<int32_t> ordinary_ids(const Tokenizer& tokenizer, const tenon_masked_lm_info& model) {
  std::vector<int32_t> out;
  for (uint64_t v = 0; v < std::min<uint64_t>(model.vocab, tokenizer.size()); ++v) {
    const auto id = static_cast<int32_t>(v);
    if (id == model.cls || id == model.sep || id == model.mask) continue;
    if (!tokenizer.decode(std::vector{id}).empty()) out.push_back(id);
  }
  return out;
}

void mask_tokens(const ExampleRules& rules, Draws& draws, Example& example) {
  const auto is_ordinary = [&](int32_t id) {
    return std::binary_search(rules.ordinary.begin(), rules.ordinary.end(), id);
  };
  std::vector<size_t> places;
  for (size_t t = 0; t < example.ids.size(); ++t)
    if (is_ordinary(example.ids[t])) places.push_back(t);
  const auto wanted = static_cast<size_t>(std::lround(rules.mask_rate * static_cast<double>(places.size())));
  for (size_t k = 0; k < std::min(places.size(), std::max<size_t>(1, wanted)); ++k) {
    std::swap(places[k], places[k + draws.below(places.size() - k)]);
    int32_t& id = example.ids[places[k]];
    example.target[places[k]] = id;
    const double how = draws.share();
    if (how < 0.8)
      id = rules.model.mask;
    else if (how < 0.9)
      id = rules.ordinary[draws.below(rules.ordinary.size())];
  }
}

}  // namespace tenon::mlm_nsp
