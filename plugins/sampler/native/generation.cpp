// Samples through slots: entering, one token each, leaving.
// SPDX-License-Identifier: Apache-2.0
#include "generation.h"

#include <algorithm>

namespace tenon::native {

Generation::Generation(const Host& host, const tenon_call* call, const Model& model,
                       const tenon_generate_in& in, const tenon_generate_out& out)
    : host_(host),
      call_(call),
      model_(model),
      in_(in),
      out_(out),
      context_(model.info().max_len),
      first_(in.n) {
  if (in.max_new_tokens == 0)
    throw Error(TENON_E_INVALID, "max_new_tokens is 0: at least 1 token must be generated");
  for (uint64_t i = 0; i < in.n; ++i) {
    uint64_t length = prompt(i).size();
    std::string which = "prompt " + std::to_string(i) + " (sample " + std::to_string(in.sample_id[i]) + ")";
    if (length == 0)
      throw Error(TENON_E_INVALID, which + " is empty: a model needs at least one token to go on from");
    if (length >= context_)
      throw Error(
          TENON_E_INVALID,
          which + " has " + std::to_string(length) +
              " tokens, and the model's context of max_len = " + std::to_string(context_) +
              " tokens leaves no room for a completion: shorten the prompt or raise the model's max_len");
    bool same_group = i > 0 && in.group_id[i] == in.group_id[i - 1];
    if (same_group && !std::ranges::equal(prompt(i), prompt(i - 1)))
      throw Error(TENON_E_INVALID, which + " differs from the one before it, which has the same group id " +
                                       std::to_string(in.group_id[i]));
    first_[i] = same_group ? first_[i - 1] : i;
    longest_ = std::max(longest_, length + max_new(i));
  }
}

uint64_t Generation::max_new(uint64_t i) const {
  return std::min(in_.max_new_tokens, context_ - prompt(i).size());
}

void Generation::run(uint64_t session, uint64_t n_slots) {
  session_ = session;
  slots_.assign(n_slots, Slot());
  admit();
  while (finished_ < in_.n) {
    host_.throw_if_cancelled(call_);
    step();
    admit();
  }
}

void Generation::admit() {
  if (next_sample_ == in_.n) return;
  std::vector<Entry> entries = assign_free_slots();
  std::vector<const Entry*> fresh;
  // Forks from slots that are there come before anything is overwritten: a source is never entered by another group.
  for (const Entry& entry : entries) {
    if (entry.source != kNone)
      fork(entry);
    else
      fresh.push_back(&entry);
  }
  if (!fresh.empty()) prefill(fresh);
}

std::vector<Generation::Entry> Generation::assign_free_slots() {
  std::vector<Entry> entries;
  std::vector<uint64_t> held(slots_.size());
  for (uint64_t s = 0; s < slots_.size(); ++s) held[s] = slots_[s].prompt;
  for (uint64_t s = 0; s < slots_.size() && next_sample_ < in_.n; ++s) {
    Slot& slot = slots_[s];
    if (slot.sample != kNone) continue;
    slot.sample = next_sample_++;
    slot.prompt = first_[slot.sample];
    slot.next = prompt(slot.sample).back();
    if (entries.empty() || entries.back().prompt != slot.prompt) entries.push_back({slot.prompt, {}, kNone});
    entries.back().slots.push_back(s);
  }
  for (Entry& entry : entries)
    for (uint64_t s = 0; s < slots_.size() && entry.source == kNone; ++s)
      if (held[s] == entry.prompt && slots_[s].prompt == entry.prompt) entry.source = s;
  return entries;
}

// Copies the prompt from the source into the entry's slots; the source itself, if it is one of them, is cut back last.
void Generation::fork(const Entry& entry) {
  uint64_t length = prompt(entry.prompt).size() - 1;
  std::vector<uint64_t> others;
  for (uint64_t s : entry.slots)
    if (s != entry.source) others.push_back(s);
  if (!others.empty()) model_.session_fork(call_, session_, entry.source, length, others);
  if (others.size() < entry.slots.size())
    model_.session_fork(call_, session_, entry.source, length, std::span(&entry.source, 1));
}

void Generation::prefill(std::span<const Entry* const> fresh) {
  std::vector<uint64_t> empty;
  for (const Entry* entry : fresh) empty.insert(empty.end(), entry->slots.begin(), entry->slots.end());
  model_.session_fork(call_, session_, empty.front(), 0, empty);
  for (size_t begin = 0; begin < fresh.size();) {
    size_t end = begin;
    uint64_t tokens = 0;
    do tokens += prompt(fresh[end++]->prompt).size() - 1;
    while (end < fresh.size() && tokens + prompt(fresh[end]->prompt).size() - 1 <= kPrefillTokens);
    host_.throw_if_cancelled(call_);
    decode_prompts(fresh.subspan(begin, end - begin));
    begin = end;
  }
}

void Generation::decode_prompts(std::span<const Entry* const> some) {
  Ragged<int32_t> ids;
  std::vector<uint64_t> where;
  for (const Entry* entry : some) {
    std::span<const int32_t> p = prompt(entry->prompt);
    if (p.size() == 1) continue;
    ids.push(p.first(p.size() - 1));
    where.push_back(entry->slots.front());
  }
  if (where.empty()) return;
  model_.decode(call_, session_, append(ids, where), nullptr, nullptr, nullptr, nullptr);
  for (const Entry* entry : some)
    if (prompt(entry->prompt).size() > 1 && entry->slots.size() > 1)
      model_.session_fork(call_, session_, entry->slots.front(), prompt(entry->prompt).size() - 1,
                          std::span(entry->slots).subspan(1));
}

// Appends one token to every slot in use and draws the one that follows.
void Generation::step() {
  Ragged<int32_t> ids;
  std::vector<uint64_t> where, sample_id;
  for (uint64_t s = 0; s < slots_.size(); ++s) {
    if (slots_[s].sample == kNone) continue;
    ids.push(&slots_[s].next, 1);
    where.push_back(s);
    sample_id.push_back(in_.sample_id[slots_[s].sample]);
  }
  std::vector<int32_t> token(where.size());
  std::vector<float> logprob(where.size());
  model_.decode(call_, session_, append(ids, where), in_.sampling, sample_id.data(), token.data(),
                logprob.data());
  for (size_t k = 0; k < where.size(); ++k) {
    Slot& slot = slots_[where[k]];
    slot.ids.push_back(token[k]);
    slot.logprobs.push_back(logprob[k]);
    slot.next = token[k];
    if (std::find(in_.stop_ids, in_.stop_ids + in_.n_stop, token[k]) != in_.stop_ids + in_.n_stop)
      finish(slot, TENON_FINISH_STOP);
    else if (slot.ids.size() == max_new(slot.sample))
      finish(slot, TENON_FINISH_LENGTH);
  }
}

void Generation::finish(Slot& slot, int32_t how) {
  int32_t rc = out_.done(out_.ctx, slot.sample, slot.ids.data(), slot.logprobs.data(), slot.ids.size(), how);
  if (rc < 0) throw Error(rc, "completion " + std::to_string(slot.sample) + " was refused by the caller");
  slot.sample = kNone;
  slot.ids.clear();
  slot.logprobs.clear();
  host_.progress(static_cast<double>(++finished_), static_cast<double>(in_.n), "completions");
}

tenon_tokens Generation::append(const Ragged<int32_t>& ids, const std::vector<uint64_t>& slots) const {
  float temperature = in_.sampling->temperature > 0 ? in_.sampling->temperature : 1.0f;
  return {sizeof(tenon_tokens),
          TENON_HEAD_LANGUAGE,
          ids.raw(),
          nullptr,
          slots.data(),
          nullptr,
          nullptr,
          nullptr,
          temperature,
          0};
}

}  // namespace tenon::native
