// A reward in C++: 1 if the completion holds the word in the row's field `must_say`, else 0.
// SPDX-License-Identifier: Apache-2.0
#include "tenon/reward.hpp"

struct Says {
  explicit Says(tenon::Host host) : field(host.str("field")) {}
  double operator()(const tenon::Sample& sample) const {
    auto word = sample.meta(field);
    if (!word) tenon::refuse("the row has no field " + field);
    return sample.completion.find(*word) != std::string_view::npos ? 1 : 0;
  }
  std::string field;
};

TENON_REWARD_PLUGIN(Says, "example.says", "1.0.0", "Wants one word.",
                    tenon::text("field", "\"must_say\"", "Field of the row's meta that has the word."))
