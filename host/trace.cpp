// The trace of a step, read back and computed again.
// SPDX-License-Identifier: Apache-2.0
#include "host/trace.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <tuple>

#include "host/json_text.h"
#include "host/run_error.h"
#include "host/safetensors.h"

namespace tenon::host {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr char kFormat[] = "tenon-trace/1";

template <class T>
const char* dtype_of();
template <>
const char* dtype_of<float>() {
  return "F32";
}
template <>
const char* dtype_of<double>() {
  return "F64";
}
template <>
const char* dtype_of<uint64_t>() {
  return "U64";
}
template <>
const char* dtype_of<int32_t>() {
  return "I32";
}
template <>
const char* dtype_of<uint8_t>() {
  return "U8";
}

// A trace's file: columns by name, each of a known length.
class File {
 public:
  explicit File(const fs::path& path) : path_(path), stored_(read_safetensors(path)) {
    if (text("format") != kFormat)
      fail("its format is \"" + text("format") + "\", and this program reads " + kFormat);
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw RunError(path_.string() + ": not a trace that can be used: " + why);
  }
  std::string text(const std::string& key) const {
    const auto found = stored_.metadata.find(key);
    if (found == stored_.metadata.end()) fail("its metadata have no " + key);
    return found->second;
  }
  json::array list(const std::string& key) const {
    boost::system::error_code error;
    json::value value = json::parse(text(key), error);
    if (error || !value.is_array()) fail("its " + key + " are not a JSON list: " + text(key));
    return std::move(value.get_array());
  }
  uint64_t number(const std::string& key) const {
    const std::string word = text(key);
    if (word.empty() || word.size() > 18 || word.find_first_not_of("0123456789") != std::string::npos)
      fail("its " + key + " is not a number: " + word);
    return std::stoull(word);
  }

  // Its values; empty if there is no such column.
  template <class T>
  std::vector<T> optional(const std::string& name) const {
    const auto found = stored_.tensors.find(name);
    if (found == stored_.tensors.end()) return {};
    const StoredTensor& tensor = found->second;
    if (tensor.dtype != dtype_of<T>() || tensor.bytes.size() % sizeof(T) != 0)
      fail("column " + name + " is " + tensor.dtype + " where " + dtype_of<T>() + " is expected");
    std::vector<T> values(tensor.bytes.size() / sizeof(T));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }
  // A column of n values, or none.
  template <class T>
  void get(const std::string& name, uint64_t n, std::vector<T>& to) const {
    to = optional<T>(name);
    if (!to.empty() && to.size() != n)
      fail("column " + name + " has " + std::to_string(to.size()) + " values where " + std::to_string(n) +
           " are expected");
  }
  template <class T>
  void need(const std::string& name, uint64_t n, std::vector<T>& to) const {
    get(name, n, to);
    if (to.empty() && n > 0) fail("it has no column " + name);
  }

