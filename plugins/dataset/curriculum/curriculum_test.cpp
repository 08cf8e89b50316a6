// Tests of the data set curriculum: rows open as the schedule says, are drawn as pass rates say, and go on after a resume as if nothing had happened.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "support/fake_components.h"
#include "weight_tree.h"

namespace tenon::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Rows whose prompts are the longer, the larger their index.
std::vector<Row> graded(uint64_t n) {
  static const char* const kLevels[] = {"primary", "middle", "high"};
  std::vector<Row> rows;
  for (uint64_t i = 0; i < n; ++i) {
    const std::string meta =
        "{\"hard\":" + std::to_string((i * 7) % n) + ",\"level\":\"" + kLevels[i % 3] + "\"}";
    rows.push_back({std::string(i + 1, 'x'), "", "", meta, "f.jsonl:" + std::to_string(i + 1)});
  }
  return rows;
}

struct Lab {
  explicit Lab(const std::string& options, uint64_t n = 100, uint64_t seed = 7)
      : data(graded(n)), host(plugin_component(), options) {
    host.set_seed(seed);
    host.slot("data", data.ref("graded"));
    instance.emplace(plugin_component(), host);
    table = static_cast<const tenon_curriculum*>(
        plugin_component().life->extension(instance->self(), TENON_EXT_CURRICULUM));
  }
  std::vector<uint64_t> choose(uint64_t n) const {
    std::vector<uint64_t> index(n);
    ErrorBuffer err;
    const tenon_call call = cpu_call();
    err.check(table->choose(instance->self(), &call, n, index.data(), err));
    return index;
  }
  void tell(const std::vector<uint64_t>& index, const std::vector<double>& mean, uint64_t valid = 4) const {
    const std::vector<uint64_t> n_valid(index.size(), valid);
    ErrorBuffer err;
    const tenon_call call = cpu_call();
    err.check(table->outcome(instance->self(), &call, index.size(), index.data(), mean.data(), n_valid.data(),
                             err));
  }
  // How often each row comes when so many are drawn one by one.
  std::map<uint64_t, double> shares(uint64_t draws) const {
    std::map<uint64_t, double> out;
    for (uint64_t i = 0; i < draws; ++i) out[choose(1)[0]] += 1.0 / static_cast<double>(draws);
    return out;
  }
  void load(const std::string& state) const {
    tenon_reader reader{};
    reader.struct_size = sizeof reader;
    std::pair<const std::string*, size_t> at{&state, 0};
    reader.ctx = &at;
    reader.read = [](void* ctx, void* to, uint64_t n) -> int64_t {
      auto& [text, used] = *static_cast<std::pair<const std::string*, size_t>*>(ctx);
      const size_t got = std::min<size_t>(n, text->size() - used);
      std::memcpy(to, text->data() + used, got);
      used += got;
      return static_cast<int64_t>(got);
    };
    ErrorBuffer err;
    err.check(plugin_component().life->load(instance->self(), &reader, 1, err));
  }

  RowSet data;
  FakeHost host;
  std::optional<Instance> instance;
  const tenon_curriculum* table = nullptr;
};

// Of two rows out of ten, all open, each of the 45 pairs is as likely: what is drawn after a row that is taken leans to no neighbour of it.
TEST(Curriculum, RowsOfABatchAreDrawnEvenlyFromThoseLeft) {
  const Lab lab(R"({"data": "graded", "by": "length", "start": 1, "full_after": 1})", 10);
  constexpr int kBatches = 9000;
  std::map<std::set<uint64_t>, int> pairs;
  for (int k = 0; k < kBatches; ++k) {
    const std::vector<uint64_t> two = lab.choose(2);
    ++pairs[{two[0], two[1]}];
  }
  ASSERT_EQ(pairs.size(), 45u);
  const double expected = kBatches / 45.0;
  double chi2 = 0;
  for (const auto& [pair, n] : pairs) chi2 += (n - expected) * (n - expected) / expected;
  EXPECT_LT(chi2, 44 + 5 * std::sqrt(2 * 44.0)) << "44 degrees of freedom";
  const std::vector<uint64_t> all = lab.choose(10);
  EXPECT_EQ(std::set<uint64_t>(all.begin(), all.end()).size(), 10u);
}

