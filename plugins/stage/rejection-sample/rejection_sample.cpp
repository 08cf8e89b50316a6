// The stage `rejection-sample`: several completions of each prompt, by a model of this process or behind a server, of which the good ones become rows to train on.
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948v2, §2.3.3): from the checkpoint of reasoning RL, several completions a prompt; those that are right are kept, and of these not what
// mixes languages, has long paragraphs or code blocks. How many are sampled, and the thresholds, are not published: they are the options here.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "chat_server/sampled.h"
#include "pattern/pattern.h"
#include "rewriting.h"
#include "stage_support/prompt_range.h"
#include "stage_support/provenance.h"
#include "stage_support/sampled.h"
#include "stage_support/step.h"
#include "utf8/utf8.h"

namespace tenon::rejection {
namespace {

constexpr const char* kChoices[] = {"first", "shortest", nullptr};
constexpr const char* kKept = "kept";
constexpr const char* kRejected = "rejected";
constexpr const char* kIntos[] = {"completion", "prompt", nullptr};
constexpr std::string_view kReserved[] = {"cut", "not_judged", "paragraph", "empty", "repeated", "surplus"};

// The most bytes between two empty lines.
size_t longest_paragraph(std::string_view text) {
  size_t longest = 0, begin = 0;
  for (size_t at = text.find("\n\n"); at != std::string_view::npos; at = text.find("\n\n", begin)) {
    longest = std::max(longest, at - begin);
    begin = at + 2;
  }
  return std::max(longest, text.size() - begin);
}

class RejectionSample {
 public:
  explicit RejectionSample(Host host)
      : host_(host),
        rewards_(host),
        rewriting_(host),
        range_(host, host.get_component<Dataset>("data")),
        drop_(pattern::read_patterns(host, "drop")),
        samples_(static_cast<uint64_t>(host.i64("samples"))),
        keep_(static_cast<uint64_t>(host.i64("keep"))),
        max_paragraph_(static_cast<uint64_t>(host.i64("max_paragraph"))),
        shortest_(host.str("choose") == "shortest"),
        records_rejected_(host.boolean("record_rejected")) {
    if (host.str_if("server.url"))
      server_.emplace(host), unanswered_.emplace(host);
    else
      own_.emplace(host);
    for (uint64_t i = 0; i < host.count("rewards"); ++i) {
      const std::string path = "rewards." + std::to_string(i) + ".min";
      min_.push_back(host.f64_if(path.c_str()).value_or(i == 0 ? 1.0 : -INFINITY));
    }
    model_name_ = server_ ? server_->model() : stages::written_name(host, "model", own_->model.ref()->name);
    if (own_)
      own_->sampler.check_prompts("data", own_->model, own_->tokenizer, "model.tokenizer", range_.end(),
                                  [&](const Row& row) { return rewriting_.asked(row); });
  }

  static void check(Host host, Findings& findings) {
    pattern::check_patterns(host, "drop", kReserved, "this stage has reasons", findings);
    Rewriting::check(host, findings);
    check_server(host, findings);
    if (host.f64("temperature") == 0) {
      for (const char* filter : {"top_k", "top_p", "min_p"})
        findings.no_effect(filter, "with temperature: 0 the most likely token is always taken");
      if (host.i64("samples") > 1)
        findings.error("samples", "with temperature: 0 all completions of a prompt are the same: give 1");
    }
    if (host.i64("keep") == 0) findings.no_effect("choose", "all that are good are kept");
    for (uint64_t i = 0; i < host.count("rewards"); ++i)
      findings.no_effect(("rewards." + std::to_string(i) + ".weight").c_str(),
                         "nothing is added up: each reward has its own `min`");
  }

