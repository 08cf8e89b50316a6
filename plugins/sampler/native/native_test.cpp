// The sampler against the naive one, which completes one sequence at a time.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_components.h"

namespace tenon::test {
namespace {

using ::testing::HasSubstr;

// Prompts of lengths 5, 1, 9 and 2, each for `per_group` samples.
struct Request {
  explicit Request(uint64_t per_group, float temperature = 1.0f)
      : sampling{sizeof(tenon_sampling), temperature, 0, 0, 0, 0, 77} {
    std::vector<std::vector<int32_t>> texts = {{3, 1, 4, 1, 5}, {7}, {2, 7, 1, 8, 2, 8, 1, 8, 2}, {9, 9}};
    for (uint64_t g = 0; g < texts.size(); ++g)
      for (uint64_t k = 0; k < per_group; ++k)
        prompts.push(texts[g]), group.push_back(100 + g), id.push_back(1000 + id.size());
  }
  tenon_generate_in raw() const {
    return {sizeof(tenon_generate_in),
            0,
            prompts.size(),
            prompts.raw(),
            id.data(),
            group.data(),
            &sampling,
            max_new,
            &stop,
            1};
  }
  Ragged<int32_t> prompts;
  std::vector<uint64_t> group, id;
  tenon_sampling sampling;
  uint64_t max_new = 12;
  int32_t stop = 0;
};

std::vector<Completion> sample(const tenon_ref& sampler, HashModel& model, const Request& request) {
  tenon_call call = cpu_call();
  tenon_generate_in in = request.raw();
  return Sampler(sampler).generate(&call, Model(model.ref()), in, [](uint64_t, const tenon::Completion&) {});
}

void expect_equal(const std::vector<Completion>& a, const std::vector<Completion>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].ids, b[i].ids) << i;
    EXPECT_EQ(a[i].logprobs, b[i].logprobs) << i;
    EXPECT_EQ(a[i].finish, b[i].finish) << i;
  }
}

struct Native {
  explicit Native(const std::string& options = "{}")
      : host(plugin_component(), options), instance(plugin_component(), host), model(host, 12, 64) {}
  FakeHost host;
  Instance instance;
  HashModel model;
};

TEST(NativeSampler, EqualsTheNaiveSamplerForAnyNumberOfSlots) {
  NaiveSampler naive;
  for (float temperature : {1.0f, 0.6f, 0.0f}) {
    Request request(5, temperature);
    Native reference;
    std::vector<Completion> expected = sample(naive.ref(), reference.model, request);
    for (const char* options :
         {R"({"slots":1})", R"({"slots":3})", R"({"slots":7})", R"({"slots":64})", R"({"slots":0})"}) {
      SCOPED_TRACE(options);
      Native native(options);
      expect_equal(sample(native.instance.ref(), native.model, request), expected);
    }
  }
}

TEST(NativeSampler, OrderAndCompanyDoNotMatter) {
  Native native(R"({"slots":4})");
  Request request(3);
  std::vector<Completion> all = sample(native.instance.ref(), native.model, request);
  for (uint64_t i = request.id.size(); i-- > 0;) {
    Request alone(0);
    alone.prompts.push(request.prompts[i]);
    alone.group = {5};
    alone.id = {request.id[i]};
    expect_equal(sample(native.instance.ref(), native.model, alone), {all[i]});
  }
}

TEST(NativeSampler, ComputesThePromptOncePerGroup) {
  for (const char* options : {R"({"slots":1})", R"({"slots":3})", R"({"slots":64})"}) {
    SCOPED_TRACE(options);
    Native native(options);
    Request request(6);
    std::vector<Completion> done = sample(native.instance.ref(), native.model, request);
    uint64_t drawn = 0;
    for (const Completion& c : done) drawn += c.ids.size();
    // Each drawn token needs one token appended; beyond that, prompts of 5, 1, 9 and 2 tokens less their last one, once.
    EXPECT_EQ(native.model.counts.appended, drawn + 4 + 0 + 8 + 1);
  }
}

TEST(NativeSampler, UsesTheSlotsItHasAndNoMore) {
  Native native(R"({"slots":5})");
  sample(native.instance.ref(), native.model, Request(6));
  EXPECT_EQ(native.model.counts.widest, 5u);
}