std::string error_of(const std::string& options, uint64_t n = 10) {
  try {
    Lab lab(options, n);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(WeightTree, IsWhatAddingUpIs) {
  std::mt19937_64 random(3);
  for (uint64_t n : {1, 2, 7, 64, 100}) {
    curriculum::WeightTree tree(n);
    std::vector<uint32_t> weights(n);
    for (int k = 0; k < 300; ++k) {
      const uint64_t row = random() % n;
      tree.set(row, weights[row] = random() % 3 == 0 ? 0 : static_cast<uint32_t>(random() % 1000));
      uint64_t total = 0;
      for (uint32_t w : weights) total += w;
      ASSERT_EQ(tree.total(), total);
      if (total == 0) continue;
      const uint64_t at = random() % total;
      uint64_t expected = 0;
      for (uint64_t sum = weights[0]; sum <= at; sum += weights[expected]) ++expected;
      ASSERT_EQ(tree.find(at), expected);
    }
  }
}

TEST(Curriculum, RowsAreThoseOfTheDataSet) {
  const Lab lab(R"({"data": "graded", "by": "pass_rate"})");
  const Dataset data(lab.instance->ref());
  EXPECT_EQ(data.count(), 100u);
  EXPECT_TRUE(data.is_curriculum());
  const Row row = data.read(nullptr, 17, 1)[0];
  EXPECT_EQ(row.prompt.size(), 18u);
  EXPECT_EQ(row.source, "f.jsonl:18");
}

TEST(Curriculum, ShortRowsComeFirstAndAllInTheEnd) {
  const Lab lab(R"({"data": "graded", "by": "length", "start": 0.1, "full_after": 1000})");
  for (uint64_t t = 0; t < 1500; t += 4) {
    const double open =
        std::min(100.0, std::ceil(100 * std::min(1.0, static_cast<double>(t + 3) * 0.9 / 1000 + 0.1)));
    for (const uint64_t row : lab.choose(4)) EXPECT_LT(static_cast<double>(row), open) << t;
    EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/open"), open / 100);
  }
  EXPECT_THAT(lab.shares(5000), SizeIs(100)) << "every row is drawn";
}

TEST(Curriculum, RootOpensEarlierThanLinear) {
  const Lab linear(R"({"data": "graded", "by": "length", "full_after": 1000})"),
      root(R"({"data": "graded", "by": "length", "full_after": 1000, "pacing": "root"})");
  linear.choose(505), root.choose(505);
  EXPECT_DOUBLE_EQ(linear.host.metrics.at("curriculum/open"), 0.56);  // 0.1 + 0.9 · 0.504, up
  EXPECT_DOUBLE_EQ(root.host.metrics.at("curriculum/open"), 0.72);
}

TEST(Curriculum, ByAFieldOfNumbersOrLevels) {
  auto first = [](const std::string& options) {
    const Lab lab(R"({"data": "graded", "by": "field", "full_after": 1000000, )" + options + "}", 30);
    std::set<uint64_t> seen;
    for (int i = 0; i < 200; ++i) seen.insert(lab.choose(1)[0]);
    return seen;
  };
  for (const uint64_t row : first(R"("field": "hard")")) EXPECT_LT((row * 7) % 30, 4u);
  for (const uint64_t row : first(R"("field": "hard", "easy": "high")")) EXPECT_GT((row * 7) % 30, 25u);
  for (const uint64_t row : first(R"("field": "level", "levels": ["high", "middle", "primary"])"))
    EXPECT_EQ(row % 3, 2u);
  EXPECT_THAT(error_of(R"({"data": "graded", "by": "field", "field": "level", "full_after": 9})"),
              AllOf(HasSubstr("f.jsonl:1: "), HasSubstr("\"primary\", and not a number")));
  EXPECT_THAT(
      error_of(
          R"({"data": "graded", "by": "field", "field": "level", "levels": ["primary", "high"], "full_after": 9})"),
      AllOf(HasSubstr("f.jsonl:2: "), HasSubstr("\"middle\", which is none of `levels`")));
  EXPECT_THAT(error_of(R"({"data": "graded", "by": "field", "field": "none", "full_after": 9})"),
              HasSubstr("f.jsonl:1: the row has no field \"none\""));
}

TEST(Curriculum, PrioritizedIsInProportionToFailure) {
  const Lab lab(R"({"data": "graded", "by": "pass_rate", "floor": 0.01})", 5);
  lab.tell({0, 1, 2, 3}, {0, 0.5, 0.75, 1});
  const auto shares = lab.shares(20000);
  const double sum = 1 + 0.5 + 0.25 + 0.01 + 1;  // row 4 has not been seen
  for (const auto& [row, weight] :
       std::map<uint64_t, double>{{0, 1}, {1, 0.5}, {2, 0.25}, {3, 0.01}, {4, 1}}) {
    const double p = weight / sum;
    EXPECT_NEAR(shares.contains(row) ? shares.at(row) : 0, p, 4 * std::sqrt(p * (1 - p) / 20000)) << row;
  }
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pass_rate"), 2.25 / 4);
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/seen"), 0.8);
}

TEST(Curriculum, UncertainPrefersWhatIsSolvedHalfTheTime) {
  const Lab lab(R"({"data": "graded", "by": "pass_rate", "choose": "uncertain", "floor": 0.05})", 3);
  lab.tell({0, 1, 2}, {0.5, 0.9, 1});
  const auto shares = lab.shares(20000);
  const double sum = 1 + 0.36 + 0.05;
  EXPECT_NEAR(shares.at(0), 1 / sum, 0.015);
  EXPECT_NEAR(shares.at(1), 0.36 / sum, 0.015);
  EXPECT_NEAR(shares.at(2), 0.05 / sum, 0.01);
}

TEST(Curriculum, PoolsHaveTheirShares) {
  const Lab lab(R"({"data": "graded", "by": "pass_rate", "choose": "pools"})", 40);
  std::vector<uint64_t> index(30);
  std::vector<double> mean(30);
  for (uint64_t i = 0; i < 30; ++i) index[i] = i, mean[i] = i < 10 ? 0.25 : i < 15 ? 0.5 : 0.9;
  lab.tell(index, mean);
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pool/hard"), 0.25);
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pool/normal"), 0.125);
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pool/easy"), 0.375);
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pool/unseen"), 0.25);
  double hard = 0, normal = 0, easy = 0, unseen = 0;
  for (const auto& [row, share] : lab.shares(20000))
    (row < 10 ? hard : row < 15 ? normal : row < 30 ? easy : unseen) += share;
  EXPECT_NEAR(hard, 0.2 / 2.4, 0.01);
  EXPECT_NEAR(normal, 1 / 2.4, 0.015);
  EXPECT_NEAR(easy, 0.2 / 2.4, 0.01);
  EXPECT_NEAR(unseen, 1 / 2.4, 0.015);
}

TEST(Curriculum, APoolOfWeightZeroComesOnlyWhenNothingElseIsLeft) {
  const Lab lab(
      R"({"data": "graded", "by": "pass_rate", "choose": "pools", "unseen_weight": 0, "pools": [{"name": "a", "up_to": 1}]})",
      6);
  EXPECT_LT(lab.choose(1)[0], 6u) << "all are unseen";
  lab.tell({2, 4}, {0, 1});
  for (int i = 0; i < 50; ++i) EXPECT_THAT(lab.choose(2), ::testing::UnorderedElementsAre(2, 4));
  EXPECT_THAT(lab.choose(6), ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(Curriculum, NoRowTwiceInACallWhileThereAreOthers) {
  for (const char* by : {R"("by": "pass_rate")", R"("by": "pass_rate", "choose": "pools")",
                         R"("by": "length", "start": 1, "full_after": 10)"}) {
    const Lab lab(std::string(R"({"data": "graded", )") + by + "}", 12);
    for (int k = 0; k < 20; ++k) {
      const std::vector<uint64_t> rows = lab.choose(30);
      EXPECT_THAT(std::set<uint64_t>(rows.begin(), rows.begin() + 12), SizeIs(12)) << by;
      EXPECT_THAT(std::set<uint64_t>(rows.begin() + 12, rows.begin() + 24), SizeIs(12)) << by;
    }
  }
}

TEST(Curriculum, RecentRolloutsCountMore) {
  const Lab lab(R"({"data": "graded", "by": "pass_rate", "recent": 2})", 2);
  for (double mean : {0.0, 0.0, 1.0, 1.0}) lab.tell({0}, {mean});
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pass_rate"), 0.75);
  lab.tell({0}, {NAN}, 0);
  lab.tell({0}, {1.7});
  EXPECT_DOUBLE_EQ(lab.host.metrics.at("curriculum/pass_rate"), 0.875)
      << "no valid reward changes nothing, one beyond 1 is 1";
}

// The same rollouts, once in one go and once with the state saved and loaded into a new instance after every step.
TEST(Curriculum, GoesOnAfterAResume) {
  for (const char* options :
       {R"("by": "pass_rate")", R"("by": "pass_rate", "choose": "pools")",
        R"("by": "pass_rate", "choose": "uncertain")", R"("by": "length", "full_after": 200)"}) {
    const std::string all = std::string(R"({"data": "graded", )") + options + "}";
    const Lab whole(all);
    std::string state;
    for (int step = 0; step < 40; ++step) {
      const Lab part(all);
      if (step > 0) part.load(state);
      const std::vector<uint64_t> rows = whole.choose(8);
      ASSERT_EQ(part.choose(8), rows) << options << " step " << step;
      std::vector<double> mean;
      for (const uint64_t row : rows)
        mean.push_back(static_cast<double>((row * 13 + static_cast<uint64_t>(step)) % 9) / 8);
      whole.tell(rows, mean);
      part.tell(rows, mean);
      ASSERT_EQ(part.host.metrics, whole.host.metrics);
      state = part.instance->save();
      ASSERT_EQ(state, whole.instance->save());
    }
  }
}

TEST(Curriculum, TheSeedOfTheRunDecides) {
  const char* options = R"({"data": "graded", "by": "pass_rate"})";
  EXPECT_EQ(Lab(options).choose(20), Lab(options).choose(20));
  EXPECT_NE(Lab(options, 100, 8).choose(20), Lab(options).choose(20));
}

TEST(Curriculum, AStateOfOtherRowsIsRefused) {
  const std::string state = Lab(R"({"data": "graded", "by": "pass_rate"})", 5).instance->save();
  EXPECT_THROW(Lab(R"({"data": "graded", "by": "pass_rate"})", 6).load(state), Error);
  EXPECT_EQ(Dataset(Lab(R"({"data": "graded", "by": "pass_rate", "rows": 4})", 6).instance->ref()).count(),
            4u);
}

TEST(Curriculum, OptionsThatCannotBe) {
  auto findings = [](const std::string& options) {
    return check_findings(plugin_component(),
                          FakeHost(plugin_component(), R"({"data": "d", )" + options + "}"));
  };
  EXPECT_THAT(findings(R"("by": "length")"), ElementsAre(HasSubstr("by: needs full_after")));
  EXPECT_THAT(findings(R"("by": "field", "full_after": 3)"), ElementsAre(HasSubstr("by: needs `field`")));
  EXPECT_THAT(findings(R"("by": "pass_rate")"), IsEmpty());
  EXPECT_THAT(findings(R"("by": "pass_rate", "start": 0.5)"),
              ElementsAre(HasSubstr("start: by: pass_rate has no schedule")));
  EXPECT_THAT(findings(R"("by": "length", "full_after": 3, "recent": 2)"),
              ElementsAre(HasSubstr("recent: ")));
  EXPECT_THAT(findings(R"("by": "pass_rate", "unseen_weight": 2)"),
              ElementsAre(HasSubstr("unseen_weight: ")));
  const std::string pools = R"("by": "pass_rate", "choose": "pools", "pools": )";
  EXPECT_THAT(findings(pools + R"([{"name": "a", "up_to": 0.5}])"),
              ElementsAre(HasSubstr("the last pool is up to 1")));
  EXPECT_THAT(
      findings(
          pools +
          R"([{"name": "a", "up_to": 0.5}, {"name": "a", "up_to": 0.5}, {"name": "unseen", "up_to": 1}])"),
      ElementsAre(HasSubstr("pools.1.up_to: "), HasSubstr("pools.1.name: two"),
                  HasSubstr("pools.2.name: unseen")));
  EXPECT_THAT(findings(pools + R"([{"name": "a", "up_to": 1, "weight": 0}], "unseen_weight": 0)"),
              ElementsAre(HasSubstr("all weights are 0")));
}

}  // namespace
}  // namespace tenon::test
