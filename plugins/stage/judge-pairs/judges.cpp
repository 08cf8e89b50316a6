// Judges: a server's model, a model of this process, rewards.
// SPDX-License-Identifier: Apache-2.0
#include "judges.h"

#include <algorithm>
#include <map>

#include "judge_verdict/verdict.h"
#include "reward_support/think_tags.h"
#include "stage_support/provenance.h"
#include "utf8/utf8.h"

namespace tenon::judge_pairs {
namespace {

// The question as the judge reads it.
std::string conversation_of(const Row& row) {
  if (row.messages_json.empty()) return row.prompt;
  std::string out;
  for (const std::string_view message : json::elements(row.messages_json))
    out += (out.empty() ? "" : "\n\n") + json::text_field(message, "role").value_or("user") + ": " +
           json::text_field(message, "content").value_or("");
  return out;
}

// One question to a judge that is asked: which of a contest's two is better, `first` being A or not.
struct Put {
  size_t contest;
  bool is_first_a;
  uint64_t round;
  std::string prompt, mark, text;
  judge::Question question;
};

// What judges that are asked have in common: questions, verdicts.
class AskedJudge : public Judge {
 public:
  explicit AskedJudge(const Host& host)
      : host_(host),
        instructions_(host.str("instructions")),
        rounds_(static_cast<uint64_t>(host.i64("rounds"))),
        whole_(host.str("region") == "whole"),
        asking_{host.f64("temperature"), 0, host.i64("max_new_tokens")} {}

 protected:
  std::vector<Put> questions_of(const std::vector<Contest>& contests) const {
    std::vector<Put> out;
    for (size_t c = 0; c < contests.size(); ++c)
      for (uint64_t round = 0; round < rounds_; ++round)
        for (const bool is_first_a : {true, false}) out.push_back(put(contests[c], c, round, is_first_a));
    for (Put& one : out) one.question.prompt = one.prompt;
    return out;
  }
  static judge::Verdict verdict_of(const Put& put, const std::string& text, int32_t finish) {
    if (finish == TENON_FINISH_LENGTH)
      return {std::nullopt, "the judge's answer was cut at max_new_tokens, before its verdict", 0};
    return judge::read_verdict(text, put.question, put.mark);
  }
  static void settle(Opinion& opinion, const Put& put, const judge::Verdict& verdict,
                     const std::string& said) {
    if (!verdict.value) {
      opinion.why = verdict.fault;
      return;
    }
    (put.is_first_a ? opinion.first_as_a : opinion.first_as_b).push_back(verdict.points);
    if (opinion.said.empty()) opinion.said = said;
  }

  Host host_;
  std::string instructions_;
  uint64_t rounds_;
  bool whole_;
  chat_server::Asking asking_;

 private:
  Put put(const Contest& contest, size_t index, uint64_t round, bool is_first_a) const {
    Put out{index, is_first_a, round, conversation_of(contest.first->row), "", "", {}};
    out.question = {judge::Mode::kPairwise, out.prompt, shown(*contest.first, whole_),
                    shown(*contest.second, whole_), is_first_a};
    out.mark = judge::mark_of(out.question);
    out.text = judge::text_of(out.question, instructions_, out.mark);
    return out;
  }
};

class ServerJudge : public AskedJudge {
 public:
  explicit ServerJudge(const Host& host) : AskedJudge(host), server_(host) {}
  const std::string& name() const override { return server_.model(); }

