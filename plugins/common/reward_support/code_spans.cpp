// Fences line by line, then inline spans in the lines between them.
// SPDX-License-Identifier: Apache-2.0
#include "reward_support/code_spans.h"

#include <algorithm>

namespace tenon::reward_support {
namespace {

using std::string_view;

size_t line_end(string_view text, size_t at) {
  return std::min(text.find('\n', at), text.size());
}

size_t run_length(string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] == text[at]) ++end;
  return end - at;
}

struct Fence {
  char mark = 0;  // 0: the line is no fence
  size_t length = 0;
  bool has_text = false;  // after the marks: such a line opens a block and closes none
};

Fence fence_of(string_view line) {
  size_t indent = 0;
  while (indent < line.size() && line[indent] == ' ') ++indent;
  if (indent > 3 || indent == line.size() || (line[indent] != '`' && line[indent] != '~')) return {};
  const size_t length = run_length(line, indent);
  if (length < 3) return {};
  const string_view rest = line.substr(indent + length);
  if (line[indent] == '`' && rest.find('`') != string_view::npos) return {};  // an inline span
  return {line[indent], length, rest.find_first_not_of(" \t\r") != string_view::npos};
}

void add_inline(string_view text, size_t begin, size_t end, std::vector<CodeSpan>& spans) {
  for (size_t at = text.find('`', begin); at < end; at = text.find('`', at)) {
    const size_t length = run_length(text.substr(0, end), at);
    size_t close = at + length;
    while (close < end && text[close] != '`') ++close;
    while (close < end) {
      const size_t other = run_length(text.substr(0, end), close);
      if (other == length) break;
      close += other;
      while (close < end && text[close] != '`') ++close;
    }
    if (close < end) {
      spans.push_back({at, close + length, at + length, close, false});
      at = close + length;
    } else {
      at += length;
    }
  }
}

// The closing fence of the block that `open` begins, as [begin, end) of its line; begin npos: there is none.
std::pair<size_t, size_t> closing_line(string_view text, size_t at, const Fence& open) {
  while (at < text.size()) {
    const size_t end = line_end(text, at);
    const Fence fence = fence_of(text.substr(at, end - at));
    if (fence.mark == open.mark && fence.length >= open.length && !fence.has_text) return {at, end};
    at = end + 1;
  }
  return {string_view::npos, 0};
}

}  // namespace

std::vector<CodeSpan> code_spans(string_view text) {
  std::vector<CodeSpan> spans;
  // The shortest fence of each mark that no later line closes: longer ones are not closed either.
  size_t unclosed[2] = {string_view::npos, string_view::npos};
  for (size_t at = 0; at < text.size();) {
    const size_t end = line_end(text, at);
    const Fence open = fence_of(text.substr(at, end - at));
    size_t& hopeless = unclosed[open.mark == '~'];
    if (open.mark != 0 && open.length < hopeless) {
      const auto [close, close_end] = closing_line(text, end + 1, open);
      if (close != string_view::npos) {
        spans.push_back({at, close_end, std::min(end + 1, close), close, true});
        at = close_end + 1;
        continue;
      }
      hopeless = open.length;
    }
    if (open.mark == 0) add_inline(text, at, end, spans);
    at = end + 1;
  }
  return spans;
}

std::string without_code(string_view text, char filler) {
  std::string out(text);
  for (const CodeSpan& span : code_spans(text))
    for (size_t i = span.begin; i < span.end; ++i)
      if (out[i] != '\n') out[i] = filler;
  return out;
}

}  // namespace tenon::reward_support
