// libFuzzer targets over math answers; TENON_FUZZ_MATH says which: 1 the scanner of completions, 2 tokens and parser, 3 the comparison.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "math_answer/extract.h"
#include "math_answer/math_answer.hpp"
#include "math_answer/parser.h"
#include "math_answer/token.h"

using namespace tenon::math_answer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Policies policies;
#if TENON_FUZZ_MATH == 1
  for (const bool several : {false, true}) find_answer(text, policies, several);
  cleaned(text);
#elif TENON_FUZZ_MATH == 2
  for (const Reading& reading : {Reading{}, Reading{false, true, true}}) try {
      bool ambiguous = false;
      Tree tree;
      parse(tokenize(text, reading, ambiguous), policies, tree);
    } catch (const ParseError&) {
    } catch (const LimitError&) {
    }
#else
  // Gold and answer, parted by a zero byte or a line break.
  const size_t cut = text.find_first_of(std::string_view("\0\n", 2));
  const std::string_view a = text.substr(0, cut),
                         b = cut == std::string_view::npos ? a : text.substr(cut + 1);
  const Result r = compare(Gold(a, policies), b, policies, true),
               reversed = compare(Gold(b, policies), a, policies);
  if (r.work > kDefaultWork || reversed.work > kDefaultWork) std::abort();
  // Symmetric, where no rule was used that asks which of the two is the gold. Those are meant: a decimal stands for what rounds to its digits, more of
  // which a gold needs than an answer; a decimal comma, Python's E and j, "5 m" for 5, "a + b = 7" for 7, [3, 1] for a list and "5/8 or 0.625"
  // are an answer's way to write, and of a gold would say something else.
  const auto is_decided = [](const Result& one) {
    return one.verdict == Verdict::kEqual || one.verdict == Verdict::kDifferent;
  };
  if (is_decided(r) && is_decided(reversed) && !r.by_role && !reversed.by_role &&
      r.verdict != reversed.verdict)
    std::abort();
  judge(Gold(b, policies), a, policies);
  // An answer that can be read equals itself.
  const Result self = compare(Gold(a, policies), a, policies);
  if (self.verdict == Verdict::kDifferent) std::abort();
#endif
  return 0;
}
