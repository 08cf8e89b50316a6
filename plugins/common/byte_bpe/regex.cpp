// The splitting patterns of tokenizer.json, run by PCRE2.
// SPDX-License-Identifier: Apache-2.0
#define PCRE2_CODE_UNIT_WIDTH 8
#include "byte_bpe/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <new>
#include <stdexcept>

namespace tenon::bpe {
namespace {

// White_Space, for use inside a character class.
constexpr char kSpaceSet[] =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

class Translator {
 public:
  Translator(std::string_view in, const std::string& file, const std::string& where)
      : in_(in), file_(file), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) step();
    if (in_set_) fail("the set is not closed");
    return out_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(file_, where_ + ": position " + std::to_string(at_) + " of the pattern: " + what);
  }
  bool follows(std::string_view text) const { return in_.substr(at_).starts_with(text); }

  void step() {
    const char c = in_[at_];
    if (c == '\\') return escape();
    if (in_set_) return set_character(c);
    if (c == '[') return open_set();
    if (c == '(') return open_group();
    if (c == '}' && at_ + 1 < in_.size() && in_[at_ + 1] == '+')
      fail("a '+' after an interval is not supported");
    out_.push_back(c);
    ++at_;
  }

  void open_set() {
    in_set_ = true;
    out_.push_back('[');
    ++at_;
    if (follows("^")) {
      out_.push_back('^');
      ++at_;
    }
    if (follows("]")) fail("a set that starts with ']' is not supported; write \\]");
  }

  void set_character(char c) {
    if (c == '[') fail("a set within a set is not supported; write \\[ for the character");
    if (follows("&&")) fail("the intersection of sets is not supported");
    if (c == ']') in_set_ = false;
    out_.push_back(c);
    ++at_;
  }

  void open_group() {
    if (follows("(?")) {
      bool known = false;
      for (const char* form : {"(?:", "(?i:", "(?!", "(?=", "(?<!", "(?<=", "(?>"})
        known = known || follows(form);
      if (!known) fail("this kind of group is not supported");
    } else if (follows("(*")) {
      fail("verbs are not supported");
    }
    out_.push_back('(');
    ++at_;
  }

  void escape() {
    if (at_ + 1 >= in_.size()) fail("the pattern ends in a backslash");
    const char c = in_[at_ + 1];
    if (c == 's') {
      if (!in_set_) out_ += "[";
      out_ += kSpaceSet;
      if (!in_set_) out_ += "]";
    } else if (c == 'S') {
      if (in_set_) fail("\\S within a set is not supported");
      out_ += "[^";
      out_ += kSpaceSet;
      out_ += "]";
    } else if (c == 'v') {
      out_ += "\\x{b}";  // PCRE2's \v is any vertical space
    } else if (c == 'x' && !in_.substr(at_ + 2).starts_with("{")) {
      fail("\\x needs braces");
    } else if (std::isalnum(static_cast<unsigned char>(c)) && std::strchr("dDpPrntfxu", c) == nullptr) {
      fail(std::string("\\") + c + " is not supported");
    } else if (c == 'u') {
      return unicode_escape();
    } else if (c == 'p' || c == 'P' || c == 'x') {
      return braced_escape();
    } else {
      out_.push_back('\\');
      out_.push_back(c);
    }
    at_ += 2;
  }

  // \p{...}, \P{...}, \x{...}
  void braced_escape() {
    const size_t close = in_.find('}', at_);
    if (close == std::string_view::npos || in_[at_ + 2] != '{') fail("\\p and \\P need braces");
    out_ += in_.substr(at_, close + 1 - at_);
    at_ = close + 1;
  }

  // \uHHHH
  void unicode_escape() {
    const std::string_view digits = in_.substr(at_ + 2, 4);
    if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      fail("\\u needs four hexadecimal digits");
    }
    out_ += "\\x{";
    out_ += digits;
    out_ += "}";
    at_ += 6;
  }

  std::string_view in_;
  const std::string& file_;
  const std::string& where_;
  size_t at_ = 0;
  bool in_set_ = false;
  std::string out_;
};

// Scratch of one thread, made on first use.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 4 << 20, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);

  Scratch() {
    if (data == nullptr || stack == nullptr || context == nullptr) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Scratch() {
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
    pcre2_match_data_free(data);
  }
};

