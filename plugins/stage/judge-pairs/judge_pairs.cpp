// The stage `judge-pairs`: a judge compares completions of the same question two by two; clear preferences become rows to train on, and each model gets a rating.
// SPDX-License-Identifier: Apache-2.0
//
// DeepSeek-R1 (arXiv 2501.12948v2, §3.1): for the data of its reward model another model judged each pair four times, with the two responses as A or B at random; the scores were averaged and the pair
// kept where they differ by more than 1, chosen and rejected responses being of comparable length. Ratings: Bradley and Terry's model, as Chatbot Arena (arXiv 2403.04132).
#include <algorithm>
#include <cmath>
#include <map>

#include "candidates.h"
#include "judges.h"
#include "rating.h"
#include "stage_support/provenance.h"
#include "stage_support/step.h"
#include "utf8/utf8.h"

namespace tenon::judge_pairs {
namespace {

constexpr const char* kRegions[] = {"answer", "whole", nullptr};
constexpr const char* kKept = "pairs";
constexpr const char* kRejected = "rejected";
constexpr uint64_t kSamplesOfStep = 4;
// Below so many pairs a share says little; `max_unjudged` looks at them from here on, and at the end.
constexpr uint64_t kFewPairs = 20;

std::string number_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}
// For messages.
std::string short_text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", v);
  return text;
}
std::string numbers_json(const std::vector<double>& numbers, double sign) {
  std::string out;
  for (const double v : numbers) out += (out.empty() ? "" : ",") + number_text(v * sign);
  return "[" + out + "]";
}
double mean(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double v : numbers) sum += v;
  return numbers.empty() ? 0 : sum / static_cast<double>(numbers.size());
}

// `meta` without the fields that say how a row's completions are ordered, and where they are from.
std::string without_order(const std::string& meta) {
  std::string out = "{";
  if (!meta.empty())
    json::each_field(meta, [&](const std::string& name, std::string_view value) {
      for (const char* field : {"ranked", "rejected", "gap", "provenance"})
        if (name == field) return true;
      out += (out.size() > 1 ? "," : "") + json::quote(name) + ":" + std::string(value);
      return true;
    });
  return out + "}";
}

// What became of one pair.
struct Pair {
  const Asked* asked;
  const Candidate *first, *second;
  Opinion opinion;
  std::string reason;      // why it does not become a row; empty: it does
  bool is_judged = false;  // there is an opinion
  bool is_tie = false;     // two models, the same text
};

class JudgePairs {
 public:
  explicit JudgePairs(Host host)
      : host_(host),
        candidates_(host),
        judge_(make_judge(host)),
        min_gap_(host.f64("min_gap")),
        max_length_ratio_(host.f64("max_length_ratio")),
        max_unjudged_(host.f64("max_unjudged")),
        prior_(host.f64("prior")),
        resamples_(static_cast<uint64_t>(host.i64("resamples"))),
        whole_(host.str("region") == "whole"),
        records_rejected_(host.boolean("record_rejected")),
        benchmark_(host.str("benchmark")) {}

  static void check(Host host, Findings& findings) {
    Candidates::check(host, findings);
    check_judge(host, findings);
    if (const double ratio = host.f64("max_length_ratio"); ratio > 0 && ratio < 1)
      findings.error(
          "max_length_ratio",
          "the longer one is never shorter than the other: allowed are 0, no bound, and 1 or more");
  }

  void run(const tenon_call* call, const StageIo& io) {
    candidates_.settle(call);
    const uint64_t steps = candidates_.steps();
    io.begin(steps);
    for (uint64_t step = io.first_step(); step < steps; ++step) {
      const tenon_call now = stages::at_step(call, step);
      one_step(&now, step, io.folder());
      check_unjudged(step + 1 == steps);
      if (step + 1 == steps) finish(io);
      io.step_end(step);
    }
  }

  void save(Writer& w) const {
    w.value(kept_), w.value(asked_), w.value(unjudged_);
    w.value(bias_), w.value(verdicts_), w.value(flips_), w.value(judged_);
    w.string(first_fault_);
    w.value(uint64_t{games_.size()});
    for (const Game& game : games_)
      w.value(game.a), w.value(game.b), w.value(game.score), w.value(game.question);
  }
  void load(Reader& r, uint32_t) {
    kept_ = r.value<uint64_t>(), asked_ = r.value<uint64_t>(), unjudged_ = r.value<uint64_t>();
    bias_ = r.value<double>(), verdicts_ = r.value<double>();
    flips_ = r.value<double>(), judged_ = r.value<double>();
    first_fault_ = r.string();
    games_.resize(r.value<uint64_t>());
    for (Game& game : games_) {
      game.a = r.value<uint32_t>(), game.b = r.value<uint32_t>();
      game.score = r.value<double>(), game.question = r.value<uint64_t>();
    }
  }

