// A data set in C++: the words of a list, to be written backwards.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/dataset.hpp"

class Backwards {
 public:
  explicit Backwards(tenon::Host host) : words_(host.strs("words")) {}
  uint64_t size() const { return words_.size(); }
  // Depends on the index alone: rows are read in any order, more than once, from several threads.
  tenon::Row at(uint64_t index) const {
    const std::string& word = words_.at(index);
    tenon::Row row;
    row.prompt = "Write " + word + " backwards: ";
    row.completion = std::string(word.rbegin(), word.rend());
    row.meta_json = "{\"answer\":" + tenon::json::quote(row.completion) + "}";
    return row;
  }

 private:
  std::vector<std::string> words_;
};

TENON_DATASET_PLUGIN(Backwards, "example.backwards", "1.0.0", "Words to be written backwards.",
                     tenon::text("words", "[\"tenon\", \"mortise\"]", "The words.", {.flags = TENON_O_LIST}))
