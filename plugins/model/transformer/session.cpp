// A decoding session: the keys and values of a fixed number of slots.
// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "tenon/kernels/vector.h"

namespace tenon::transformer {
namespace {

// 24 bits: every float of this form is exact and below 1.
float uniform(uint64_t bits) {
  return static_cast<float>(bits >> 40) * 0x1p-24f;
}

void check_sampling(const tenon_sampling& s) {
  auto check = [](bool ok, const char* name, float value, const char* allowed) {
    if (!ok)
      throw Error(std::string("sampling: ") + name + " is " + std::to_string(value) + "; allowed is " +
                  allowed);
  };
  check(s.temperature >= 0 && std::isfinite(s.temperature), "temperature", s.temperature, "0 or more");
  check(s.top_p >= 0 && s.top_p <= 1, "top_p", s.top_p, "0 to 1");
  check(s.min_p >= 0 && s.min_p <= 1, "min_p", s.min_p, "0 to 1");
}

}  // namespace

Session::Session(const Network& network, uint64_t n_slots, uint64_t max_len)
    : net_(network), max_len_(max_len), slots_(n_slots) {
  const Shape& s = network.shape();
  tenon_kv_cache cache{};
  cache.struct_size = sizeof cache;
  cache.slots = static_cast<uint32_t>(n_slots);
  cache.kv_heads = static_cast<uint32_t>(s.kv_heads);
  cache.head_dim = static_cast<uint32_t>(s.head_dim);
  cache.capacity = (max_len + 15) / 16 * 16;
  const uint64_t size = (tenon_kv_cache_size(&cache) + 15) / 16 * 16;
  memory_ = allocate_floats(2 * size * s.layers);
  tenon_zero(network.executor(), 2 * size * s.layers, memory_.get());
  for (uint64_t i = 0; i < s.layers; ++i) {
    cache.k = memory_.get() + 2 * i * size;
    cache.v = cache.k + size;
    caches_.push_back(cache);
  }
}

Session::Rows Session::check_and_plan(uint64_t version, const tenon_tokens& append) const {
  const auto* ids = static_cast<const int32_t*>(append.ids.values);
  const uint64_t vocab = net_.parameters().usable_vocab();
  Rows rows;
  std::vector<bool> seen(slots_.size());
  for (uint64_t i = 0; i < append.ids.n; ++i) {
    const uint64_t begin = append.ids.offsets[i], n = append.ids.offsets[i + 1] - begin,
                   at = append.seq_id[i];
    const std::string name = "slot " + std::to_string(at);
    if (at >= slots_.size())
      throw Error(name + ": the session has slots 0 to " + std::to_string(slots_.size() - 1));
    if (seen[at]) throw Error(name + " is appended to twice in one call");
    if (n == 0) throw Error(name + ": nothing to append");
    const Slot& slot = slots_[at];
    if (slot.length > 0 && slot.version != version)
      throw Error(TENON_E_STATE, name +
                                     " holds tokens of parameters that were changed since: empty it first "
                                     "(session_fork with len 0)");
    if (slot.length + n > max_len_)
      throw Error(name + " holds " + std::to_string(slot.length) + " tokens; " + std::to_string(n) +
                  " more exceed the session's " + std::to_string(max_len_));
    for (uint64_t t = begin; t < begin + n; ++t)
      if (ids[t] < 0 || static_cast<uint64_t>(ids[t]) >= vocab)
        throw Error(name + ": id " + std::to_string(ids[t]) + " is not in the vocabulary, 0 to " +
                    std::to_string(vocab - 1));
    seen[at] = true;
    rows.slot.push_back(static_cast<uint32_t>(at));
    rows.first_position.push_back(static_cast<int32_t>(slot.length));
    for (uint64_t t = 0; t < n; ++t) {
      rows.row_slot.push_back(static_cast<uint32_t>(at));
      rows.position.push_back(static_cast<int32_t>(slot.length + t));
    }
    rows.offsets.push_back(rows.position.size());
  }
  return rows;
}

// last[parts][d]: the last block's output at the last row of each part.
void Session::compute(const Rows& rows, const int32_t* ids, bool keys_only, float* last) const {
  const uint64_t parts = rows.slot.size(), n = rows.position.size(), d = net_.shape().width;
  auto run = [&](const tenon_executor* ex, uint64_t begin, uint64_t end) {
    const uint64_t row = rows.offsets[begin], count = rows.offsets[end] - row;
    std::vector<uint64_t> offsets(end - begin + 1);
    for (uint64_t i = begin; i <= end; ++i) offsets[i - begin] = rows.offsets[i] - row;
    const Step step{count,
                    end - begin,
                    offsets.data(),
                    rows.slot.data() + begin,
                    rows.first_position.data() + begin,
                    rows.row_slot.data() + row,
                    rows.position.data() + row};
    const Arena::Block x = net_.arena().lend(count * d);
    net_.step(ex, step, ids + row, caches_.data(), keys_only, x.data());
    if (keys_only) return;
    for (uint64_t i = 0; i < end - begin; ++i)
      std::memcpy(last + (begin + i) * d, x.data() + (offsets[i + 1] - 1) * d, d * sizeof(float));
  };
  const uint64_t chunk = net_.chunk_rows(n);
  if (chunk == 0 || n < 32) return run(net_.executor(), 0, parts);
  // Small models: each thread takes some parts through all layers.
  std::vector<uint64_t> cuts{0};
  for (uint64_t i = 1; i < parts; ++i)
    if (rows.offsets[i] - rows.offsets[cuts.back()] >= chunk) cuts.push_back(i);
  cuts.push_back(parts);
  auto pieces = [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) run(nullptr, cuts[i], cuts[i + 1]);
  };
  GuardedBody<decltype(pieces)> guarded{pieces};
  net_.executor()->parallel_for(net_.executor()->ctx, cuts.size() - 1, 1, guarded.run, &guarded);
  guarded.rethrow();
}

