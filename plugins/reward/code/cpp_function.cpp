// One pass over each text; what is untrusted (a completion's code) is read in linear time.
// SPDX-License-Identifier: Apache-2.0
#include "cpp_function.h"

#include <algorithm>

namespace tenon::code {

namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string trimmed(std::string s) {
  while (!s.empty() && is_space(s.back())) s.pop_back();
  s.erase(0, static_cast<size_t>(std::find_if_not(s.begin(), s.end(), is_space) - s.begin()));
  return s;
}

// Whether `name` is the word that ends before text[end], blanks aside.
bool word_before(const std::string& text, size_t end, const std::string& name) {
  while (end > 0 && is_space(text[end - 1])) --end;
  if (end < name.size() || text.compare(end - name.size(), name.size(), name) != 0) return false;
  return end == name.size() || !is_word(text[end - name.size() - 1]);
}

// Whether `code` defines the function, and not just calls it: its name with a parameter list and a body after it.
bool defines(const std::string& code, const std::string& name) {
  std::vector<bool> open;  // of each parenthesis that is open: does the name stand before it
  for (size_t k = 0; k < code.size(); ++k) {
    if (code[k] == '(') open.push_back(word_before(code, k, name));
    if (code[k] != ')' || open.empty()) continue;
    const bool is_parameter_list = open.back();
    open.pop_back();
    const size_t next = std::min(code.find_first_not_of(" \t\r\n", k + 1), code.size());
    if (is_parameter_list && next < code.size() && code[next] == '{') return true;
  }
  return false;
}

// The brace that opens the body of the function that `text` ends in: of those that are not closed the first that follows a parenthesis. Comments and
// literals do not count. npos: there is none.
size_t open_body(const std::string& text) {
  std::vector<size_t> open;
  for (size_t k = 0; k < text.size(); ++k) {
    const char c = text[k];
    if (text.compare(k, 2, "//") == 0) {
      k = std::min(text.find('\n', k), text.size());
    } else if (text.compare(k, 2, "/*") == 0) {
      k = std::min(text.find("*/", k + 2), text.size() - 1) + 1;
    } else if (c == '"' || c == '\'') {
      for (++k; k < text.size() && text[k] != c; ++k) k += text[k] == '\\';
    } else if (c == '{') {
      open.push_back(k);
    } else if (c == '}' && !open.empty()) {
      open.pop_back();
    }
  }
  for (size_t brace : open) {
    const size_t last = text.find_last_not_of(" \t\r\n", brace - 1);
    if (brace > 0 && last != std::string::npos && text[last] == ')') return brace;
  }
  return std::string::npos;
}

// Names of the parameters of "a(b c, d e = f)": the last word of each, before a default or brackets.
bool parameter_names(const std::string& list, std::vector<std::string>& out) {
  int depth = 0;
  size_t begin = 0;
  for (size_t k = 0; k <= list.size(); ++k) {
    const char c = k < list.size() ? list[k] : ',';
    depth += c == '(' || c == '<' || c == '{' || c == '['   ? 1
             : c == ')' || c == '>' || c == '}' || c == ']' ? -1
                                                            : 0;
    if (c != ',' || depth > 0) continue;
    std::string one = trimmed(list.substr(begin, k - begin));
    begin = k + 1;
    one = trimmed(one.substr(0, one.find('=')));
    while (one.ends_with(']')) {
      const size_t bracket = one.rfind('[');
      if (bracket == std::string::npos) return false;
      one = trimmed(one.substr(0, bracket));
    }
    size_t word = one.size();
    while (word > 0 && is_word(one[word - 1])) --word;
    if (one.empty() && list.find_first_not_of(" \t\n") == std::string::npos) return true;
    if (word == one.size() || word == 0) return false;
    out.push_back(one.substr(word));
  }
  return true;
}

// "a, b, c"
std::string arguments_of(const FunctionHead& head) {
  std::string list;
  for (const std::string& p : head.parameters) list += (list.empty() ? "" : ", ") + p;
  return list;
}

}  // namespace