 private:
  void one_step(const tenon_call* call, uint64_t step, const std::string& folder) {
    const std::vector<Asked> asked = candidates_.of_step(call, step);
    std::vector<Pair> pairs;
    for (const Asked& one : asked)
      for (const auto& [i, j] : one.pairs) {
        pairs.push_back({&one, &one.candidates[i], &one.candidates[j], {}, "", false, false});
        look_at(pairs.back());
      }
    judge(call, pairs, folder);
    for (const Pair& pair : pairs) {
      count(pair);
      if (pair.reason.empty())
        write(kKept, pair);
      else if (records_rejected_)
        write(kRejected, pair);
    }
    record(pairs);
    for (size_t k = 0, shown = 0; k < pairs.size() && shown < kSamplesOfStep; ++k)
      if (pairs[k].is_judged) sample_out(host_, sample_json(pairs[k])), ++shown;
  }

  // What needs no judge.
  void look_at(Pair& pair) const {
    const std::string_view a = part(*pair.first), b = part(*pair.second);
    if (a.empty() || b.empty())
      pair.reason = "empty";
    else if (a == b)
      pair.reason = "equal", pair.is_tie = true;
    else if (max_length_ratio_ > 0 &&
             static_cast<double>(std::max(a.size(), b.size())) >
                 max_length_ratio_ * static_cast<double>(std::min(a.size(), b.size())))
      pair.reason = "length";
  }
  // What is compared: where rewards judge, all of a completion.
  std::string_view part(const Candidate& candidate) const {
    return shown(candidate, whole_ || !judge_->has_order());
  }

  void judge(const tenon_call* call, std::vector<Pair>& pairs, const std::string& folder) const {
    Timed timed(host_, "judge");
    std::vector<Contest> contests;
    std::vector<Pair*> open;
    for (Pair& pair : pairs)
      if (pair.reason.empty())
        contests.push_back({pair.asked, pair.first, pair.second}), open.push_back(&pair);
    if (contests.empty()) return;
    std::vector<Opinion> opinions = judge_->judge(call, contests, folder);
    for (size_t k = 0; k < open.size(); ++k) {
      Pair& pair = *open[k];
      pair.opinion = std::move(opinions[k]);
      pair.is_judged = pair.opinion.why.empty();
      if (!pair.is_judged)
        pair.reason = "unjudged";
      else if (std::abs(pair.opinion.gap()) <= min_gap_)
        pair.reason = "close";
    }
  }

  void count(const Pair& pair) {
    kept_ += pair.reason.empty() ? 1 : 0;
    if (pair.is_judged || pair.reason == "unjudged") ++asked_;
    if (pair.reason == "unjudged") {
      if (++unjudged_ == 1) first_fault_ = pair.opinion.why;
    }
    if ((!pair.is_judged && !pair.is_tie) || pair.first->model == pair.second->model) return;
    const double gap = pair.is_judged ? pair.opinion.gap() : 0;
    games_.push_back({pair.first->model, pair.second->model,
                      gap > 0   ? 1
                      : gap < 0 ? 0
                                : 0.5,
                      pair.asked->index});
  }

  void record(const std::vector<Pair>& pairs) {
    std::map<std::string, double> rejected;
    for (const char* reason : {"empty", "equal", "unjudged", "close"}) rejected[reason] = 0;
    if (max_length_ratio_ > 0) rejected["length"] = 0;
    double kept = 0, judged = 0, gap = 0, bias = 0, verdicts = 0, flips = 0, longer = 0;
    for (const Pair& pair : pairs) {
      if (!pair.reason.empty()) ++rejected[pair.reason];
      if (!pair.is_judged) continue;
      const Opinion& opinion = pair.opinion;
      ++judged, gap += std::abs(opinion.gap());
      for (const double v : opinion.first_as_a) bias += v, ++verdicts;
      for (const double v : opinion.first_as_b) bias -= v, ++verdicts;
      flips += mean(opinion.first_as_a) * mean(opinion.first_as_b) < 0 ? 1 : 0;
      if (!pair.reason.empty()) continue;
      ++kept;
      const bool is_first = opinion.gap() > 0;
      longer += (part(is_first ? *pair.first : *pair.second).size() >
                 part(is_first ? *pair.second : *pair.first).size())
                    ? 1
                    : 0;
    }
    const auto n = static_cast<double>(pairs.size());
    host_.metric("kept", n > 0 ? kept / n : std::nan(""));
    for (const auto& [reason, times] : rejected)
      host_.metric(("rejected/" + reason).c_str(), n > 0 ? times / n : std::nan(""));
    host_.metric("gap", judged > 0 ? gap / judged : std::nan(""));
    host_.metric("longer_wins", kept > 0 ? longer / kept : std::nan(""));
    if (!judge_->has_order()) return;
    host_.metric("position_bias", verdicts > 0 ? bias / verdicts : std::nan(""));
    host_.metric("order_flips", judged > 0 ? flips / judged : std::nan(""));
    bias_ += bias, verdicts_ += verdicts, flips_ += flips, judged_ += judged;
  }

