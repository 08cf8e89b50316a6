// Tokenizers: text to ids and back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tenon/plugin.hpp"

namespace tenon {

// T: constructor T(Host);
//   std::vector<int32_t> encode(std::string_view utf8, uint32_t flags) const;
//   std::string decode(std::span<const int32_t> ids, uint32_t flags) const;
//   std::string chat(std::string_view messages_json, uint32_t flags) const;    optional
//   uint64_t size() const; int64_t special(std::string_view name) const; std::vector<int32_t> stop_ids() const;
template <class T>
struct TokenizerShim {
  static constexpr const char* kKind = "tokenizer";
  static constexpr bool kChats = requires(const T& t) { t.chat(std::string_view(), 0u); };

  template <class Out>
  static void emit(const tenon_rows* out, const Out& v) {
    if (int32_t rc = out->row(out->ctx, v.data(), v.size()); rc < 0) throw Error(rc, "the caller refused a row");
  }
  static int32_t encode(void* self, const tenon_call*, const tenon_ragged* in, uint32_t flags, const tenon_rows* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < in->n; ++i) emit(out, static_cast<const T*>(self)->encode(text_row(*in, i), flags));
    });
  }
  static int32_t decode(void* self, const tenon_call*, const tenon_ragged* in, uint32_t flags, const tenon_rows* out, tenon_error* err) {
    return guard(err, [&] {
      for (uint64_t i = 0; i < in->n; ++i) emit(out, static_cast<const T*>(self)->decode(row<int32_t>(*in, i), flags));
    });
  }
  static int32_t chat(void* self, const tenon_call*, const tenon_ragged* in, uint32_t flags, const tenon_rows* out, tenon_error* err) {
    return guard(err, [&] {
      if constexpr (kChats)
        for (uint64_t i = 0; i < in->n; ++i) emit(out, static_cast<const T*>(self)->chat(text_row(*in, i), flags));
    });
  }
  // A wrong answer of one of these three would train on without a word.
  static uint64_t size(void* self) {
    uint64_t n = 0;
    guard_or_abort(self, "size", [&] { n = static_cast<const T*>(self)->size(); });
    return n;
  }
  static int64_t special(void* self, const char* name) {
    int64_t id = -1;
    guard_or_abort(self, "special", [&] { id = static_cast<const T*>(self)->special(name); });
    return id;
  }
  static uint64_t stop_ids(void* self, int32_t* ids, uint64_t cap) {
    uint64_t n = 0;
    guard_or_abort(self, "stop_ids", [&] {
      std::vector<int32_t> all = static_cast<const T*>(self)->stop_ids();
      for (n = 0; n < all.size() && n < cap; ++n) ids[n] = all[n];
      n = all.size();
    });
    return n;
  }
  static constexpr tenon_tokenizer_vt kTable{sizeof(tenon_tokenizer_vt), 0, encode, decode, kChats ? chat : nullptr, size, special, stop_ids};
};

// A tokenizer to use.
class Tokenizer {
 public:
  static constexpr const char* kKind = "tokenizer";
  explicit Tokenizer(const tenon_ref& ref) : self_(ref.self), vt_(static_cast<const tenon_tokenizer_vt*>(ref.vt)), id_(ref.id) {}

  std::vector<int32_t> encode(std::string_view text, uint32_t flags = 0) const {
    return call<int32_t>(vt_->encode, text.data(), text.size(), flags);
  }
  std::string decode(std::span<const int32_t> ids, uint32_t flags = 0) const {
    std::vector<char> v = call<char>(vt_->decode, ids.data(), ids.size(), flags);
    return {v.begin(), v.end()};
  }
  bool can_chat() const { return TENON_FN(vt_, tenon_tokenizer_vt, chat); }
  std::string chat(std::string_view messages_json, uint32_t flags = TENON_CHAT_GENERATE) const {
    if (!can_chat()) throw Error(TENON_E_UNSUPPORTED, "tokenizer " + id_ + " has no chat template, so rows with `messages` cannot be used: give rows with `prompt`");
    std::vector<char> v = call<char>(vt_->chat, messages_json.data(), messages_json.size(), flags);
    return {v.begin(), v.end()};
  }
  uint64_t size() const { return vt_->size(self_); }
  int64_t special(const char* name) const { return vt_->special(self_, name); }
  std::vector<int32_t> stop_ids() const {
    std::vector<int32_t> ids(vt_->stop_ids(self_, nullptr, 0));
    vt_->stop_ids(self_, ids.data(), ids.size());
    return ids;
  }

 private:
  template <class Out, class F>
  std::vector<Out> call(F f, const void* values, uint64_t n, uint32_t flags) const {
    uint64_t offsets[2] = {0, n};
    tenon_ragged in{values, offsets, 1};
    struct Context {
      std::vector<Out> values;
      Caught caught;
    } ctx;
    tenon_rows sink{sizeof sink, 0, &ctx, [](void* c, const void* p, uint64_t count) -> int32_t {
                      auto& to = *static_cast<Context*>(c);
                      return to.caught.run([&] { to.values.insert(to.values.end(), static_cast<const Out*>(p), static_cast<const Out*>(p) + count); });
                    }};
    ErrorBuffer err;
    int32_t code = f(self_, nullptr, &in, flags, &sink, err);
    ctx.caught.rethrow();
    err.check(code);
    return std::move(ctx.values);
  }

  void* self_;
  const tenon_tokenizer_vt* vt_;
  std::string id_;
};

}  // namespace tenon

#define TENON_TOKENIZER_PLUGIN(Type, id, version, summary, ...) \
  TENON_SINGLE_PLUGIN(Type, TokenizerShim, id, version, summary __VA_OPT__(, ) __VA_ARGS__)
