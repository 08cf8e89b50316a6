// Whole runs with a model behind a server, as teacher, as judge and to reword questions: killed in the middle they go on with the same files, and no answer is paid for twice.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>

#include "http/testing/server.h"
#include "small_run.h"

namespace tenon::runs {
namespace {

using http::testing::Answer;
using http::testing::Seen;
using ::testing::HasSubstr;

// Answers sums as a reasoning model does, and judges: the longer text is better, but for a point more for what stands first.
class Oracle {
 public:
  Oracle() : server_([this](const Seen& seen) { return answer(seen); }) {}
  std::string url() const { return server_.url("/v1"); }
  int asked() const { return asked_; }
  int repeated() const { return repeated_; }

 private:
  static std::string part(const std::string& question, const std::string& name) {
    const size_t label = question.find("----- " + name), begin = question.find('\n', label) + 1;
    return question.substr(begin, question.find("\n----- ", begin) - begin);
  }
  static std::string verdict(const std::string& question) {
    const auto score = [&](const char* name) { return 1 + std::min<size_t>(8, part(question, name).size()); };
    const std::string key = "\"mark\": \"";
    const size_t mark = question.rfind(key) + key.size();
    return "{\"A\": " + std::to_string(score("RESPONSE A") + 1) +
           ", \"B\": " + std::to_string(score("RESPONSE B")) + ", " + key +
           question.substr(mark, question.find('"', mark) - mark) + "\"}";
  }
  // "1+2-3=" by hand.
  static std::string sum(const std::string& question) {
    long total = 0;
    const char* at = question.c_str();
    for (char* end = nullptr; *at != '\0' && *at != '='; at = end) {
      const long term = std::strtol(at, &end, 10);
      if (end == at) break;
      total += term;
    }
    return std::to_string(total);
  }
  Answer answer(const Seen& seen) {
    if (seen.method == "GET") return {200, R"({"data": []})", {}};
    {
      const std::lock_guard lock(mutex_);
      ++asked_;
      if (!bodies_.insert(seen.body).second) ++repeated_;
    }
    const std::string question(boost::json::parse(seen.body).at("messages").at(0).at("content").as_string());
    boost::json::object message;
    if (question.find("RESPONSE A") != std::string::npos) {
      message["content"] = verdict(question);
    } else if (question.starts_with("Reword: ")) {
      message["reasoning_content"] = "Hm.";
      message["content"] = " 0+" + question.substr(8) + "\n";
    } else {
      message["reasoning_content"] = question.substr(0, question.size() - 1);
      message["content"] = sum(question);
    }
    Answer out{200,
               boost::json::serialize(
                   boost::json::object{{"choices", boost::json::array{boost::json::object{
                                                       {"message", message}, {"finish_reason", "stop"}}}}}),
               {}};
    out.delay = 0.002;
    return out;
  }

  std::mutex mutex_;
  std::set<std::string> bodies_;
  std::atomic<int> asked_{0}, repeated_{0};
  http::testing::Server server_;
};

class Servers : public InAFolder {
 protected:
  void write(const std::string& name, const std::string& runs, const Oracle& oracle) const {
    std::ofstream(dir_ / name) << "run: {name: x, runs: " << runs << R"(, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
  letters: {use: char, alphabet: "0123456789+-=<>,/think", eos: "$"}
  policy: {use: transformer, layers: 1, width: 16, heads: 2, max_len: 64, tokenizer: letters}
  adamw: {use: adamw, learning_rate: 0.01}
pipeline:
  - {name: base, use: pretrain, model: policy, data: sums, steps: 5, batch: 8, optimizer: adamw}
  - {name: traces, use: rejection-sample, data: {of: sums, split: train}, problems: 20, prompts: 4, samples: 2, checkpoint_every: 1,
     server: {url: ")" << oracle.url()
                               << R"(", model: teacher, concurrency: 2}}
  - {name: student, use: sft, from: base, data: traces.kept, epochs: 1, batch: 8, optimizer: adamw}
  - {name: reworded, use: rejection-sample, data: {of: sums, split: train}, problems: 10, samples: 2, keep: 0, template: "Reword: {question}", into: prompt,
     server: {url: ")" << oracle.url()
                               << R"(", model: teacher, concurrency: 2}}
  - {name: varied, use: sft, from: student, data: reworded.kept, steps: 2, batch: 4, optimizer: adamw}
  - {name: left, use: rejection-sample, from: base, template: "0+{question}", data: sums, problems: 12, samples: 2, keep: 0, max_new_tokens: 16, record_rejected: true}
  - {name: right, use: rejection-sample, from: student, data: sums, problems: 12, samples: 2, keep: 0, max_new_tokens: 16, record_rejected: true}
  - {name: preferred, use: judge-pairs, data: [left.kept, left.rejected, right.kept, right.rejected], prompts: 2, pairs: 2, rounds: 1, region: whole, checkpoint_every: 1,
     server: {url: ")" << oracle.url()
                               << R"(", model: judge, concurrency: 2}}
  - {name: liked, use: preference, from: student, data: preferred.pairs, algorithm: {use: dpo}, steps: 3, batch: 4, optimizer: adamw}
)";
  }
  // The file of a stage's folder.
  std::string file(const std::string& runs, const std::string& stage, const std::string& name) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / runs / "x/stages"))
      if (entry.path().filename().string().starts_with(stage + "-")) return read(entry.path() / name);
    return "";
  }
};

