// Tests of pairs and masks by their properties, and of the stage with a model whose numbers can be recomputed by hand.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "examples.h"
#include "support/fake_components.h"

namespace tenon::test {
namespace {

using mlm_nsp::Document;
using mlm_nsp::Draws;
using mlm_nsp::Example;
using mlm_nsp::ExampleRules;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int32_t kCls = 0, kSep = 1, kMask = 2;

// Of sentence s of document k: two ids that are of no other one.
std::vector<int32_t> sentence(int32_t k, int32_t s) {
  return {100 * (k + 1) + 2 * s, 100 * (k + 1) + 2 * s + 1};
}
std::vector<Document> documents(int32_t n, int32_t sentences) {
  std::vector<Document> out(static_cast<size_t>(n));
  for (int32_t k = 0; k < n; ++k)
    for (int32_t s = 0; s < sentences; ++s) out[static_cast<size_t>(k)].push_back(sentence(k, s));
  return out;
}
ExampleRules rules(uint64_t max_len = 64, uint64_t sentences = 0, double rate = 0.15) {
  static const std::vector<int32_t> ordinary = [] {
    std::vector<int32_t> ids;
    for (int32_t id = kMask + 1; id < 1000; ++id) ids.push_back(id);
    return ids;
  }();
  return {{sizeof(tenon_masked_lm_info), kCls, kSep, kMask, 1000, max_len}, sentences, rate, ordinary};
}
// The tokens of one segment, without the special ones.
std::vector<int32_t> segment(const Example& e, int which) {
  std::vector<int32_t> out;
  for (size_t t = 0; t < e.ids.size(); ++t)
    if (e.segment[t] == which && e.ids[t] > kMask) out.push_back(e.ids[t]);
  return out;
}

Row plain(const std::string& prompt, const std::string& completion = "") {
  return {prompt, "", completion, "{}"};
}

TEST(Documents, AreReadSentenceBySentence) {
  const LetterTokenizer letters;
  auto handle = LetterTokenizer(letters);
  const Tokenizer tokenizer(handle.ref());
  auto texts = [&](const Row& row, const std::string& separator) {
    std::vector<std::string> out;
    for (const auto& ids : mlm_nsp::read_document(row, tokenizer, separator))
      out.push_back(letters.decode(ids, 0));
    return out;
  };
  EXPECT_THAT(texts(plain("1+2\n\n 3 \nab"), "\n"), ElementsAre("1+2", "3", "ab"));
  EXPECT_THAT(texts(plain("1+2=", "3,4,"), ","), ElementsAre("1+2=", "3", "4"));
  EXPECT_THROW(texts(plain("1+2"), "\n"), Error);
  EXPECT_THROW(texts({"", "[]", "", "{}"}, "\n"), Error);
}

TEST(Pairs, AreTwoSegmentsBetweenSpecialTokens) {
  const FakeHost host;
  const auto docs = documents(3, 4);
  Draws draws{Host(host.raw()), 0, 0};
  const Example e = mlm_nsp::make_pair(docs, 0, rules(), draws);
  EXPECT_EQ(e.ids.front(), kCls);
  EXPECT_EQ(e.ids.back(), kSep);
  EXPECT_EQ(std::count(e.ids.begin(), e.ids.end(), kSep), 2);
  const auto first = std::find(e.ids.begin(), e.ids.end(), kSep) - e.ids.begin();
  for (size_t t = 0; t < e.ids.size(); ++t) EXPECT_EQ(e.segment[t], t > static_cast<size_t>(first) ? 1 : 0);
  EXPECT_THAT(e.target, ::testing::Each(-1));
}

TEST(Pairs, HalfAreTrueAndTheOthersOfAnotherDocument) {
  const FakeHost host;
  const auto docs = documents(5, 4);
  constexpr int kPairs = 4000;
  int followed = 0;
  std::set<int32_t> splits, others;
  for (uint64_t k = 0; k < kPairs; ++k) {
    Draws draws{Host(host.raw()), 7, k};
    const Example e = mlm_nsp::make_pair(docs, 2, rules(), draws);
    const auto a = segment(e, 0), b = segment(e, 1);
    ASSERT_EQ(a.front(), 300) << "with room for all, the first segment is the document's beginning";
    const int32_t split = (a.back() - 300 + 1) / 2;
    splits.insert(split);
    if (e.next == 0) {
      ++followed;
      EXPECT_EQ(b.front(), 300 + 2 * split);
      EXPECT_EQ(b.back(), 307);
    } else {
      EXPECT_NE(b.front() / 100, 3);
      EXPECT_EQ(b.front() % 2, 0) << "at the beginning of a sentence";
      others.insert(b.front());
    }
  }
  EXPECT_NEAR(followed, kPairs / 2, 4 * std::sqrt(kPairs / 4.0));
  EXPECT_THAT(splits, ElementsAre(1, 2, 3));
  EXPECT_EQ(others.size(), 16u) << "every sentence of every other document";
}

// At the seam of two epochs a batch may hold a document twice: it is no other document.
TEST(Pairs, ACopyOfTheDocumentIsNotAnotherOne) {
  const FakeHost host;
  auto docs = documents(3, 4);
  docs.push_back(docs[0]);
  int others = 0;
  for (uint64_t k = 0; k < 400; ++k) {
    Draws draws{Host(host.raw()), 8, k};
    const Example e = mlm_nsp::make_pair(docs, 0, rules(), draws);
    if (e.next == 0) continue;
    ++others;
    EXPECT_NE(segment(e, 1).front() / 100, 1);
  }
  EXPECT_GT(others, 150);
  const std::vector<Document> copies(3, docs[0]);
  for (uint64_t k = 0; k < 50; ++k) {
    Draws draws{Host(host.raw()), 9, k};
    EXPECT_EQ(mlm_nsp::make_pair(copies, 0, rules(), draws).next, 0);
  }
}

TEST(Pairs, SegmentsMeetWhereTheyAreCut) {
  const FakeHost host;
  const auto docs = documents(2, 20);
  for (const uint64_t max_len : {5u, 8u, 13u, 24u, 40u})
    for (uint64_t k = 0; k < 50; ++k) {
      Draws whole_draws{Host(host.raw()), 1, k}, cut_draws{Host(host.raw()), 1, k};
      const Example whole = mlm_nsp::make_pair(docs, 0, rules(1000), whole_draws),
                    cut = mlm_nsp::make_pair(docs, 0, rules(max_len), cut_draws);
      const auto a = segment(whole, 0), b = segment(whole, 1), cut_a = segment(cut, 0),
                 cut_b = segment(cut, 1);
      EXPECT_EQ(cut.ids.size(), std::min<size_t>(max_len, whole.ids.size()));
      ASSERT_FALSE(cut_a.empty());
      ASSERT_FALSE(cut_b.empty());
      EXPECT_EQ(cut_a.back(), a.back());
      EXPECT_EQ(cut_b.front(), b.front());
      // Nothing is cut from a segment that leaves the other one half of the room.
      const size_t room = max_len - 3;
      EXPECT_TRUE(a.size() > room / 2 || cut_a == a);
      EXPECT_TRUE(b.size() > room / 2 || cut_b == b);
    }
}

TEST(Pairs, TakeNoMoreSentencesThanAsked) {
  const FakeHost host;
  const auto docs = documents(3, 6);
  for (uint64_t k = 0; k < 100; ++k) {
    Draws draws{Host(host.raw()), 2, k};
    const Example e = mlm_nsp::make_pair(docs, 1, rules(64, 2), draws);
    EXPECT_LE(segment(e, 0).size(), 4u);
    EXPECT_LE(segment(e, 1).size(), 4u);
    EXPECT_EQ(e.next == 0, segment(e, 0).back() + 1 == segment(e, 1).front());
  }
}

TEST(Masks, AreEightyTenTen) {
  const FakeHost host;
  const auto docs = documents(2, 20);
  double masked = 0, as_mask = 0, kept = 0, random = 0;
  for (uint64_t k = 0; k < 1500; ++k) {
    Draws draws{Host(host.raw()), 3, k};
    Example e = mlm_nsp::make_pair(docs, 0, rules(1000), draws);
    const Example before = e;
    mlm_nsp::mask_tokens(rules(1000), draws, e);
    size_t here = 0;
    for (size_t t = 0; t < e.ids.size(); ++t) {
      if (e.target[t] < 0) {
        EXPECT_EQ(e.ids[t], before.ids[t]);
        continue;
      }
      ++here;
      EXPECT_EQ(e.target[t], before.ids[t]);
      EXPECT_GT(e.target[t], kMask) << "a special token was masked";
      const bool is_masked = e.ids[t] == kMask, is_kept = e.ids[t] == before.ids[t];
      EXPECT_TRUE(is_masked || e.ids[t] > kMask) << "replaced by a special token";
      ++(is_masked ? as_mask : is_kept ? kept : random);
    }
    EXPECT_EQ(here, static_cast<size_t>(std::lround(0.15 * static_cast<double>(e.ids.size() - 3))));
    masked += static_cast<double>(here);
  }
  auto near = [&](double count, double share) {
    EXPECT_NEAR(count / masked, share, 4 * std::sqrt(share * (1 - share) / masked));
  };
  near(as_mask, 0.8), near(random, 0.1), near(kept, 0.1);
}

TEST(Masks, NoSpecialTokenOfTheTokenizerIsDrawn) {
  struct Padded : LetterTokenizer {
    std::string decode(std::span<const int32_t> ids, uint32_t flags) const {
      if (ids.size() == 1 && ids[0] == 5 && (flags & TENON_DECODE_SPECIAL) == 0) return "";  // its [PAD]
      return LetterTokenizer::decode(ids, flags);
    }
  } padded;
  const Tokenizer tokenizer(ref_to<TokenizerShim<Padded>>(padded, "padded"));
  ExampleRules some = rules(1000, 0, 0.5);
  some.model.cls = 20, some.model.sep = 21, some.model.mask = 22;
  some.model.vocab = padded.size() + 8;  // a matrix that is larger than the vocabulary
  some.ordinary = mlm_nsp::ordinary_ids(tokenizer, some.model);
  const FakeHost host;
  const std::vector<Document> docs{{{1, 2, 3, 4, 6, 7}, {8, 9, 10, 11}}, {{12, 13, 14}, {15, 16, 17}}};
  std::set<int32_t> drawn;
  for (uint64_t k = 0; k < 2000; ++k) {
    Draws draws{Host(host.raw()), 5, k};
    Example e = mlm_nsp::make_pair(docs, 0, some, draws);
    const Example before = e;
    mlm_nsp::mask_tokens(some, draws, e);
    for (size_t t = 0; t < e.ids.size(); ++t)
      if (e.ids[t] != before.ids[t] && e.ids[t] != some.model.mask) drawn.insert(e.ids[t]);
  }
  std::set<int32_t> all;
  for (int32_t id = 1; id < 20; ++id)
    if (id != 5) all.insert(id);  // 0 is the end
  EXPECT_EQ(drawn, all);
}

TEST(Masks, AtLeastOneToken) {
  const FakeHost host;
  Draws draws{Host(host.raw()), 4, 0};
  Example e{{kCls, 50, kSep, 51, kSep}, {-1, -1, -1, -1, -1}, {0, 0, 0, 1, 1}, 0};
  mlm_nsp::mask_tokens(rules(), draws, e);
  EXPECT_EQ(std::count(e.target.begin(), e.target.end(), -1), 4);
}

// ln p(v) = log-softmax(w)[v] wherever a token is masked, ln p(next = 1) = ln σ(b): parameters [w | b].
struct Unigram {
  static constexpr uint64_t kVocab = 23;
  Unigram() : weight(kVocab + 1), grad(kVocab + 1), shape{static_cast<int64_t>(kVocab) + 1} {
    for (DLTensor* t : {&tensors[0], &tensors[1]}) {
      *t = {};
      t->device = {kDLCPU, 0};
      t->ndim = 1;
      t->dtype = {kDLFloat, 32, 1};
      t->shape = &shape;
    }
    tensors[0].data = weight.data(), tensors[1].data = grad.data();
  }
  void info(tenon_model_info& out) {
    out.vocab = kVocab, out.max_len = max_len, out.n_params = out.n_tensors = 1;
    out.arch = "unigram";
  }
  void param(uint64_t, tenon_param& out) {
    out.name = "weight", out.value = &tensors[0], out.grad = &tensors[1];
  }
  void score(const tenon_call*, const tenon_tokens&, tenon_score_out&) {}
  void backward(const tenon_call*, uint64_t, const float*, const float*, const float*) {}
  void drop_tape(uint64_t) {}
  void accumulate(const tenon_call*, const tenon_tokens&, const float*, float*) {}
  void zero_grad(const tenon_call*) { std::fill(grad.begin(), grad.end(), 0.0f); }
  void finish_grad(const tenon_call*) {}
  void params_updated(const tenon_call*, uint64_t) {}
  uint64_t session_open(const tenon_call*, uint64_t, uint64_t) { return 0; }
  void decode(const tenon_call*, uint64_t, const tenon_tokens&, const tenon_sampling*, const uint64_t*,
              int32_t*, float*) {}
  void session_fork(const tenon_call*, uint64_t, uint64_t, uint64_t, std::span<const uint64_t>) {}
  void session_close(uint64_t) {}