void Session::decode(const Heads& heads, const Host& host, uint64_t version, const tenon_tokens& append,
                     const tenon_sampling* sampling, const uint64_t* sample_id, int32_t* token,
                     float* logprob) {
  if (sampling != nullptr) check_sampling(*sampling);
  const Rows rows = check_and_plan(version, append);
  const uint64_t parts = rows.slot.size();
  if (parts == 0) return;
  const Arena::Block last = net_.arena().lend(parts * net_.shape().width);
  const auto* ids = static_cast<const int32_t*>(append.ids.values) + append.ids.offsets[0];
  compute(rows, ids, sampling == nullptr, last.data());
  for (uint64_t i = 0; i < parts; ++i) {
    slots_[rows.slot[i]].length += rows.offsets[i + 1] - rows.offsets[i];
    slots_[rows.slot[i]].version = version;
  }
  if (sampling == nullptr) return;

  std::vector<float> u(parts, 0.0f);
  if (sampling->temperature > 0)
    for (uint64_t i = 0; i < parts; ++i) {
      uint64_t bits = 0;
      host.rng(sampling->seed, sample_id[i], slots_[rows.slot[i]].length << 32, &bits, 1);
      u[i] = uniform(bits);
    }
  heads.sample(parts, last.data(), *sampling, u.data(), token, logprob);
  for (uint64_t i = 0; i < parts; ++i)
    if (token[i] < 0)
      throw Error(TENON_E_INVALID,
                  "slot " + std::to_string(rows.slot[i]) +
                      ": the logits are not finite, so nothing can be drawn; the parameters have diverged");
}

void Session::fork(uint64_t source, uint64_t length, std::span<const uint64_t> to) {
  auto check = [&](uint64_t slot) {
    if (slot >= slots_.size())
      throw Error("slot " + std::to_string(slot) + ": the session has slots 0 to " +
                  std::to_string(slots_.size() - 1));
  };
  check(source);
  for (uint64_t slot : to) check(slot);
  if (length > slots_[source].length)
    throw Error("slot " + std::to_string(source) + " holds " + std::to_string(slots_[source].length) +
                " tokens, so its first " + std::to_string(length) + " cannot be copied");
  std::vector<uint32_t> others;
  for (uint64_t slot : to) {
    if (slot != source) others.push_back(static_cast<uint32_t>(slot));
    slots_[slot] = {length, slots_[source].version};
  }
  if (length == 0) return;
  for (const tenon_kv_cache& cache : caches_)
    tenon_kv_cache_fork(net_.executor(), &cache, static_cast<uint32_t>(source), length, others.data(),
                        others.size());
}

}  // namespace tenon::transformer