  void check_unjudged(bool is_last) const {
    if (unjudged_ == 0 || (asked_ < kFewPairs && !is_last)) return;
    const double share = static_cast<double>(unjudged_) / static_cast<double>(asked_);
    if (share > max_unjudged_)
      throw Error(TENON_E_INVALID,
                  "the judge gave no verdict on " + std::to_string(unjudged_) + " of " +
                      std::to_string(asked_) + " pairs, more than max_unjudged allows (" +
                      short_text(max_unjudged_) + "), first: " + first_fault_ +
                      ". Raise attempts, max_new_tokens or max_unjudged, or take another judge");
  }

  void finish(const StageIo& io) {
    if (kept_ == 0)
      throw Error(TENON_E_INVALID, "of " + std::to_string(asked_) +
                                       " pairs that were judged none has a gap above min_gap = " +
                                       short_text(min_gap_) + ": the metrics rejected/… and gap say why");
    const auto count = [](double n) { return std::to_string(static_cast<uint64_t>(n)); };
    if (verdicts_ > 0)
      host_.info("standing first was worth " + short_text(bias_ / verdicts_) + " points over " +
                 count(verdicts_) + " verdicts; in " + count(flips_) + " of " + count(judged_) +
                 " pairs the two orders prefer different completions");
    const std::vector<std::string>& models = candidates_.models();
    if (models.size() < 2) return;
    const std::vector<size_t> component = components(models.size(), games_);
    for (size_t i = 1; i < models.size(); ++i)
      if (component[i] != component[0]) {
        host_.warn(models[0] + " and " + models[i] +
                   " were not compared, not even through others: their ratings say nothing of each other");
        break;
      }
    const std::vector<Rating> ratings = rate(models.size(), games_, prior_, resamples_, host_.seed());
    for (size_t i = 0; i < models.size(); ++i) {
      if (ratings[i].games == 0) continue;
      const auto result = [&](const char* metric, double value) {
        io.result(models[i], benchmark_, metric, value);
      };
      result("elo", ratings[i].elo), result("elo_low", ratings[i].low), result("elo_high", ratings[i].high);
      result("win_rate", ratings[i].win_rate), result("games", static_cast<double>(ratings[i].games));
    }
  }

  // Where a completion is from, as an object.
  std::string origin(const Candidate& one) const {
    std::string out = "{\"model\":" + json::quote(candidates_.models()[one.model]) +
                      ",\"of\":" + json::quote(one.of) + ",\"row\":" + std::to_string(one.row.index);
    if (const auto before = json::raw_field(one.row.meta_json, "provenance"))
      out += ",\"before\":" + std::string(*before);
    return out + "}";
  }

  void write(const char* name, const Pair& pair) const {
    const bool is_swapped = pair.is_judged && pair.opinion.gap() < 0;
    const Candidate &better = is_swapped ? *pair.second : *pair.first,
                    &worse = is_swapped ? *pair.first : *pair.second;
    std::string fields = "{\"judge\":" + json::quote(judge_->name());
    if (pair.is_judged) {
      const double sign = is_swapped ? -1 : 1;
      const auto &as_a = is_swapped ? pair.opinion.first_as_b : pair.opinion.first_as_a,
                 &as_b = is_swapped ? pair.opinion.first_as_a : pair.opinion.first_as_b;
      if (judge_->has_order())
        fields += ",\"verdicts\":{\"as_a\":" + numbers_json(as_a, sign) +
                  ",\"as_b\":" + numbers_json(as_b, sign) + "}";
    } else if (!pair.opinion.why.empty()) {
      fields += ",\"why\":" + json::quote(utf8::repaired(pair.opinion.why));
    }
    if (!pair.reason.empty()) fields += ",\"rejected\":" + json::quote(pair.reason);
    fields += ",\"better\":" + origin(better) + ",\"worse\":" + origin(worse) + "}";
    Row row = better.row;
    row.completion = better.text;
    std::string meta =
        stages::with_field(without_order(better.row.meta_json), "rejected", json::quote(worse.text));
    if (pair.is_judged) meta = stages::with_field(meta, "gap", number_text(std::abs(pair.opinion.gap())));
    row.meta_json = stages::with_field(meta, "provenance", fields);
    row_out(host_, name, row);
  }