  std::vector<double> distribution() const {
    double total = 0;
    for (uint64_t v = 0; v < kVocab; ++v) total += std::exp(static_cast<double>(weight[v]));
    std::vector<double> out;
    for (uint64_t v = 0; v < kVocab; ++v) out.push_back(static_cast<double>(weight[v]) - std::log(total));
    return out;
  }
  void pass(const tenon_masked_batch& in, const float* d_logprob, const float* d_next,
            tenon_masked_out& out) {
    const auto lp = distribution();
    const double b = static_cast<double>(weight[kVocab]);
    longest = std::max(longest, in.ids.offsets[in.ids.n]);
    for (uint64_t i = 0; i < in.ids.n; ++i) {
      const auto ids = row<int32_t>(in.ids, i);
      seen.emplace_back(ids.begin(), ids.end());
      next.push_back(in.next[i]);
      const double at = in.next[i] == 1 ? b : -b, p = 1 / (1 + std::exp(-at));
      out.next_logprob[i] = static_cast<float>(std::log(p));
      if (d_next != nullptr)
        grad[kVocab] += static_cast<float>(d_next[i] * (1 - p) * (in.next[i] == 1 ? 1 : -1));
    }
    for (uint64_t t = 0; t < in.ids.offsets[in.ids.n]; ++t) {
      if (in.target[t] < 0) continue;
      targets.push_back(in.target[t]);
      out.logprob[t] = static_cast<float>(lp[static_cast<uint64_t>(in.target[t])]);
      out.most_likely[t] = static_cast<int32_t>(std::max_element(lp.begin(), lp.end()) - lp.begin());
      for (uint64_t v = 0; d_logprob != nullptr && v < kVocab; ++v)
        grad[v] += static_cast<float>(d_logprob[t] *
                                      ((static_cast<int32_t>(v) == in.target[t] ? 1 : 0) - std::exp(lp[v])));
    }
  }
  const void* extension(std::string_view id) const {
    static constexpr tenon_masked_lm table{
        sizeof(tenon_masked_lm), 0,
        [](void* self, tenon_masked_lm_info* out, tenon_error*) -> int32_t {
          out->cls = 20, out->sep = 21, out->mask = 22;  // the letters d, e, f
          out->vocab = kVocab, out->max_len = static_cast<Unigram*>(self)->max_len;
          return TENON_OK;
        },
        [](void* self, const tenon_call*, const tenon_masked_batch* in, const float* d_logprob,
           const float* d_next, tenon_masked_out* out, tenon_error* err) {
          return guard(err, [&] { static_cast<Unigram*>(self)->pass(*in, d_logprob, d_next, *out); });
        }};
    return is_masked && id == TENON_EXT_MASKED_LM ? &table : nullptr;
  }