  std::vector<Opinion> judge(const tenon_call* call, const std::vector<Contest>& contests,
                             const std::string& folder) override {
    if (!kept_) kept_.emplace(folder + "/kept/answers.jsonl");
    const std::vector<Put> puts = questions_of(contests);
    std::vector<chat_server::Question> questions;
    for (const Put& one : puts)
      questions.push_back({chat_server::messages_of({one.text, "", "", ""}), one.round,
                           [&one](const chat_server::Reply& reply) -> std::optional<std::string> {
                             const judge::Verdict v = verdict_of(one, reply.text, reply.finish);
                             return v.value ? std::nullopt : std::optional(v.fault);
                           }});
    const auto answers = server_.ask(call, questions, asking_, &*kept_);
    std::vector<Opinion> out(contests.size());
    for (size_t k = 0; k < puts.size(); ++k) {
      const chat_server::Answered& answer = answers[k];
      if (answer.is_unanswerable())
        out[puts[k].contest].why = answer.why;
      else if (answer.failure != http::Failure::kNone)
        throw Error(TENON_E_TRANSIENT, "a verdict could not be had from the server: " + answer.why +
                                           ". Go on with `tenon resume` when it is well: the answers that "
                                           "it gave are kept");
      else
        settle(out[puts[k].contest], puts[k], verdict_of(puts[k], answer.reply.text, answer.reply.finish),
               answer.reply.thought + answer.reply.text);
    }
    return out;
  }

 private:
  chat_server::ChatServer server_;
  std::optional<chat_server::KeptAnswers> kept_;
};

class ModelJudge : public AskedJudge {
 public:
  explicit ModelJudge(const Host& host)
      : AskedJudge(host),
        model_(host.get_component<Model>("judge")),
        tokenizer_(host.get_component<Tokenizer>("judge.tokenizer")),
        sampler_(host.get_component<Sampler>("sampler")),
        attempts_(host.i64("attempts")),
        name_(stages::written_name(host, "judge", model_.ref()->name)) {}
  const std::string& name() const override { return name_; }

  std::vector<Opinion> judge(const tenon_call* call, const std::vector<Contest>& contests,
                             const std::string&) override {
    const std::vector<Put> puts = questions_of(contests);
    std::vector<judge::Verdict> verdicts(puts.size());
    std::vector<std::string> said(puts.size());
    std::vector<size_t> open(puts.size());
    for (size_t k = 0; k < open.size(); ++k) open[k] = k;
    for (int64_t attempt = 0; attempt < attempts_ && !open.empty(); ++attempt) {
      ask(call, contests, puts, open, verdicts, said);
      std::erase_if(open, [&](size_t k) { return verdicts[k].value.has_value(); });
    }
    std::vector<Opinion> out(contests.size());
    for (size_t k = 0; k < puts.size(); ++k) settle(out[puts[k].contest], puts[k], verdicts[k], said[k]);
    return out;
  }

 private:
  std::vector<int32_t> prompt_of(const Contest& contest, const Put& put) const {
    Row row{put.text, "", "", ""};
    if (tokenizer_.can_chat()) row = {"", chat_server::messages_of(row), "", ""};
    std::vector<int32_t> ids =
        stages::about_row(contest.first->row, [&] { return stages::encode_prompt(row, tokenizer_); });
    const uint64_t max_len = model_.info().max_len;
    if (ids.size() >= max_len)
      throw Error(TENON_E_INVALID, "the row " + stages::place_of(contest.first->row) +
                                       ": the question to the judge has " + std::to_string(ids.size()) +
                                       " tokens, and its context of max_len = " + std::to_string(max_len) +
                                       " tokens leaves no room for a verdict: leave such rows out (data set "
                                       "filter), or take another judge");
    return ids;
  }

  void ask(const tenon_call* call, const std::vector<Contest>& contests, const std::vector<Put>& puts,
           const std::vector<size_t>& open, std::vector<judge::Verdict>& verdicts,
           std::vector<std::string>& said) const {
    Ragged<int32_t> prompts;
    for (const size_t k : open) prompts.push(prompt_of(contests[puts[k].contest], puts[k]));
    std::vector<uint64_t> ids(open.size());
    const uint64_t first = host_.raw()->sample_ids(host_.raw(), open.size());
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = first + i;
    const tenon_sampling sampling{sizeof sampling, static_cast<float>(asking_.temperature), 0, 0, 0, 0,
                                  host_.seed()};
    const std::vector<int32_t> stops = tokenizer_.stop_ids();
    const tenon_generate_in in{
        sizeof in,    0,           prompts.size(), prompts.raw(),
        ids.data(),   ids.data(),  &sampling,      static_cast<uint64_t>(asking_.max_tokens),
        stops.data(), stops.size()};
    sampler_.generate(call, model_, in, [&](uint64_t i, const Completion& completion) {
      const size_t k = open[i];
      said[k] = utf8::repaired(tokenizer_.decode(completion.ids));
      verdicts[k] = verdict_of(puts[k], said[k], completion.finish);
    });
  }

