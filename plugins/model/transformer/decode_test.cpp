// Tests of decoding: the bits of prefill, decoding and training agree; slots, forks and draws.
// SPDX-License-Identifier: Apache-2.0
#include "naive.h"
#include "test_support.h"

namespace tenon::transformer {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMaxLen = 48;

tenon_sampling sampling(float temperature, uint64_t seed = 5) {
  return {sizeof(tenon_sampling), temperature, 0, 0, 0, 0, seed};
}

// Tokens for slots, as decode takes them.
struct Append {
  Ragged<int32_t> ids;
  std::vector<uint64_t> slots;
  Append& add(uint64_t slot, const std::vector<int32_t>& tokens) {
    slots.push_back(slot);
    ids.push(tokens);
    return *this;
  }
  tenon_tokens raw() const {
    return {sizeof(tenon_tokens),
            TENON_HEAD_LANGUAGE,
            ids.raw(),
            nullptr,
            slots.data(),
            nullptr,
            nullptr,
            nullptr,
            0,
            0};
  }
};

struct Draw {
  std::vector<int32_t> token;
  std::vector<float> logprob;
};
Draw decode(const TestModel& m, uint64_t session, const Append& a, const tenon_sampling& how,
            const std::vector<uint64_t>& samples) {
  Draw d{std::vector<int32_t>(a.slots.size()), std::vector<float>(a.slots.size())};
  m.model().decode(nullptr, session, a.raw(), &how, samples.data(), d.token.data(), d.logprob.data());
  return d;
}

// n tokens after each prompt, all slots at once; log-probabilities of what was drawn. Sample ids are `first`,
// first + 1, ….
struct Generated {
  std::vector<std::vector<int32_t>> ids;
  std::vector<std::vector<float>> logprob;
};
Generated generate(const TestModel& m, const std::vector<std::vector<int32_t>>& prompts, uint64_t n,
                   const tenon_sampling& how, uint64_t first = 0) {
  const uint64_t session = m.model().session_open(nullptr, prompts.size(), kMaxLen);
  Generated g{prompts, std::vector<std::vector<float>>(prompts.size())};
  std::vector<uint64_t> samples(prompts.size());
  std::iota(samples.begin(), samples.end(), first);
  for (uint64_t step = 0; step < n; ++step) {
    Append a;
    for (uint64_t i = 0; i < prompts.size(); ++i)
      a.add(i, step == 0 ? prompts[i] : std::vector<int32_t>{g.ids[i].back()});
    const Draw d = decode(m, session, a, how, samples);
    for (uint64_t i = 0; i < prompts.size(); ++i)
      g.ids[i].push_back(d.token[i]), g.logprob[i].push_back(d.logprob[i]);
  }
  m.model().session_close(session);
  return g;
}

std::vector<std::vector<int32_t>> some_prompts(uint64_t n) {
  std::mt19937 rng(2);
  std::vector<std::vector<int32_t>> out(n);
  for (auto& p : out)
    for (uint64_t k = 1 + rng() % 9; k > 0; --k) p.push_back(static_cast<int32_t>(rng() % kVocab));
  return out;
}

class Decode : public ::testing::TestWithParam<const char*> {};

TEST_P(Decode, HasTheBitsOfScore) {
  for (uint32_t threads : {1u, 2u}) {
    TestModel m(kVocab, GetParam(), threads);
    for (float temperature : {0.0f, 0.8f, 1.0f}) {
      const Generated g = generate(m, some_prompts(40), 20, sampling(temperature));
      TestBatch b;
      std::mt19937 rng(1);
      for (uint64_t i = 0; i < g.ids.size(); ++i) b.push(g.ids[i], g.ids[i].size() - 20, i, rng);
      std::vector<float> logprob(b.tokens());
      m.model().score(nullptr, b.raw(temperature == 0 ? 1 : temperature), logprob.data(), nullptr, nullptr,
                      nullptr);
      for (uint64_t i = 0; i < g.ids.size(); ++i)
        for (uint64_t t = 0; t < 20; ++t)
          ASSERT_EQ(g.logprob[i][t], logprob[b.ids.offsets[i + 1] - 20 + t]) << i << ", " << t;
    }
  }
}

TEST_P(Decode, DoesNotDependOnWhoElseIsDecoded) {
  TestModel m(kVocab, GetParam());
  const auto prompts = some_prompts(40);
  const Generated together = generate(m, prompts, 12, sampling(1));
  for (uint64_t i : {0u, 17u, 39u}) {
    const Generated alone = generate(m, {prompts[i]}, 12, sampling(1), i);
    EXPECT_EQ(alone.ids[0], together.ids[i]);
    EXPECT_EQ(alone.logprob[0], together.logprob[i]);
  }
}

TEST_P(Decode, GreedyTakesTheGreatestLogit) {
  TestModel m(kVocab, GetParam());
  const Generated g = generate(m, some_prompts(3), 8, sampling(0));
  for (const auto& ids : g.ids) {
    TestBatch b;
    std::mt19937 rng(1);
    b.push(ids, 1, 0, rng);
    const std::vector<float> logits = m.logits(b.raw());
    for (uint64_t t = ids.size() - 8; t < ids.size(); ++t) {
      const auto row = logits.begin() + static_cast<ptrdiff_t>((t - 1) * kVocab);
      EXPECT_EQ(std::max_element(row, row + kVocab) - row, ids[t]);
    }
  }
}

TEST_P(Decode, LogitsAreTheNaiveDecodersInDouble) {
  TestModel m(kVocab, GetParam());
  const boost::json::object o = boost::json::parse(GetParam()).as_object();
  ShapeOptions s;
  s.layers = 2, s.width = o.at("width").as_int64(), s.heads = o.at("heads").as_int64(),
  s.kv_heads = o.at("kv_heads").as_int64(), s.ffn = 40;
  if (o.contains("head_dim")) s.head_dim = o.at("head_dim").as_int64();
  if (o.contains("family")) s.family = o.at("family").as_string().c_str();
  if (o.contains("rope_theta")) s.rope_theta = o.at("rope_theta").to_number<double>();
  s.tie_embeddings = !o.contains("tie_embeddings");
  const Shape shape = shape_from_scratch(s, kVocab);
  NaiveParameters<double> p;
  for (const auto& [name, value] : m.values()) p[name].assign(value.begin(), value.end());
  const NaiveDecoder<double> naive(shape, p);
  const TestBatch b = TestBatch::random(1, 1, 4, 30, kVocab);
  const std::vector<float> logits = m.logits(b.raw());
  const auto hidden = naive.hidden({b.ids[0].begin(), b.ids[0].end()});
  for (uint64_t t = 0; t < b.tokens(); ++t) {
    const auto row = naive.logits(hidden[t]);
    for (uint64_t j = 0; j < kVocab; ++j) ASSERT_NEAR(logits[t * kVocab + j], row[j], 1e-5) << t << ", " << j;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Decode, ::testing::Values(kLlama, kQwen2, kQwen3));

TEST(Session, APromptMayComeInPieces) {
  TestModel m(kVocab, kLlama);
  const uint64_t session = m.model().session_open(nullptr, 2, kMaxLen);
  const Draw whole = decode(m, session, Append().add(0, {1, 2, 3, 4, 5, 6}), sampling(1), {4});
  m.model().decode(nullptr, session, Append().add(1, {1, 2}).raw(), nullptr, nullptr, nullptr, nullptr);
  m.model().decode(nullptr, session, Append().add(1, {3, 4, 5}).raw(), nullptr, nullptr, nullptr, nullptr);
  const Draw pieces = decode(m, session, Append().add(1, {6}), sampling(1), {4});
  EXPECT_EQ(whole.token, pieces.token);
  EXPECT_EQ(whole.logprob, pieces.logprob);
}

TEST(Session, AForkGoesOnAsItsSource) {
  TestModel m(kVocab, kQwen3, 2);
  const uint64_t session = m.model().session_open(nullptr, 5, kMaxLen);
  m.model().decode(nullptr, session, Append().add(2, {1, 2, 3, 4, 5}).raw(), nullptr, nullptr, nullptr,
                   nullptr);
  const std::vector<uint64_t> to{0, 4, 2};
  m.model().session_fork(nullptr, session, 2, 3, to);
  const Draw d = decode(m, session, Append().add(0, {9}).add(2, {9}).add(4, {9}), sampling(1), {7, 7, 7});
  const Draw straight = decode(m, session, Append().add(1, {1, 2, 3, 9}), sampling(1), {7});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(d.token[i], straight.token[0]);
    EXPECT_EQ(d.logprob[i], straight.logprob[0]);
  }
}

TEST(Session, SlotsAreReused) {
  TestModel m(kVocab, kLlama);
  const uint64_t session = m.model().session_open(nullptr, 1, kMaxLen);
  const Draw first = decode(m, session, Append().add(0, {1, 2, 3}), sampling(1), {0});
  const std::vector<uint64_t> zero{0};
  m.model().session_fork(nullptr, session, 0, 0, zero);
  decode(m, session, Append().add(0, {5, 6}), sampling(1), {0});
  m.model().session_fork(nullptr, session, 0, 0, zero);
  EXPECT_EQ(decode(m, session, Append().add(0, {1, 2, 3}), sampling(1), {0}).logprob, first.logprob);
}

TEST(Session, DrawsFollowTheDistribution) {
  TestModel m(kVocab, kLlama);
  constexpr uint64_t kDraws = 4000;
  const uint64_t session = m.model().session_open(nullptr, kDraws, 16);
  Append a;
  std::vector<uint64_t> samples(kDraws);
  for (uint64_t i = 0; i < kDraws; ++i) a.add(i, {3, 1, 4}), samples[i] = i;
  const Draw d = decode(m, session, a, sampling(1), samples);
  std::vector<double> seen(kVocab), p(kVocab);
  for (uint64_t i = 0; i < kDraws; ++i)
    seen[static_cast<size_t>(d.token[i])] += 1.0 / kDraws,
        p[static_cast<size_t>(d.token[i])] = std::exp(d.logprob[i]);
  for (uint64_t j = 0; j < kVocab; ++j) EXPECT_NEAR(seen[j], p[j], 5 * std::sqrt(p[j] / kDraws) + 2e-3);
}

TEST(Session, FiltersDoNotChangeTheReportedProbability) {
  TestModel m(kVocab, kLlama);
  const uint64_t session = m.model().session_open(nullptr, 2, kMaxLen);
  tenon_sampling filtered = sampling(1);
  filtered.top_k = 1;
  const Draw top = decode(m, session, Append().add(0, {1, 2, 3}), filtered, {3});
  const Draw greedy = decode(m, session, Append().add(1, {1, 2, 3}), sampling(0), {3});
  EXPECT_EQ(top.token, greedy.token);
  EXPECT_EQ(top.logprob, greedy.logprob);
}

TEST(Session, EndsWithItsParameters) {
  TestModel m(kVocab, kLlama);
  const uint64_t session = m.model().session_open(nullptr, 1, kMaxLen);
  decode(m, session, Append().add(0, {1, 2, 3}), sampling(1), {0});
  m.model().params_updated(nullptr, 1);
  EXPECT_THAT(message_of([&] { decode(m, session, Append().add(0, {1}), sampling(1), {0}); }),
              HasSubstr("empty it first"));
  const std::vector<uint64_t> zero{0};
  m.model().session_fork(nullptr, session, 0, 0, zero);
  decode(m, session, Append().add(0, {1, 2, 3}), sampling(1), {0});
}

TEST(Session, NamesWhatIsWrong) {
  TestModel m(kVocab, kLlama);
  const uint64_t session = m.model().session_open(nullptr, 2, 4);
  auto message = [&](const Append& a) {
    return message_of(
        [&] { m.model().decode(nullptr, session, a.raw(), nullptr, nullptr, nullptr, nullptr); });
  };
  EXPECT_THAT(message(Append().add(2, {1})), HasSubstr("slot 2: the session has slots 0 to 1"));
  EXPECT_THAT(message(Append().add(0, {1}).add(0, {2})), HasSubstr("slot 0 is appended to twice"));
  EXPECT_THAT(message(Append().add(0, {37})), HasSubstr("id 37 is not in the vocabulary, 0 to 36"));
  EXPECT_THAT(message(Append().add(0, {1, 2, 3, 4, 5})), HasSubstr("5 more exceed the session's 4"));
  EXPECT_THAT(message(Append().add(0, {})), HasSubstr("nothing to append"));
  const std::vector<uint64_t> one{1};
  EXPECT_THAT(message_of([&] { m.model().session_fork(nullptr, session, 0, 3, one); }),
              HasSubstr("slot 0 holds 0 tokens"));
  EXPECT_THAT(message_of([&] { m.model().session_open(nullptr, 1, 65); }), HasSubstr("max_len = 64"));
  m.model().session_close(session);
  EXPECT_THAT(message(Append().add(0, {1})), HasSubstr("is not open"));
}

}  // namespace
}  // namespace tenon::transformer
