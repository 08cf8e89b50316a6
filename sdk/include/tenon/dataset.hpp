// Data sets: rows by index.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "tenon/json.hpp"
#include "tenon/plugin.hpp"

namespace tenon {

// One row, owning. Empty `messages_json` and `prompt` together are an error; an empty completion means there is none.
struct Row {
  std::string prompt, messages_json, completion, meta_json;
  std::string source{};  // "train.jsonl:17", for messages; empty if there is none
  uint64_t index = 0;    // in its data set, of a row that the host's cursor gave

  std::optional<std::string> meta(std::string_view key) const { return json::text_field(meta_json, key); }
  static Row copy(const tenon_row& r) {
    return {std::string(view(r.prompt)), std::string(view(r.messages_json)), std::string(view(r.completion)), std::string(view(r.meta_json)),
            TENON_HAS(&r, tenon_row, source) ? std::string(view(r.source)) : "", TENON_HAS(&r, tenon_row, index) ? r.index : 0};
  }
  tenon_row raw() const {
    auto optional = [](const std::string& s) { return s.empty() ? tenon_str{nullptr, 0} : str(s); };
    return {sizeof(tenon_row), 0, optional(prompt), optional(messages_json), optional(completion), optional(meta_json), optional(source), index};
  }
};

// T: constructor T(Host), `uint64_t size() const` (TENON_COUNT_UNBOUNDED: procedural), `Row at(uint64_t index) const`, which depends on the index alone.
template <class T>
struct DatasetShim {
  static constexpr const char* kKind = "dataset";
  // What throws has no rows, which is an error for the user, too.
  static uint64_t count(void* self) {
    uint64_t n = 0;
    guard_logged(self, "size", [&] { n = static_cast<const T*>(self)->size(); });
    return n;
  }
  static int32_t read(void* self, const tenon_call*, const uint64_t* index, uint64_t n, const tenon_row_sink* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < n; ++i) {
        Row r = static_cast<const T*>(self)->at(index[i]);
        tenon_row raw = r.raw();
        if (int32_t rc = out->row(out->ctx, &raw); rc < 0) throw Error(rc, "the host refused a row");
      }
    });
  }
  static constexpr tenon_dataset_vt kTable{sizeof(tenon_dataset_vt), 0, count, read, nullptr};
};

// A data set to read from: the host's cursor.
class Dataset {
 public:
  static constexpr const char* kKind = "dataset";
  explicit Dataset(const tenon_ref& ref) : self_(ref.self), vt_(static_cast<const tenon_dataset_vt*>(ref.vt)) {
    if (TENON_FN(ref.life, tenon_life, extension)) curriculum_ = static_cast<const tenon_curriculum*>(ref.life->extension(ref.self, TENON_EXT_CURRICULUM));
  }
  uint64_t count() const { return vt_->count(self_); }
  // The next n rows in the order of the run; goes on into the next epoch.
  std::vector<Row> next(const tenon_call* call, uint64_t n) const {
    return collect([&](const tenon_row_sink* sink, ErrorBuffer& err) { return vt_->next(self_, call, n, sink, err); });
  }
  // The rows [begin, begin + n) by index.
  std::vector<Row> read(const tenon_call* call, uint64_t begin, uint64_t n) const {
    std::vector<uint64_t> index(n);
    for (uint64_t i = 0; i < n; ++i) index[i] = begin + i;
    return collect([&](const tenon_row_sink* sink, ErrorBuffer& err) { return vt_->read(self_, call, index.data(), n, sink, err); });
  }
  // Whether the data set chooses its rows by how those before them went.
  bool is_curriculum() const { return TENON_FN(curriculum_, tenon_curriculum, outcome); }
  // tenon_curriculum.outcome; only of one.
  void outcome(const tenon_call* call, std::span<const uint64_t> index, std::span<const double> mean_reward, std::span<const uint64_t> n_valid) const {
    ErrorBuffer err;
    err.check(curriculum_->outcome(self_, call, index.size(), index.data(), mean_reward.data(), n_valid.data(), err));
  }

 private:
  template <class F>
  static std::vector<Row> collect(F&& f) {
    struct Context {
      std::vector<Row> rows;
      Caught caught;
    } ctx;
    tenon_row_sink sink{sizeof sink, 0, &ctx, [](void* c, const tenon_row* r) -> int32_t {
                          auto& to = *static_cast<Context*>(c);
                          return to.caught.run([&] { to.rows.push_back(Row::copy(*r)); });
                        }};
    ErrorBuffer err;
    int32_t code = f(&sink, err);
    ctx.caught.rethrow();
    err.check(code);
    return std::move(ctx.rows);
  }

  void* self_;
  const tenon_dataset_vt* vt_;
  const tenon_curriculum* curriculum_ = nullptr;
};

}  // namespace tenon

#define TENON_DATASET_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, DatasetShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