  void run(const tenon_call* call, const StageIo& io) {
    range_.settle();
    const uint64_t steps = range_.steps();
    if (unanswered_) unanswered_->of(range_.problems() * samples_);
    io.begin(steps);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      const tenon_call now = stages::at_step(call, step);
      one_step(&now, step, io.folder());
      io.step_end(step);
    }
    if (kept_ == 0)
      throw Error(TENON_E_INVALID,
                  "none of " + std::to_string(sampled_) +
                      " completions was kept, so that there is nothing to train on: the metrics "
                      "rejected/… say why");
  }

  void save(Writer& w) const {
    w.value(kept_);
    w.value(sampled_);
    if (unanswered_) unanswered_->save(w);
  }
  void load(Reader& r, uint32_t) {
    kept_ = r.value<uint64_t>();
    sampled_ = r.value<uint64_t>();
    if (unanswered_) unanswered_->load(r);
  }

 private:
  // A model of this process, and what draws its completions.
  struct Own {
    explicit Own(const Host& host)
        : sampler(host),
          model(host.get_component<Model>("model")),
          tokenizer(host.get_component<Tokenizer>("model.tokenizer")) {}
    stages::CompletionSampler sampler;
    Model model;
    Tokenizer tokenizer;
  };

  static void check_server(const Host& host, Findings& findings) {
    tenon_str written{};
    const bool has_model = host.raw()->get_json(host.raw(), "model", &written) == TENON_OK;
    if (has_model == host.str_if("server.url").has_value())
      findings.error("model", has_model
                                  ? "give a model (`from` gives one, too) or a `server`, not both"
                                  : "is missing: give `from`, an earlier stage, or `model`, or a `server`");
    if (!host.str_if("server.url")) {
      findings.no_effect("max_unanswered", "no server is asked");
      return;
    }
    chat_server::ChatServer::check(host, findings);
    for (const char* option : {"sampler", "overlap_rewards", "top_k", "min_p"})
      findings.no_effect(option, "a server draws its completions itself");
  }

  // Completions of the rows as they are asked. What a server answered is kept, for a run that is interrupted.
  stages::Sampled sample(const tenon_call* call, const std::vector<Row>& rows, const std::string& folder) {
    std::vector<Row> asked;
    for (const Row& row : rows)
      asked.push_back(stages::about_row(row, [&] { return rewriting_.asked(row); }));
    const uint64_t first_id = host_.raw()->sample_ids(host_.raw(), rows.size() * samples_);
    if (own_) return own_->sampler.sample(call, own_->model, own_->tokenizer, asked, samples_, first_id, 0);
    if (!kept_answers_) kept_answers_.emplace(folder + "/kept/answers.jsonl");
    const chat_server::Asking asking{host_.f64("temperature"), host_.f64("top_p"),
                                     host_.i64("max_new_tokens")};
    return chat_server::sample(host_, call, *server_, asked, samples_, first_id, asking, rewards_,
                               *unanswered_, &*kept_answers_);
  }

  void one_step(const tenon_call* call, uint64_t step, const std::string& folder) {
    const std::vector<Row> rows = range_.rows(call, step);
    const uint64_t n = rows.size();
    const stages::Sampled batch = sample(call, rows, folder);
    std::map<std::string, double> rejected;
    for (const char* reason : {"cut", "not_judged", "empty", "repeated"}) rejected[reason] = 0;
    if (keep_ > 0) rejected["surplus"] = 0;
    if (max_paragraph_ > 0) rejected["paragraph"] = 0;
    for (size_t r = 0; r < min_.size(); ++r)
      if (min_[r] > -INFINITY) rejected[batch.reward_names[r]] = 0;
    for (const pattern::NamedPattern& one : drop_) rejected[one.name] = 0;
    double kept = 0, with_any = 0;
    for (uint64_t p = 0; p < n; ++p) {
      const uint64_t of_prompt = choose(rows[p], batch, p * samples_, rejected);
      kept += static_cast<double>(of_prompt);
      with_any += of_prompt > 0 ? 1 : 0;
    }
    const auto total = static_cast<double>(n * samples_);
    host_.metric("kept", kept / total);
    host_.metric("prompts_kept", with_any / static_cast<double>(n));
    for (const auto& [reason, times] : rejected) host_.metric(("rejected/" + reason).c_str(), times / total);
    kept_ += static_cast<uint64_t>(kept);
    sampled_ += n * samples_;
  }