 private:
  fs::path path_;
  StoredTensors stored_;
};

void read_rollout(const File& file, Trace& trace) {
  Rollout& r = trace.rollout;
  r.ids.offsets = file.optional<uint64_t>("offsets");
  r.ids.values = file.optional<int32_t>("ids");
  if (r.ids.offsets.size() < 2 || r.ids.offsets.front() != 0 ||
      !std::is_sorted(r.ids.offsets.begin(), r.ids.offsets.end()) ||
      r.ids.offsets.back() != r.ids.values.size())
    file.fail("its offsets are not those of its ids");
  const uint64_t n = r.size(), tokens = r.tokens();
  file.need("prompt_len", n, r.prompt_len), file.need("group_id", n, r.group_id);
  file.need("sample_id", n, r.sample_id), file.need("finish", n, r.finish);
  file.need("reward", n, r.reward), file.need("valid", n, r.valid);
  for (uint64_t i = 0; i < n; ++i)
    if (r.prompt_len[i] > r.ids[i].size()) file.fail("a prompt is longer than its sequence");
  file.need("mask", tokens, r.mask), file.need("version", tokens, r.version);
  file.need("lp_sample", tokens, r.lp_sample), file.need("lp_old", tokens, r.lp_old);
  file.need("advantage", tokens, r.advantage);
  file.get("lp_ref", tokens, r.lp_ref), file.get("value_old", tokens, r.value_old);
  file.get("token_reward", tokens, r.token_reward), file.get("value_target", tokens, r.value_target);
  std::vector<double> kl_scale;
  file.need("kl_scale", 1, kl_scale);
  r.kl_scale = kl_scale[0];
}

Trace::Update read_update(const File& file, const Rollout& r, uint64_t number) {
  const std::string prefix = "update/" + std::to_string(number) + "/";
  Trace::Update u;
  u.rows = file.optional<uint64_t>(prefix + "rows");
  if (u.rows.empty()) file.fail("it has no column " + prefix + "rows");
  u.offsets.push_back(0);
  for (const uint64_t i : u.rows) {
    if (i >= r.size())
      file.fail("update " + std::to_string(number) + " has a sequence that the rollout lacks");
    u.offsets.push_back(u.offsets.back() + r.ids[i].size());
  }
  const uint64_t tokens = u.offsets.back();
  file.need(prefix + "lp_new", tokens, u.lp_new), file.need(prefix + "d_logprob", tokens, u.d_logprob);
  file.need(prefix + "weight", tokens, u.weight);
  file.get(prefix + "value", tokens, u.value), file.get(prefix + "entropy", tokens, u.entropy);
  file.get(prefix + "d_value", tokens, u.d_value), file.get(prefix + "d_entropy", tokens, u.d_entropy);
  return u;
}

std::vector<double> corrected(const Trace& trace) {
  std::vector<double> advantage = trace.rollout.advantage;
  for (size_t t = 0; t < trace.importance.size(); ++t) advantage[t] *= trace.importance[t];
  return advantage;
}

template <class T>
std::optional<uint64_t> first_unequal(const std::vector<T>& a, const std::vector<T>& b) {
  for (uint64_t k = 0; k < a.size(); ++k)
    if (std::memcmp(&a[k], &b[k], sizeof(T)) != 0) return k;
  return std::nullopt;
}

// `token` counts in `r`.
std::string difference_at(const Rollout& r, uint64_t token, const std::string& column, double recorded,
                          double recomputed) {
  uint64_t i = 0;
  while (r.ids.offsets[i + 1] <= token) ++i;
  const uint64_t at = token - r.ids.offsets[i];
  const std::string where = at < r.prompt_len[i] ? "token " + std::to_string(at) + " of its prompt"
                                                 : "token " + std::to_string(at - r.prompt_len[i]);
  return column + " of sample " + std::to_string(r.sample_id[i]) + ", " + where + ": recorded " +
         json_number(recorded) + ", computed again " + json_number(recomputed);
}

}  // namespace

std::optional<uint64_t> Trace::Update::place(uint64_t i) const {
  const auto row = std::find(rows.begin(), rows.end(), i);
  if (row == rows.end()) return std::nullopt;
  return offsets[static_cast<size_t>(row - rows.begin())];
}

Trace Trace::read(const fs::path& path) {
  const File file(path);
  Trace trace;
  trace.step = file.number("step");
  read_rollout(file, trace);
  const uint64_t n = trace.rollout.size();
  file.need("trained", n, trace.trained);
  file.get("importance", trace.rollout.tokens(), trace.importance);
  const json::array names = file.list("rewards"), weights = file.list("weights");
  for (const json::value& name : names)
    trace.rewards.emplace_back(name.is_string() ? name.get_string().c_str() : "");
  for (const json::value& weight : weights)
    trace.weights.push_back(weight.is_number() ? weight.to_number<double>() : 1);
  if (trace.weights.size() != trace.rewards.size()) file.fail("it has not as many weights as rewards");
  file.get("terms", n * trace.rewards.size(), trace.terms);
  for (uint64_t u = 0; u < file.number("updates"); ++u)
    trace.updates.push_back(read_update(file, trace.rollout, u));
  return trace;
}

