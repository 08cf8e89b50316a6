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
  const Result r = compare(Gold(a, policies), b, policies, true);
  if (r.work > kDefaultWork) std::abort();
  judge(Gold(b, policies), a, policies);
  // An answer that can be read equals itself.
  const Result self = compare(Gold(a, policies), a, policies);
  if (self.verdict == Verdict::kDifferent) std::abort();
#endif
  return 0;
}
