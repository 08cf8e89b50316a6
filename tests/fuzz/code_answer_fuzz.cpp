// libFuzzer target over what the reward code reads outside the box. The first byte says what the rest is: a: a typed answer, f: frames of answers,
// c: a completion, r: a row (one line, JSON) and a completion, o: two outputs (parted by a zero byte), h: a declaration and code (as well).
// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "completion.h"
#include "cpp_function.h"
#include "task.h"
#include "tenon/reward.hpp"
#include "value.h"

namespace {

using namespace tenon::code;

void require(bool holds) {
  if (!holds) std::abort();
}

bool has_nan(const Value& v) {
  if (std::isnan(v.real) || std::isnan(v.imag)) return true;
  for (const Value& item : v.items)
    if (has_nan(item)) return true;
  return false;
}

bool lies_in(std::string_view part, std::string_view text) {
  return part.empty() ||
         (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
}

void check_answer(std::string_view bytes) {
  const auto value = decode(bytes);
  if (!value) return;
  require(encode(*value) == bytes);
  if (!has_nan(*value)) require(equals(*value, *value, 0));
  is_true(*value);
}

void check_frames(std::string_view bytes) {
  std::string again;
  for (const Value& value : decode_frames(bytes)) again += encode_frame(value);
  require(bytes.starts_with(again));
}

void check_completion(std::string_view text) {
  const std::string_view answer = after_thought(text);
  require(lies_in(answer, text));
  require(answer.find("</think>") == std::string_view::npos);
  for (const bool python : {true, false}) require(lies_in(until_function_ends(answer, python), answer));
  if (const auto block = last_block(answer, {"python", "cpp"})) {
    require(block->code.size() <= answer.size() + 1);
    require(block->language.empty() || block->language == "python" || block->language == "cpp");
  }
}

void check_row(std::string_view text) {
  const size_t cut = text.find('\n');
  const std::string_view completion = cut == std::string_view::npos ? "" : text.substr(cut + 1);
  try {
    const Task task = read_task(text.substr(0, cut), "def f(x):\n");
    require(task.inputs.size() == task.outputs.size());
    require(task.form != Task::Form::kStdio || !task.inputs.empty());
    require(task.form != Task::Form::kPythonTests || !task.python.tests.empty());
    std::string language;
    program_of(task, completion, "auto", language);
  } catch (const tenon::NoReward& e) {
    require(e.status == TENON_R_NOT_APPLICABLE && !e.why.empty());
  }
}

void check_outputs(std::string_view text) {
  const size_t cut = text.find('\0');
  const std::string_view a = text.substr(0, cut),
                         b = cut == std::string_view::npos ? a : text.substr(cut + 1);
  for (const Compare how : {Compare::kTokens, Compare::kLines, Compare::kExact}) {
    require(same_output(a, a, how, 1e-6));
    if (how != Compare::kTokens) require(same_output(a, b, how, 0) == same_output(b, a, how, 0));
  }
  if (same_output(a, b, Compare::kExact, 0)) require(same_output(a, b, Compare::kLines, 0));
  if (same_output(a, b, Compare::kLines, 0)) require(same_output(a, b, Compare::kTokens, 0));
}

void check_function(std::string_view text) {
  const size_t cut = text.find('\0');
  const CppTests tests{std::string(text.substr(0, cut)), "", ""};
  const std::string code(cut == std::string_view::npos ? "" : text.substr(cut + 1));
  FunctionHead head;
  std::string why;
  if (read_head(tests.declaration, head, why)) {
    require(!head.name.empty() && head.text.substr(head.name_at, head.name.size()) == head.name);
    solution_source(code, head, "");
  }
  require(join_cpp(tests, code).ends_with(code));
  includes(code, "openssl/");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'a':
      check_answer(rest);
      break;
    case 'f':
      check_frames(rest);
      break;
    case 'c':
      check_completion(rest);
      break;
    case 'r':
      check_row(rest);
      break;
    case 'o':
      check_outputs(rest);
      break;
    case 'h':
      check_function(rest);
      break;
    default:
      break;
  }
  return 0;
}