  std::string sample_json(const Pair& pair) const {
    const auto text = [](std::string_view s) { return json::quote(utf8::repaired(s)); };
    std::string out =
        "{\"prompt\":" +
        text(pair.first->row.messages_json.empty() ? pair.first->row.prompt : pair.first->row.messages_json);
    for (const auto& [name, one] : {std::pair("first", pair.first), std::pair("second", pair.second)})
      out += std::string(",\"") + name + "\":{\"model\":" + text(candidates_.models()[one->model]) +
             ",\"completion\":" + text(one->text) + "}";
    out += ",\"gap\":" + number_text(pair.opinion.gap());
    if (!pair.opinion.said.empty()) out += ",\"judge\":" + text(pair.opinion.said);
    return out + "}";
  }

  Host host_;
  Candidates candidates_;
  std::unique_ptr<Judge> judge_;
  double min_gap_, max_length_ratio_, max_unjudged_, prior_;
  uint64_t resamples_;
  bool whole_, records_rejected_;
  std::string benchmark_;
  // State.
  uint64_t kept_ = 0, asked_ = 0, unjudged_ = 0;             // pairs
  double bias_ = 0, verdicts_ = 0, flips_ = 0, judged_ = 0;  // sums of what record() makes means of
  std::string first_fault_;
  std::vector<Game> games_;
};

constexpr OptionTable kDataChildren{
    text("model", nullptr,
         "Whose completions these are. Left out: the model in each row's provenance, else the data set.")};

}  // namespace
}  // namespace tenon::judge_pairs

TENON_STAGE_PLUGIN(
    tenon::judge_pairs::JudgePairs, "judge-pairs", "0.1.0",
    "Has completions of the same question compared two by two: preferences to train on, and a rating of each "
    "model.",
    tenon::reference("data", "dataset", nullptr,
                     "Rows with completions; those with the same prompt (or messages) are compared.",
                     {.flags = TENON_O_REQUIRED | TENON_O_LIST}, tenon::judge_pairs::kDataChildren),
    tenon::object("server", tenon::chat_server::kServerChildren,
                  "A model behind an OpenAI-compatible server that judges."),
    tenon::reference("judge", "model", nullptr, "In its place: a model of this process that judges."),
    tenon::reference("rewards", "reward", nullptr,
                     "In its place: the better completion is the one with the higher sum of these.",
                     {.flags = TENON_O_LIST}, tenon::stages::kRewardChildren),
    tenon::stages::kSamplerOption,
    tenon::integer("rounds", "2", "How often a pair is judged in either order: 2 are four verdicts.",
                   {.min = "1", .max = "64"}),
    tenon::text("instructions", "\"\"", "What the judge is to look at, in your words."),
    tenon::choice("region", tenon::judge_pairs::kRegions, "\"answer\"",
                  "What the judge is shown of a completion: what follows </think>, or the whole."),
    tenon::number("temperature", "0.6", "Of the judge.", {.min = "0", .max = "2"}),
    tenon::integer("max_new_tokens", "4096", "Most tokens of an answer of the judge.",
                   {.min = "1", .max = "16777216", .unit = "tokens"}),
    tenon::integer("attempts", "2",
                   "Of `judge`: how often it is asked before a verdict that cannot be read is missing.",
                   {.min = "1", .max = "100"}),
    tenon::integer("problems", "0", "How many questions; 0: all.",
                   {.min = "0", .max = "1000000000", .unit = "questions"}),
    tenon::integer("prompts", "16", "Questions of one step.",
                   {.min = "1", .max = "1048576", .unit = "questions"}),
    tenon::integer("pairs", "1", "Most pairs judged of a question, drawn at random; 0: all.",
                   {.min = "0", .max = "1000000", .unit = "pairs"}),
    tenon::boolean("across_models", "false", "Whether only completions of different models are compared."),
    tenon::number(
        "min_gap", "1",
        "A pair becomes a row if its two scores, from 1 to 10, differ by more than this on average.",
        {.min = "0", .max = "1e9"}),
    tenon::number(
        "max_length_ratio", "0",
        "Pairs in which one text is more than so many times as long as the other are not judged; 0: "
        "no bound.",
        {.min = "0", .max = "1e9"}),
    tenon::number("max_unjudged", "0.1", "Share of pairs without a verdict that ends the stage.",
                  {.min = "0", .max = "1"}),
    tenon::boolean("record_rejected", "false",
                   "Whether the other pairs become rows too, called `rejected`, each with the reason."),
    tenon::text("benchmark", "\"judge\"", "Name of the ratings in the results."),
    tenon::number("prior", "1",
                  "Of the ratings: so many ties of each model with one of average strength are added, which "
                  "keeps the rating of one that always wins finite.",
                  {.min = "0.001", .max = "1000"}),
    tenon::integer("resamples", "1000", "Of the bootstrap that gives the ratings' intervals.",
                   {.min = "100", .max = "1000000"}))