bool includes(const std::string& source, std::string_view what) {
  for (std::string_view rest = source; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const size_t at = line.find("#include");
    if (at != std::string_view::npos && line.find(what, at) != std::string_view::npos) return true;
  }
  return false;
}

std::string include_lines(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (const std::string line = trimmed(text.substr(at, end - at)); line.starts_with("#include"))
      out += line + "\n";
    at = end + 1;
  }
  return out;
}

bool read_head(const std::string& declaration, FunctionHead& out, std::string& why) {
  const size_t brace = open_body(declaration);
  why = "no function is open at the end of the row's declaration";
  if (brace == std::string::npos) return false;
  const std::string head = trimmed(declaration.substr(0, brace));
  size_t close = head.rfind(')');
  if (close == std::string::npos) return false;
  size_t open = close;
  for (int depth = 0;; --open) {
    depth += head[open] == ')' ? 1 : head[open] == '(' ? -1 : 0;
    if (depth == 0) break;
    if (open == 0) return false;
  }
  size_t name_end = open;
  while (name_end > 0 && is_space(head[name_end - 1])) --name_end;
  size_t name_begin = name_end;
  while (name_begin > 0 && is_word(head[name_begin - 1])) --name_begin;
  if (name_begin == name_end) return false;
  // The head begins after the last thing that ends something else.
  size_t begin = 0;
  for (std::string_view end : {";", "}", "*/"})
    if (const size_t at = head.rfind(end, name_begin); at != std::string::npos)
      begin = std::max(begin, at + end.size());
  for (size_t line = head.rfind('\n', name_begin); line != std::string::npos && line > begin;
       line = line == 0 ? std::string::npos : head.rfind('\n', line - 1)) {
    const size_t previous = line == 0 ? std::string::npos : head.rfind('\n', line - 1);
    const std::string above = trimmed(head.substr(previous == std::string::npos ? 0 : previous + 1,
                                                  line - (previous == std::string::npos ? 0 : previous + 1)));
    if (above.starts_with('#') || above.starts_with("//")) {
      begin = std::max(begin, line);
      break;
    }
  }
  out.before = head.substr(0, begin) + "\n";
  while (begin < name_begin && is_space(head[begin])) ++begin;
  out.text = head.substr(begin, close + 1 - begin);
  out.name = head.substr(name_begin, name_end - name_begin);
  out.name_at = name_begin - begin;
  out.parameters.clear();
  if (!parameter_names(head.substr(open + 1, close - open - 1), out.parameters)) {
    why = "a parameter of " + out.name + " has no name";
    return false;
  }
  return true;
}

std::string join_cpp(const CppTests& tests, const std::string& code) {
  FunctionHead head;
  std::string why;
  if (read_head(tests.declaration, head, why) && defines(code, head.name))
    return include_lines(tests.includes) + head.before + code;
  return include_lines(tests.includes) + tests.declaration + code;
}

std::string tests_source(const CppTests& tests, const FunctionHead& head, std::string_view driver) {
  const std::string arguments = arguments_of(head);
  return include_lines(tests.includes) + head.before + std::string(driver) + "\n" + head.text +
         " { return ::tenon_box_::call<decltype(" + head.name + "(" + arguments + "))>(" + arguments +
         "); }\n" + tests.test;
}

std::string solution_source(const std::string& program, const FunctionHead& head, std::string_view driver) {
  // The same head under another name, so that overloads of the solution do not matter.
  std::string entry = head.text;
  entry.replace(head.name_at, head.name.size(), "tenon_entry_");
  return "#define main tenon_other_main_\n#line 1 \"solution.cpp\"\n" + program + "\n#undef main\n" +
         std::string(driver) + "\n" + entry + " { return " + head.name + "(" + arguments_of(head) +
         "); }\nint main() { return ::tenon_box_::serve(&tenon_entry_); }\n";
}

}  // namespace tenon::code