std::optional<uint64_t> Trace::find(uint64_t sample_id) const {
  const auto found = std::find(rollout.sample_id.begin(), rollout.sample_id.end(), sample_id);
  if (found == rollout.sample_id.end()) return std::nullopt;
  return static_cast<uint64_t>(found - rollout.sample_id.begin());
}

Rollout Trace::of_update(const Update& u) const {
  Rollout all = rollout;
  all.advantage = corrected(*this);
  all.valid = trained;
  Rollout out = all.select(u.rows);
  out.lp_new = u.lp_new, out.weight = u.weight;
  out.value = u.value, out.entropy = u.entropy;
  return out;
}

Rollout Trace::whole(const Update* u, bool in_loss) const {
  Rollout all = rollout;
  if (in_loss) all.valid = trained;
  all.advantage = corrected(*this);
  all.lp_new = all.lp_old;
  all.value = all.value_old;
  all.weight.assign(all.tokens(), 0);
  if (u == nullptr) return all;
  if (!u->entropy.empty()) all.entropy.assign(all.tokens(), 0);
  if (!u->value.empty()) all.value.resize(all.tokens());
  for (size_t k = 0; k < u->rows.size(); ++k) {
    auto put = [&](const auto& from, auto& to) {
      if (from.empty()) return;
      std::copy(from.begin() + static_cast<ptrdiff_t>(u->offsets[k]),
                from.begin() + static_cast<ptrdiff_t>(u->offsets[k + 1]),
                to.begin() + static_cast<ptrdiff_t>(all.ids.offsets[u->rows[k]]));
    };
    put(u->lp_new, all.lp_new), put(u->weight, all.weight);
    put(u->value, all.value), put(u->entropy, all.entropy);
  }
  return all;
}

std::optional<std::string> first_difference(const Trace& trace, const Algorithm& algorithm) {
  const tenon_call call{sizeof call, kDLCPU, 0, 0, trace.step, 0, nullptr};
  Algorithm::Metrics ignored;
  Rollout again = trace.rollout;
  again.advantage.clear(), again.value_target.clear();
  algorithm.advantages(&call, again, ignored);
  if (const auto t = first_unequal(trace.rollout.advantage, again.advantage))
    return difference_at(again, *t, "the advantage", trace.rollout.advantage[*t], again.advantage[*t]);
  if (again.value_target.size() != trace.rollout.value_target.size())
    return "the trace has " + std::to_string(trace.rollout.value_target.size()) +
           " value targets, and the algorithm gives " + std::to_string(again.value_target.size());
  if (const auto t = first_unequal(trace.rollout.value_target, again.value_target))
    return difference_at(again, *t, "the value target", trace.rollout.value_target[*t],
                         again.value_target[*t]);
  for (size_t u = 0; u < trace.updates.size(); ++u) {
    const Rollout r = trace.of_update(trace.updates[u]);
    const Algorithm::Columns d = algorithm.gradient(&call, r, ignored);
    const Trace::Update& recorded = trace.updates[u];
    const std::tuple<const char*, const std::vector<float>&, const std::vector<float>&> columns[] = {
        {"d_logprob", recorded.d_logprob, d.d_logprob},
        {"d_value", recorded.d_value, d.d_value},
        {"d_entropy", recorded.d_entropy, d.d_entropy}};
    for (const auto& [name, was, is] : columns) {
      const std::string column = "update " + std::to_string(u) + ": " + name;
      if (was.size() != is.size())
        return column + " has " + std::to_string(was.size()) + " numbers in the trace, and " +
               std::to_string(is.size()) + " computed again";
      if (const auto t = first_unequal(was, is))
        return difference_at(r, *t, column, static_cast<double>(was[*t]), static_cast<double>(is[*t]));
    }
  }
  return std::nullopt;
}

}  // namespace tenon::host