  // Judges the completions [begin, begin + samples_) of a row and writes those that are kept; returns how many.
  uint64_t choose(const Row& row, const stages::Sampled& batch, uint64_t begin,
                  std::map<std::string, double>& rejected) const {
    std::vector<uint64_t> good;
    std::vector<std::pair<uint64_t, std::string>> bad;
    std::set<std::string_view> seen;
    for (uint64_t i = begin; i < begin + samples_; ++i) {
      std::string reason = fault(batch, i);
      if (reason.empty() && !rewriting_.rewritten(row, text(batch, i))) reason = "empty";
      if (reason.empty() && !seen.insert(text(batch, i)).second) reason = "repeated";
      if (reason.empty())
        good.push_back(i);
      else
        bad.emplace_back(i, reason);
    }
    if (shortest_)
      std::stable_sort(good.begin(), good.end(),
                       [&](uint64_t a, uint64_t b) { return length(batch, a) < length(batch, b); });
    if (keep_ > 0)
      for (; good.size() > keep_; good.pop_back()) bad.emplace_back(good.back(), "surplus");
    for (const uint64_t i : good) write(kKept, row, batch, i, "");
    for (const auto& [i, reason] : bad) {
      rejected[reason] += 1;
      if (records_rejected_) write(kRejected, row, batch, i, reason);
    }
    return good.size();
  }

  // Why a completion is not kept whatever the others are; empty: it is good.
  std::string fault(const stages::Sampled& batch, uint64_t i) const {
    if (batch.rollout.finish[i] == TENON_FINISH_LENGTH) return "cut";
    if (batch.rollout.valid[i] == 0) return "not_judged";
    for (size_t r = 0; r < min_.size(); ++r)
      if (batch.terms[r][i] < min_[r]) return batch.reward_names[r];
    const std::string_view completion = text(batch, i);
    if (completion.find_first_not_of(" \t\r\n") == std::string_view::npos) return "empty";
    if (max_paragraph_ > 0 && longest_paragraph(completion) > max_paragraph_) return "paragraph";
    for (const pattern::NamedPattern& one : drop_)
      if (one.pattern.in(completion)) return one.name;
    return "";
  }

  static std::string_view text(const stages::Sampled& batch, uint64_t i) {
    return {batch.completions[i].data(), batch.completions[i].size()};
  }

  // In tokens; where a server does not count them, in bytes.
  static uint64_t length(const stages::Sampled& batch, uint64_t i) {
    const uint64_t tokens = batch.completion_len(i);
    return tokens == stages::Sampled::kUnknownTokens ? batch.completions[i].size() : tokens;
  }

  void write(const char* name, const Row& from, const stages::Sampled& batch, uint64_t i,
             const std::string& reason) const {
    std::string fields = "\"model\":" + json::quote(model_name_) +
                         ",\"sample\":" + std::to_string(batch.rollout.sample_id[i]) +
                         ",\"row\":" + std::to_string(from.index) + ",\"rewards\":" + batch.rewards_json(i);
    if (!from.source.empty()) fields += ",\"place\":" + json::quote(utf8::repaired(from.source));
    if (!reason.empty()) fields += ",\"rejected\":" + json::quote(reason);
    const std::string_view completion = text(batch, i);
    std::optional<Row> rewritten = rewriting_.rewritten(from, completion);
    Row row = rewritten ? std::move(*rewritten) : from;
    if (!rewritten) row.completion = completion;
    row.meta_json = stages::with_provenance(from.meta_json, fields);
    row_out(host_, name, row);
  }