struct Span {
  size_t begin, end;
  bool delimiter;
};

// tokenizers' NormalizedString::split, over the alternation of gaps and matches.
std::vector<Span> arrange(const std::vector<Span>& spans, SplitBehavior behavior) {
  std::vector<Span> out;
  bool previous = false;
  switch (behavior) {
    case SplitBehavior::kIsolated:
      for (const Span& s : spans) out.push_back({s.begin, s.end, false});
      break;
    case SplitBehavior::kRemoved:
      out = spans;
      break;
    case SplitBehavior::kContiguous:
      for (const Span& s : spans) {
        if (s.delimiter == previous && !out.empty()) {
          out.back().end = s.end;
        } else {
          out.push_back({s.begin, s.end, false});
        }
        previous = s.delimiter;
      }
      break;
    case SplitBehavior::kMergedWithPrevious:
      for (const Span& s : spans) {
        if (s.delimiter && !previous && !out.empty()) {
          out.back().end = s.end;
        } else {
          out.push_back({s.begin, s.end, false});
        }
        previous = s.delimiter;
      }
      break;
    case SplitBehavior::kMergedWithNext:
      for (auto s = spans.rbegin(); s != spans.rend(); ++s) {
        if (s->delimiter && !previous && !out.empty()) {
          out.back().begin = s->begin;
        } else {
          out.push_back({s->begin, s->end, false});
        }
        previous = s->delimiter;
      }
      std::reverse(out.begin(), out.end());
      break;
  }
  return out;
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  ~Code() { pcre2_code_free(code); }

  // The next match at or after `from`; false when there is none.
  bool next(std::string_view text, size_t from, size_t* begin, size_t* end) const {
    static thread_local Scratch scratch;
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    const int found =
        jit ? pcre2_jit_match(code, subject, text.size(), from, 0, scratch.data, scratch.context)
            : pcre2_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, scratch.data,
                          scratch.context);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(found, message, sizeof message);
      throw std::runtime_error(std::string("splitting text: PCRE2: ") +
                               reinterpret_cast<const char*>(message));
    }
    const PCRE2_SIZE* pair = pcre2_get_ovector_pointer(scratch.data);
    *begin = pair[0];
    *end = pair[1];
    return true;
  }
};

std::string to_pcre2(std::string_view pattern, const std::string& file, const std::string& where) {
  return Translator(pattern, file, where).run();
}

std::string quote_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::strchr("\\^$.|?*+()[]{}#-&~ ", c) != nullptr && c != '\0') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Regex::Regex(std::string_view pattern, const std::string& file, const std::string& where)
    : code_(std::make_unique<Code>()) {
  const std::string translated = to_pcre2(pattern, file, where);
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE position = 0;
  // Ruby's ^ and $ are those of a line.
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                              &position, context.get());
  if (code_->code == nullptr) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    throw FormatError(file, where +
                                ": the pattern does not compile: " + reinterpret_cast<const char*>(message) +
                                ", near position " + std::to_string(position) + " of " + translated);
  }
  code_->jit = pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

void Regex::split(std::string_view text, SplitBehavior behavior, bool invert,
                  std::vector<std::string_view>& pieces) const {
  std::vector<Span> spans;
  const bool isolated = behavior == SplitBehavior::kIsolated;  // by far the commonest: needs no list
  const auto emit = [&](size_t begin, size_t end, bool match) {
    if (begin == end) return;
    if (isolated) {
      pieces.push_back(text.substr(begin, end - begin));
    } else {
      spans.push_back({begin, end, match != invert});
    }
  };
  size_t done = 0, from = 0, begin = 0, end = 0;
  while (from <= text.size() && code_->next(text, from, &begin, &end)) {
    emit(done, begin, false);
    emit(begin, end, true);
    done = end;
    from = end;
    if (begin == end) {  // an empty match: go on behind the next character
      ++from;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
    }
  }
  emit(done, text.size(), false);
  if (isolated) return;
  for (const Span& s : arrange(spans, behavior)) {
    if (!s.delimiter) pieces.push_back(text.substr(s.begin, s.end - s.begin));
  }
}

}  // namespace tenon::bpe
