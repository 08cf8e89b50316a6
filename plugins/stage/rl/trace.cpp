// Collecting and writing a step's numbers.
// SPDX-License-Identifier: Apache-2.0
#include "trace.h"

#include <cstdio>
#include <filesystem>

#include "safetensors/safetensors.h"

namespace tenon::rl {
namespace {

namespace st = safetensors;

// Only to learn a reward's name.
struct RewardName {
  static constexpr const char* kKind = "reward";
  explicit RewardName(const tenon_ref& ref) : name(ref.name) {}
  std::string name;
};

// Bytes of the trace of a rollout whose tokens all take part in each of `passes` passes.
uint64_t estimated_bytes(const Rollout& r, uint64_t passes) {
  constexpr uint64_t kPerToken = 4 + 1 + 8 + 4 * 4 + 4 * 8, kPerUpdate = 6 * 4 + 8;
  return r.tokens() * (kPerToken + passes * kPerUpdate) + r.size() * 8 * 8;
}

class Columns {
 public:
  template <class T>
  void add(const std::string& name, st::DType dtype, const std::vector<T>& column) {
    if (!column.empty()) all_.push_back({name, dtype, {column.size()}, nullptr, column.data()});
  }
  void add(const std::string& name, const std::vector<float>& column) { add(name, st::DType::kF32, column); }
  void add(const std::string& name, const std::vector<double>& column) { add(name, st::DType::kF64, column); }
  void add(const std::string& name, const std::vector<uint64_t>& column) {
    add(name, st::DType::kU64, column);
  }
  void add(const std::string& name, const std::vector<int32_t>& column) {
    add(name, st::DType::kI32, column);
  }
  void add(const std::string& name, const std::vector<uint8_t>& column) { add(name, st::DType::kU8, column); }
  st::Output& back() { return all_.back(); }
  const std::vector<st::Output>& all() const { return all_; }

 private:
  std::vector<st::Output> all_;
};

}  // namespace

std::optional<Trace> Trace::of_step(const Host& host, const Options& options, const StageIo& io,
                                    const tenon_call* call, const stages::Sampled& batch,
                                    const Rollout& trained, std::span<const double> importance) {
  const uint64_t step = call->step;
  const bool is_due =
      options.trace_interval > 0 && (step % options.trace_interval == 0 || step + 1 == options.steps);
  if (!is_due || step < options.critic_warmup) return std::nullopt;
  if (const uint64_t bytes = estimated_bytes(trained, options.epochs); bytes > options.trace_limit) {
    host.info("step " + std::to_string(step) + " is not traced: its numbers take " +
              std::to_string(bytes >> 20) + " MiB, and trace_limit is " +
              std::to_string(options.trace_limit >> 20) + " MiB");
    return std::nullopt;
  }
  Trace trace;
  trace.folder_ = io.folder() + "/trace";
  trace.step_ = step;
  trace.rollout_ = batch.rollout;
  trace.trained_ = trained.valid;
  for (const auto& term : batch.terms) trace.terms_.insert(trace.terms_.end(), term.begin(), term.end());
  trace.importance_.assign(importance.begin(), importance.end());
  return trace;
}

void Trace::begin_update(std::vector<uint64_t> rows) {
  updates_.emplace_back().rows = std::move(rows);
}

void Trace::add(const Rollout& part, const Algorithm::Columns& columns) {
  Update& u = updates_.back();
  u.lp_new.insert(u.lp_new.end(), part.lp_new.begin(), part.lp_new.end());
  u.entropy.insert(u.entropy.end(), part.entropy.begin(), part.entropy.end());
  u.value.insert(u.value.end(), part.value.begin(), part.value.end());
  u.weight.insert(u.weight.end(), part.weight.begin(), part.weight.end());
  u.d_logprob.insert(u.d_logprob.end(), columns.d_logprob.begin(), columns.d_logprob.end());
  u.d_entropy.insert(u.d_entropy.end(), columns.d_entropy.begin(), columns.d_entropy.end());
  u.d_value.insert(u.d_value.end(), columns.d_value.begin(), columns.d_value.end());
}

void Trace::write(const Host& host) const {
  const Rollout& r = rollout_;
  Columns columns;
  columns.add("offsets", r.ids.offsets), columns.add("ids", r.ids.values);
  columns.add("prompt_len", r.prompt_len), columns.add("group_id", r.group_id),
      columns.add("sample_id", r.sample_id);
  columns.add("finish", r.finish), columns.add("reward", r.reward);
  columns.add("valid", r.valid), columns.add("trained", trained_);
  columns.add("mask", r.mask), columns.add("version", r.version), columns.add("token_reward", r.token_reward);
  columns.add("lp_sample", r.lp_sample), columns.add("lp_old", r.lp_old), columns.add("lp_ref", r.lp_ref);
  columns.add("value_old", r.value_old), columns.add("value_target", r.value_target);
  columns.add("advantage", r.advantage), columns.add("importance", importance_);
  const std::vector<double> kl_scale{r.kl_scale};
  columns.add("kl_scale", kl_scale);
  columns.add("terms", terms_);
  if (!terms_.empty()) columns.back().shape = {terms_.size() / r.size(), r.size()};
  for (size_t u = 0; u < updates_.size(); ++u) {
    const std::string prefix = "update/" + std::to_string(u) + "/";
    columns.add(prefix + "rows", updates_[u].rows), columns.add(prefix + "weight", updates_[u].weight);
    columns.add(prefix + "lp_new", updates_[u].lp_new), columns.add(prefix + "entropy", updates_[u].entropy);
    columns.add(prefix + "value", updates_[u].value),
        columns.add(prefix + "d_logprob", updates_[u].d_logprob);
    columns.add(prefix + "d_entropy", updates_[u].d_entropy),
        columns.add(prefix + "d_value", updates_[u].d_value);
  }
  std::string names, weights;
  for (uint64_t k = 0; k < host.count("rewards"); ++k) {
    char weight[32];
    std::snprintf(weight, sizeof weight, "%.17g",
                  host.f64_if(("rewards." + std::to_string(k) + ".weight").c_str()).value_or(1));
    names +=
        (k > 0 ? "," : "") + json::quote(host.get_component<RewardName>("rewards/" + std::to_string(k)).name);
    weights += (k > 0 ? "," : "") + std::string(weight);
  }
  char file[32];
  std::snprintf(file, sizeof file, "/%06llu.safetensors", static_cast<unsigned long long>(step_));
  std::filesystem::create_directories(folder_);
  st::write(folder_ + file, columns.all(),
            {{"format", "tenon-trace/1"},
             {"step", std::to_string(step_)},
             {"updates", std::to_string(updates_.size())},
             {"rewards", "[" + names + "]"},
             {"weights", "[" + weights + "]"}});
}

}  // namespace tenon::rl