  Host host_;
  stages::RewardList rewards_;
  Rewriting rewriting_;
  std::optional<Own> own_;
  std::optional<chat_server::ChatServer> server_;  // one of the two
  std::optional<chat_server::Unanswered> unanswered_;
  std::optional<chat_server::KeptAnswers> kept_answers_;
  std::string model_name_;
  stages::PromptRange range_;
  std::vector<pattern::NamedPattern> drop_;
  std::vector<double> min_;  // of each reward; -infinity: any value will do
  uint64_t samples_, keep_, max_paragraph_, kept_ = 0, sampled_ = 0;
  bool shortest_, records_rejected_;
};

// What the host does with a reward of a list, and this stage with what it gives.
constexpr auto& kRules = stages::kRewardChildren;
constexpr OptionTable kFilterChildren{kRules.items[0],
                                      kRules.items[1],
                                      kRules.items[2],
                                      kRules.items[3],
                                      kRules.items[4],
                                      kRules.items[5],
                                      number("min", nullptr,
                                             "A completion is kept only if this reward gives at least this "
                                             "much. Left out: 1 for the first reward, "
                                             "nothing for the others, which are recorded.")};
static_assert(std::size(kRules.items) == 6);

}  // namespace
}  // namespace tenon::rejection

TENON_STAGE_PLUGIN(
    tenon::rejection::RejectionSample, "rejection-sample", "0.3.0",
    "Samples several completions of each prompt and keeps the good ones as rows to train on.",
    tenon::reference("model", "model", nullptr, "What completes the prompts; `from` fills it in."),
    tenon::object("server", tenon::chat_server::kServerChildren,
                  "In its place: a model behind an OpenAI-compatible server, such as a teacher."),
    tenon::reference("data", "dataset", nullptr, "Prompts, in the order of the data set.",
                     {.flags = TENON_O_REQUIRED}),
    tenon::reference("rewards", "reward", nullptr,
                     "What a completion must earn to be kept. Left out: all that end are.",
                     {.flags = TENON_O_LIST}, tenon::rejection::kFilterChildren),
    tenon::stages::kSamplerOption,
    tenon::text("template", nullptr,
                "The model is asked this instead of the row's question: {question}, {completion} and {field} "
                "of its meta stand for the row's parts; {{ and }} are braces."),
    tenon::choice("into", tenon::rejection::kIntos, "\"completion\"",
                  "Of template, where the answer goes: the row's completion, or its question (without "
                  "thought), whose completion and meta stay."),
    tenon::integer("problems", "1024", "How many prompts; 0: all of the data set.",
                   {.min = "0", .max = "1000000000", .unit = "prompts"}),
    tenon::stages::kFirstOption,
    tenon::integer("samples", "4", "Completions of each prompt.",
                   {.min = "1", .max = "65536", .unit = "completions"}),
    tenon::stages::kPromptsOption,
    tenon::integer("keep", "1", "Most completions kept of a prompt; 0: all that are good.",
                   {.min = "0", .max = "65536", .unit = "completions"}),
    tenon::choice("choose", tenon::rejection::kChoices, "\"first\"",
                  "Which of more good ones are kept: the first that were sampled, or the shortest."),
    tenon::integer("max_paragraph", "0", "Completions with a longer paragraph are not kept; 0: no bound.",
                   {.min = "0", .max = "1000000000", .unit = "bytes"}),
    tenon::object("drop", tenon::pattern::kPatternChildren,
                  "Completions in which one of these occurs are not kept.", {.flags = TENON_O_LIST}),
    tenon::boolean("record_rejected", "false",
                   "Whether the others become rows too, called `rejected`, each with the reason."),
    tenon::number("temperature", "1", "Of sampling; 0: always the most likely token.",
                  {.min = "0", .max = "100"}),
    tenon::stages::kTopKOption, tenon::stages::kTopPOption, tenon::stages::kMinPOption,
    tenon::stages::kMaxNewTokensOption, tenon::stages::kOverlapRewardsOption,
    tenon::chat_server::kMaxUnansweredOption)
