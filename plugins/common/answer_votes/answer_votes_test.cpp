// Which answers are one: by number, text and mathematics.
// SPDX-License-Identifier: Apache-2.0
#include "answer_votes/answer_votes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tenon/reward.hpp"
#include "tenon/testing.hpp"

namespace tenon::answer_votes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
constexpr auto kNone = std::nullopt;
using Vote = std::optional<size_t>;

constexpr OptionTable kOptions{object("vote", kVoteChildren, "Votes.")};

struct Nothing {
  explicit Nothing(Host) {}
  static void check(Host host, Findings& findings) { check_vote(host, "vote", findings); }
  double operator()(const Sample&) { return 0; }
};
constexpr tenon_component kComponent =
    component<Nothing, RewardShim<Nothing>>("nothing", "0", "Nothing.", kOptions);

Ballot count(const std::string& vote, const std::vector<std::string_view>& completions,
             std::string_view prompt = "") {
  tenon::testing::TestHost host(&kComponent, {{"vote", vote}});
  return Voting(Host(host.raw()), "vote").count(prompt, completions);
}

TEST(AnswerVotes, NumbersAreExact) {
  const Ballot b =
      count(R"({"by": "number"})", {"so 1,000.", "it is $1000.00", "nothing", "1000.001", "2 or 3", "= 3.0"});
  EXPECT_THAT(b.votes, ElementsAre(Vote(0), Vote(0), kNone, Vote(1), Vote(2), Vote(2)));
  EXPECT_THAT(b.answers, ElementsAre("1,000", "1000.001", "3"));
}

TEST(AnswerVotes, TextsAreWhatIsWritten) {
  const std::vector<std::string_view> texts{"\\boxed{B}", "\\boxed{b}", "\\boxed{ B }", "B"};
  EXPECT_THAT(count(R"({"by": "text", "extract": "boxed"})", texts).votes,
              ElementsAre(Vote(0), Vote(1), Vote(0), kNone));
  EXPECT_THAT(count(R"({"by": "text", "extract": "boxed", "ignore_case": true})", texts).votes,
              ElementsAre(Vote(0), Vote(0), Vote(0), kNone));
}

TEST(AnswerVotes, MathematicsSeesTheSameInOtherForms) {
  const Ballot b = count("{}", {"so \\boxed{\\frac{1}{2}}", "The answer is 0.5.", "\\boxed{x^2-1}",
                                "\\boxed{(x-1)(x+1)}", "<think>let me see", "\\boxed{2}"});
  EXPECT_THAT(b.votes, ElementsAre(Vote(0), Vote(0), Vote(1), Vote(1), kNone, Vote(2)));
}

TEST(AnswerVotes, ThoughtsDoNotVote) {
  const std::vector<std::string_view> texts{"<think>4</think>5", "<think>4", "5"};
  for (const char* by : {"number", "math"}) {
    const std::string vote = std::string("{\"by\": \"") + by + "\"";
    EXPECT_THAT(count(vote + "}", texts).votes, ElementsAre(Vote(0), kNone, Vote(0))) << by;
    EXPECT_THAT(count(vote + ", \"region\": \"whole\"}", texts).votes, ElementsAre(Vote(0), Vote(1), Vote(0)))
        << by;
  }
  EXPECT_THAT(count(R"({"by": "number"})", {"4 </think> 5"}, "<think>").answers, ElementsAre("5"));
}

TEST(AnswerVotes, OptionsThatSayNothingAndPoliciesThatAreNoneAreFound) {
  const auto findings = [](const std::string& vote) {
    tenon::testing::TestHost host(&kComponent, {{"vote", vote}});
    return tenon::testing::findings_of(&kComponent, host);
  };
  EXPECT_THAT(findings(R"({"by": "number", "extract": "after-tag", "tag": "="})"), ElementsAre());
  EXPECT_THAT(findings(R"({"policies": ["extract=boxed"]})"), ElementsAre());
  EXPECT_THAT(findings(R"({"policies": ["extract=box"]})"),
              ElementsAre(HasSubstr("vote.policies.0: \"extract=box\" is no option")));
  EXPECT_THAT(findings(R"({"extract": "boxed"})"),
              ElementsAre(HasSubstr("vote.extract: by: math looks where")));
  EXPECT_THAT(findings(R"({"by": "text", "policies": ["extract=boxed"]})"),
              ElementsAre(HasSubstr("vote.policies: only by: math")));
}

}  // namespace
}  // namespace tenon::answer_votes
