// Line scanner for fences; stop sequences of continuations.
// SPDX-License-Identifier: Apache-2.0
#include "completion.h"

#include <algorithm>

namespace tenon::code {

namespace {

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

struct Fence {
  char mark = 0;  // 0: no fence
  size_t count = 0, indent = 0;
  std::string_view info;
};

Fence fence_of(std::string_view line) {
  Fence f;
  while (f.indent < line.size() && line[f.indent] == ' ') ++f.indent;
  line.remove_prefix(f.indent);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return {};
  while (f.count < line.size() && line[f.count] == line[0]) ++f.count;
  if (f.count < 3) return {};
  f.mark = line[0];
  f.info = line.substr(f.count);
  while (!f.info.empty() && (f.info.front() == ' ' || f.info.front() == '\t')) f.info.remove_prefix(1);
  while (!f.info.empty() && (f.info.back() == ' ' || f.info.back() == '\r' || f.info.back() == '\t'))
    f.info.remove_suffix(1);
  if (f.mark == '`' && f.info.find('`') != std::string_view::npos)
    return {};  // ```code``` in a line is no fence
  return f;
}

std::string word_of(std::string_view info) {
  std::string out;
  for (char c : info) {
    if (c == ' ' || c == '\t' || c == '{' || c == ',' || c == ':') break;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::string_view without_indent(std::string_view line, size_t most) {
  size_t n = 0;
  while (n < most && n < line.size() && line[n] == ' ') ++n;
  return line.substr(n);
}

}  // namespace

std::string_view after_thought(std::string_view completion) {
  constexpr std::string_view tag = "</think>";
  const size_t at = completion.rfind(tag);
  if (at != std::string_view::npos) return completion.substr(at + tag.size());
  const size_t begin = completion.find_first_not_of(" \t\r\n");
  const bool is_all_thought =
      begin != std::string_view::npos && completion.substr(begin).starts_with("<think>");
  return is_all_thought ? std::string_view() : completion;
}

std::optional<Block> last_block(std::string_view text, const std::vector<std::string_view>& languages) {
  std::optional<Block> last, last_unmarked;
  while (!text.empty()) {
    const Fence open = fence_of(take_line(text));
    if (open.mark == 0) continue;
    Block block{word_of(open.info), ""};
    while (!text.empty()) {
      const std::string_view line = take_line(text);
      const Fence close = fence_of(line);
      if (close.mark == open.mark && close.count >= open.count && close.info.empty()) break;
      block.code.append(without_indent(line, open.indent)).append("\n");
    }
    if (block.language.empty())
      last_unmarked = std::move(block);
    else if (std::find(languages.begin(), languages.end(), block.language) != languages.end())
      last = std::move(block);
  }
  return last ? last : last_unmarked;
}

std::string_view until_function_ends(std::string_view text, bool python) {
  size_t end = text.size();
  if (python)
    for (std::string_view stop : {"\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n```"})
      end = std::min(end, text.find(stop));
  else {
    end = std::min(end, text.find("\n```"));
    if (const size_t brace = text.find("\n}"); brace < end) end = brace + 2;
  }
  return text.substr(0, end);
}

}  // namespace tenon::code