  std::vector<float> weight, grad;
  int64_t shape;
  DLTensor tensors[2];
  bool is_masked = true;
  uint64_t max_len = 24, longest = 0;
  std::vector<std::vector<int32_t>> seen;
  std::vector<int32_t> next, targets;
};

struct Lab {
  explicit Lab(const std::string& options) : host(plugin_component(), options), io(host) {
    host.slot("model", ref_to<ModelShim<Unigram>>(model, "unigram", "reader"));
    host.slot("model.tokenizer", tokenizer.ref());
    host.slot("optimizer", sgd.ref());
    host.slot("data", data.ref("texts"));
  }
  void run() { run_stage(plugin_component(), host, io); }
  FakeHost host;
  FakeIo io;
  LetterTokenizer tokenizer;
  Unigram model;
  PlainSgd sgd;
  RowSet data{{plain("1+2\n3+4\n5"), plain("777\n888"), plain("a\nb\nc\nabc\n123"), plain("9-9", "0\n1")}};
};

TEST(MlmNsp, OneStepIsOneStepDownTheTwoMeans) {
  Lab lab(R"({"steps": 1, "batch": 4})");
  lab.sgd.learning_rate = 0.3;
  lab.run();
  const auto& targets = lab.model.targets;
  double right = 0;
  for (uint64_t v = 0; v < Unigram::kVocab; ++v) {
    const auto count =
        static_cast<double>(std::count(targets.begin(), targets.end(), static_cast<int32_t>(v)));
    const double slope = 1.0 / Unigram::kVocab - count / static_cast<double>(targets.size());
    EXPECT_NEAR(static_cast<double>(lab.model.weight[v]), -0.3 * slope, 1e-6) << v;
    if (v == 0) right = count;
  }
  const auto apart = static_cast<double>(std::count(lab.model.next.begin(), lab.model.next.end(), 1));
  EXPECT_NEAR(static_cast<double>(lab.model.weight[Unigram::kVocab]), -0.3 * (0.5 - apart / 4), 1e-6);
  const FakeIo::Step& step = lab.io.steps.at(0);
  EXPECT_NEAR(step.metric("mlm_loss"), std::log(23.0), 1e-6);
  EXPECT_NEAR(step.metric("nsp_loss"), std::log(2.0), 1e-6);
  EXPECT_NEAR(step.metric("loss"), std::log(46.0), 1e-6);
  EXPECT_NEAR(step.metric("mlm_accuracy"), right / static_cast<double>(targets.size()), 1e-12);
  EXPECT_EQ(step.metric("nsp_accuracy"), 0) << "a half is not right";
}

TEST(MlmNsp, MicroBatchesChangeNoBit) {
  Lab whole(R"({"steps": 5, "batch": 4})"), parts(R"({"steps": 5, "batch": 4, "micro_batch_tokens": 16})");
  whole.run(), parts.run();
  EXPECT_EQ(whole.model.weight, parts.model.weight);
  EXPECT_LT(parts.model.longest, whole.model.longest);
  for (size_t s = 0; s < 5; ++s) EXPECT_EQ(whole.io.steps[s].metrics, parts.io.steps[s].metrics);
}

TEST(MlmNsp, AResumeSeesWhatTheWholeRunSaw) {
  Lab whole(R"({"steps": 6, "batch": 3})"), rest(R"({"steps": 6, "batch": 3})");
  whole.run();
  rest.data.taken = 9;
  rest.io.set_first_step(3);
  rest.run();
  EXPECT_EQ(rest.model.seen, std::vector(whole.model.seen.begin() + 9, whole.model.seen.end()));
  EXPECT_EQ(rest.model.targets,
            std::vector(whole.model.targets.end() - static_cast<ptrdiff_t>(rest.model.targets.size()),
                        whole.model.targets.end()));
}

TEST(MlmNsp, EveryStepMasksAnew) {
  Lab lab(R"({"steps": 8, "batch": 4})");
  lab.run();
  std::set<std::vector<int32_t>> of_first_row;
  for (size_t s = 0; s < 8; ++s) of_first_row.insert(lab.model.seen[4 * s]);
  EXPECT_GT(of_first_row.size(), 4u);
}

TEST(MlmNsp, HeldOutDocumentsAreJudgedBeforeAndAtTheEnd) {
  Lab lab(R"({"steps": 20, "batch": 4, "held_out": {"data": "held-out", "rows": 5}})");
  RowSet held_out(
      {plain("777\n888"), plain("1\n2"), plain("3\n4"), plain("5\n6"), plain("7\n8"), plain("9\n0")});
  lab.host.slot("held_out/data", held_out.ref("held-out"));
  lab.sgd.learning_rate = 1;
  lab.run();
  const size_t trained = 5 + 20 * 4;
  EXPECT_EQ(lab.io.results.at("reader/held-out held-out/rows"), 5);
  ASSERT_EQ(lab.model.seen.size(), trained + 5) << "each once, though one was left for the last batch";
  double loss = 0, right = 0, pairs = 0;
  const double b = static_cast<double>(lab.model.weight[Unigram::kVocab]);
  for (size_t i = trained; i < lab.model.next.size(); ++i) {
    EXPECT_EQ(lab.model.next[i], lab.model.next[i - trained]) << "the same pairs each time";
    const double at = lab.model.next[i] == 1 ? b : -b;
    loss += std::log(1 + std::exp(-at)) / 5, right += at > 0 ? 1 : 0, ++pairs;
  }
  EXPECT_NEAR(lab.io.results.at("reader/held-out held-out/nsp_loss"), loss, 1e-5);
  EXPECT_NEAR(lab.io.results.at("reader/held-out held-out/nsp_accuracy"), right / pairs, 1e-12);
  EXPECT_NEAR(lab.io.steps.front().metric("held_out/loss"), std::log(46.0), 1e-6) << "before training";
  const FakeIo::Step& last = lab.io.steps.back();
  EXPECT_EQ(last.metric("held_out/mlm_loss"), lab.io.results.at("reader/held-out held-out/mlm_loss"));
  EXPECT_EQ(last.metric("held_out/loss"),
            last.metric("held_out/mlm_loss") + last.metric("held_out/nsp_loss"));
}

std::string error_of(Lab& lab) {
  try {
    Instance(plugin_component(), lab.host);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(MlmNsp, MistakesAreFoundBeforeTheFirstStep) {
  Lab decoder(R"({"steps": 1})");
  decoder.model.is_masked = false;
  EXPECT_THAT(error_of(decoder), HasSubstr("model: reader (unigram) does not predict masked tokens"));
  Lab single(R"({"steps": 1})");
  RowSet rows({plain("1\n2"), plain("333")});
  single.host.slot("data", rows.ref("texts"));
  EXPECT_THAT(error_of(single),
              HasSubstr("row 1, \"333\": it has 1 sentence, and a pair needs two: is `separator`"));
  Lab alone(R"({"steps": 1})");
  RowSet one({plain("1\n2")});
  alone.host.slot("data", one.ref("texts"));
  EXPECT_THAT(error_of(alone), HasSubstr("data: it has 1 row, and a pair may need two documents"));
  Lab tight(R"({"steps": 1})");
  tight.model.max_len = 4;
  EXPECT_THAT(error_of(tight), HasSubstr("leaves no room for two segments"));
}

TEST(MlmNsp, OptionsThatSayNothing) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(), FakeHost(plugin_component(), options));
  };
  EXPECT_THAT(findings(R"({"steps": 1, "separator": ""})"),
              ::testing::Contains(HasSubstr("separator: is empty")));
  EXPECT_THAT(findings(R"({"steps": 1, "held_out": {"data": "x", "rows": 1}})"),
              ElementsAre(HasSubstr("held_out.rows: ")));
}

}  // namespace
}  // namespace tenon::test