TEST(NativeSampler, StopsAtStopIdsAndAtTheLimits) {
  Native native;
  Request request(64);
  request.max_new = 6;
  bool stopped = false, cut = false;
  for (const Completion& c : sample(native.instance.ref(), native.model, request)) {
    ASSERT_FALSE(c.ids.empty());
    ASSERT_EQ(c.ids.size(), c.logprobs.size());
    EXPECT_EQ(c.finish == TENON_FINISH_STOP, c.ids.back() == 0);
    for (size_t t = 0; t + 1 < c.ids.size(); ++t) EXPECT_NE(c.ids[t], 0);
    EXPECT_EQ(c.finish == TENON_FINISH_LENGTH, c.ids.size() == 6 && c.ids.back() != 0);
    stopped = stopped || c.finish == TENON_FINISH_STOP;
    cut = cut || c.finish == TENON_FINISH_LENGTH;
  }
  EXPECT_TRUE(stopped && cut);
}

TEST(NativeSampler, GoesOnPastStopIdsWhenToldTo) {
  Native native(R"({"ignore_stop":true})");
  Request request(64);
  request.max_new = 6;
  bool passed = false;
  for (const Completion& c : sample(native.instance.ref(), native.model, request)) {
    EXPECT_EQ(c.ids.size(), 6u);
    EXPECT_EQ(c.finish, TENON_FINISH_LENGTH);
    passed = passed || c.ids.front() == 0;
  }
  EXPECT_TRUE(passed);
}

TEST(NativeSampler, TheContextBoundsTheCompletion) {
  FakeHost host(plugin_component());
  Instance native(plugin_component(), host);
  HashModel model(host, 12, 10);
  Request request(20);
  request.max_new = 1000;
  for (const Completion& c : sample(native.ref(), model, request)) EXPECT_LE(c.ids.size(), 9u);
  NaiveSampler naive;
  expect_equal(sample(native.ref(), model, request), sample(naive.ref(), model, request));
}

std::string refusal(Native& native, const Request& request) {
  try {
    sample(native.instance.ref(), native.model, request);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), TENON_E_INVALID);
    return e.what();
  }
  return "nothing was refused";
}

TEST(NativeSampler, RefusesPromptsThatDoNotFit) {
  Native native;
  Request request(1);
  request.prompts.push(std::vector<int32_t>(64, 3));
  request.group.push_back(9), request.id.push_back(4321);
  std::string text = refusal(native, request);
  EXPECT_THAT(text, HasSubstr("prompt 4 (sample 4321) has 64 tokens"));
  EXPECT_THAT(text, HasSubstr("max_len = 64"));

  Request empty(1);
  empty.prompts.push(std::vector<int32_t>());
  empty.group.push_back(9), empty.id.push_back(1);
  EXPECT_THAT(refusal(native, empty), HasSubstr("is empty"));

  Request mixed(1);
  mixed.group[1] = mixed.group[0];
  EXPECT_THAT(refusal(native, mixed), HasSubstr("same group id 100"));
}

TEST(NativeSampler, KeepsTheSessionFromCallToCall) {
  Native native;
  for (int k = 0; k < 3; ++k) sample(native.instance.ref(), native.model, Request(4));
  EXPECT_EQ(native.model.counts.open, 1u);
  Request longer(4);
  longer.max_new = 60;
  sample(native.instance.ref(), native.model, longer);
  EXPECT_EQ(native.model.open_sessions(), 1u);
  HashModel other(native.host, 12, 64, 2);
  std::vector<Completion> mine = sample(native.instance.ref(), other, Request(4));
  NaiveSampler naive;
  expect_equal(mine, sample(naive.ref(), other, Request(4)));
}

TEST(NativeSampler, ClosesTheSessionWhenTheModelChanges) {
  Native native;
  HashModel other(native.host, 12, 64, 2);
  sample(native.instance.ref(), native.model, Request(4));
  ASSERT_EQ(native.model.open_sessions(), 1u);
  sample(native.instance.ref(), other, Request(4));
  EXPECT_EQ(native.model.open_sessions(), 0u);
  EXPECT_EQ(native.model.counts.close, 1u);
  EXPECT_EQ(other.open_sessions(), 1u);
  sample(native.instance.ref(), native.model, Request(4));
  EXPECT_EQ(other.open_sessions(), 0u);
  EXPECT_EQ(native.model.open_sessions(), 1u);
}

TEST(NativeSampler, IsCancelledBetweenTwoTokens) {
  Native native;
  int asked = 0;
  native.host.cancelled = [&] { return ++asked == 3; };
  try {
    sample(native.instance.ref(), native.model, Request(2));
    FAIL() << "not cancelled";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), TENON_E_CANCELLED);
  }
  EXPECT_EQ(asked, 3);
  // The next call starts from whatever is in the slots.
  native.host.cancelled = [] { return false; };
  NaiveSampler naive;
  expect_equal(sample(native.instance.ref(), native.model, Request(2)),
               sample(naive.ref(), native.model, Request(2)));
}

}  // namespace
}  // namespace tenon::test