TEST_F(Servers, TeachAndJudgeAndArePaidOnce) {
  Oracle oracle;
  write("whole.yaml", "whole", oracle);
  ASSERT_EQ(tenon("run whole.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");
  EXPECT_EQ(oracle.repeated(), 0);
  const std::string traces = file("whole", "traces", "rows/kept.jsonl");
  EXPECT_EQ(std::count(traces.begin(), traces.end(), '\n'), 20);
  EXPECT_THAT(traces, HasSubstr(R"("completion":"<think>)"));
  EXPECT_THAT(traces, HasSubstr(R"("provenance":{"model":"teacher")"));
  const std::string reworded = file("whole", "reworded", "rows/kept.jsonl");
  EXPECT_EQ(std::count(reworded.begin(), reworded.end(), '\n'), 10) << "both samples are the same";
  EXPECT_THAT(reworded, ::testing::StartsWith(R"({"prompt":"0+)"));
  EXPECT_THAT(reworded, HasSubstr(R"("answer":)"));
  const std::string pairs = file("whole", "preferred", "rows/pairs.jsonl");
  EXPECT_THAT(pairs, HasSubstr(R"("rejected":)"));
  EXPECT_THAT(pairs, HasSubstr(R"("judge":"judge")"));
  const auto table = boost::json::parse(read(dir_ / "whole/x/eval.json")).at("preferred").as_object();
  for (const char* model : {"base", "student"}) {
    const auto& rating = table.at(model).at("judge").as_object();
    EXPECT_LE(rating.at("elo_low").to_number<double>(), rating.at("elo").to_number<double>());
    EXPECT_GT(rating.at("games").to_number<double>(), 3);
  }

  Oracle second;
  write("killed.yaml", "killed", second);
  // In the middle of the teacher's answers, then of the judge's.
  for (const auto& [stage, lines] : {std::pair("traces", 15), std::pair("preferred", 25)}) {
    const std::string condition = "test $(cat killed/x/stages/" + std::string(stage) +
                                  "-*/artifacts/kept/answers.jsonl | wc -l) -ge " + std::to_string(lines);
    EXPECT_NE(tenon_until("KILL", condition, "run killed.yaml", "killed.txt"), 0)
        << read(dir_ / "killed.txt");
  }
  ASSERT_EQ(tenon("run killed.yaml", "resumed.txt"), 0) << read(dir_ / "resumed.txt");
  for (const char* name : {"metrics.jsonl", "samples.jsonl", "eval.json"})
    EXPECT_EQ(read(dir_ / "whole/x" / name), read(dir_ / "killed/x" / name)) << name;
  EXPECT_EQ(file("killed", "traces", "rows/kept.jsonl"), traces);
  EXPECT_EQ(file("killed", "preferred", "rows/pairs.jsonl"), pairs);
  // Of what was on its way when a run was killed, two questions at a time, the answers are lost.
  EXPECT_LE(second.repeated(), 4);
  EXPECT_LE(second.asked(), oracle.asked() + 4);
}

TEST_F(Servers, AreEvaluatedAndPaidOnceAlsoWhereTheFirstStepWasCutOff) {
  const auto evaluation = [&](const std::string& runs, const Oracle& oracle) {
    std::ofstream(dir_ / (runs + ".yaml")) << "run: {name: x, runs: " << runs << R"(, seed: 5}
components:
  sums: {use: running-sum, operands: 3, step_by_step: 0}
pipeline:
  - {name: exam, use: evaluate, data: sums, rewards: [{use: answer, extract: last-number}], problems: 40, samples: 2, pass_at: [1, 2], all_samples: true,
     price: {input: 1, output: 1}, server: {url: ")"
                                           << oracle.url() << R"(", model: teacher, concurrency: 2}}
)";
  };
  Oracle first, second;
  evaluation("whole", first), evaluation("killed", second);
  ASSERT_EQ(tenon("run whole.yaml", "whole.txt"), 0) << read(dir_ / "whole.txt");
  EXPECT_EQ(first.asked(), 80);
  const auto row = boost::json::parse(read(dir_ / "whole/x/eval.json")).at("exam").at("teacher").at("sums");
  EXPECT_EQ(row.at("accuracy"), 1);
  EXPECT_TRUE(row.at("length").is_null() && row.at("cost").is_null()) << "the server counts no tokens";
  EXPECT_THAT(read(dir_ / "whole.txt"), HasSubstr("have no `usage`"));
  for (const int lines : {20, 70})  // in the first step, of 64, and in the second
    EXPECT_NE(tenon_until("KILL",
                          "test $(cat killed/x/stages/exam-*/artifacts/kept/answers.jsonl | wc -l) -ge " +
                              std::to_string(lines),
                          "run killed.yaml", "killed.txt"),
              0)
        << read(dir_ / "killed.txt");
  ASSERT_EQ(tenon("run killed.yaml", "killed.txt"), 0) << read(dir_ / "killed.txt");
  for (const char* name : {"metrics.jsonl", "samples.jsonl", "eval.json"})
    EXPECT_EQ(read(dir_ / "whole/x" / name), read(dir_ / "killed/x" / name)) << name;
  EXPECT_LE(second.asked(), 84) << "two are on their way when it is killed";
}

}  // namespace
}  // namespace tenon::runs
