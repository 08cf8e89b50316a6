// Completions of the same question, out of the rows of several data sets, and the pairs of them that are judged.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tenon/stage.hpp"

namespace tenon::judge_pairs {

struct Candidate {
  std::string text;
  uint32_t model;  // index in Candidates::models()
  std::string of;  // the data set's name
  Row row;         // that it is from
};

struct Asked {
  uint64_t index;  // of the question, in the order in which the rows have it first
  std::vector<Candidate> candidates;
  std::vector<std::pair<size_t, size_t>> pairs;  // of candidates
};

// Reads the options data, problems, prompts, pairs and across_models.
class Candidates {
 public:
  explicit Candidates(const Host& host);
  static void check(const Host& host, Findings& findings);

  // When the stage runs: finds which rows ask the same, by `prompt` or `messages`. A row gives its completion, and the one in its field `rejected`, or the list in its field `ranked`. One with none of them is
  // left out, with a warning. Throws Error where a data set has no other rows, and where no question has two completions.
  void settle(const tenon_call* call);
  uint64_t steps() const { return (asked_.size() + prompts_ - 1) / prompts_; }
  uint64_t questions() const { return asked_.size(); }
  // Those of a step, each with the pairs that are drawn for it.
  std::vector<Asked> of_step(const tenon_call* call, uint64_t step) const;
  // Whose completions they are: the name that the list `data` gives, or the one in the row's provenance, or the data set's.
  const std::vector<std::string>& models() const { return models_; }

 private:
  struct Source {
    Dataset data;
    std::string name, model;  // model: empty: the row's provenance says
  };
  struct Place {
    uint32_t source;
    uint64_t row;
  };
  void tell_without(const std::string& name, uint64_t without, uint64_t count) const;
  void leave_lone_ones_out(const std::vector<size_t>& completions);
  static std::string model_of(const Source& source, const Row& row);
  Asked read(const tenon_call* call, uint64_t index) const;
  void draw(Asked& asked) const;

  Host host_;
  std::vector<Source> sources_;
  uint64_t problems_, prompts_, pairs_;
  bool across_models_;
  // Settled.
  std::vector<std::vector<Place>> asked_;
  std::vector<std::string> models_;
};

}  // namespace tenon::judge_pairs