  Model model_;
  Tokenizer tokenizer_;
  Sampler sampler_;
  int64_t attempts_;
  std::string name_;
};

class RewardJudge : public Judge {
 public:
  explicit RewardJudge(const Host& host) : host_(host), rewards_(host) {
    for (const std::string& reward : rewards_.names()) name_ += (name_.empty() ? "" : "+") + reward;
  }
  const std::string& name() const override { return name_; }
  bool has_order() const override { return false; }

  std::vector<Opinion> judge(const tenon_call* call, const std::vector<Contest>& contests,
                             const std::string&) override {
    std::map<const Candidate*, size_t> place;  // each completion once
    std::vector<std::pair<const Candidate*, uint64_t>> all;
    for (const Contest& contest : contests)
      for (const Candidate* one : {contest.first, contest.second})
        if (place.try_emplace(one, all.size()).second) all.emplace_back(one, contest.asked->index);
    stages::Sampled batch;
    const uint64_t first_id = host_.raw()->sample_ids(host_.raw(), all.size());
    for (const auto& [candidate, question] : all) {
      batch.rollout.push({}, {}, {}, question, first_id + batch.rollout.size(), TENON_FINISH_STOP);
      batch.prompts.push(conversation_of(candidate->row)), batch.completions.push(candidate->text);
      batch.meta.push(candidate->row.meta_json), batch.row_index.push_back(candidate->row.index);
    }
    if (!all.empty()) rewards_.score(call, batch);
    std::vector<Opinion> out;
    for (const Contest& contest : contests) {
      const size_t a = place.at(contest.first), b = place.at(contest.second);
      Opinion one;
      if (batch.rollout.valid[a] == 0 || batch.rollout.valid[b] == 0)
        one.why = "the rewards gave no number";
      else
        one.first_as_a.push_back(batch.earned[a] - batch.earned[b]);
      out.push_back(std::move(one));
    }
    return out;
  }

 private:
  Host host_;
  stages::RewardList rewards_;
  std::string name_;
};

}  // namespace

double Opinion::gap() const {
  double sum = 0;
  for (const double v : first_as_a) sum += v;
  for (const double v : first_as_b) sum += v;
  return sum / static_cast<double>(first_as_a.size() + first_as_b.size());
}

std::string_view shown(const Candidate& candidate, bool whole) {
  return whole ? std::string_view(candidate.text)
               : reward_support::answer_part(candidate.row.prompt, candidate.text);
}

std::unique_ptr<Judge> make_judge(const Host& host) {
  if (host.str_if("server.url")) return std::make_unique<ServerJudge>(host);
  if (host.count("rewards") > 0) return std::make_unique<RewardJudge>(host);
  return std::make_unique<ModelJudge>(host);
}

void check_judge(const Host& host, Findings& findings) {
  tenon_str written{};
  const bool has_server = host.str_if("server.url").has_value(), has_rewards = host.count("rewards") > 0,
             has_model = host.raw()->get_json(host.raw(), "judge", &written) == TENON_OK;
  if (has_server + has_rewards + has_model != 1)
    findings.error("server", has_server + has_rewards + has_model == 0
                                 ? "is missing: give `server`, a model that judges; or `judge`, one of this "
                                   "process; or `rewards`"
                                 : "give one of `server`, `judge` and `rewards`, which judge");
  if (has_server) chat_server::ChatServer::check(host, findings);
  if (!has_model)
    for (const char* option : {"sampler", "attempts"})
      findings.no_effect(option, "no model of this process judges");
  if (has_rewards)
    for (const char* option : {"rounds", "instructions", "region", "temperature", "max_new_tokens"})
      findings.no_effect(option, "rewards score each completion alone");
}

}  // namespace tenon::judge_pairs
