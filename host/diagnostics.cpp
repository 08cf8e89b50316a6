// Mistakes in what the user wrote: sorting, printing, and guessing what was meant.
// SPDX-License-Identifier: Apache-2.0
#include "host/diagnostics.h"

#include <algorithm>
#include <ostream>
#include <tuple>

#include <boost/json/object.hpp>

#include "host/shown_text.h"

namespace tenon::host {

namespace {

constexpr size_t kWidestSourceLine = 160;  // longer ones are not shown

// Line `line` of a text, without its end; nothing if there is no such line.
std::string_view source_line(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Spaces up to a column: tabs stay tabs and a character of several bytes is one space, so that the caret
// stands right on a terminal.
std::string caret_indent(std::string_view line, int column) {
  std::string indent;
  for (size_t i = 0; i + 1 < static_cast<size_t>(column) && i < line.size(); ++i) {
    bool continues = (static_cast<unsigned char>(line[i]) & 0xC0) == 0x80;
    if (!continues) indent += line[i] == '\t' ? '\t' : ' ';
  }
  return indent;
}

const char* word(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

}  // namespace

void Diagnostics::error(const Mark& mark, std::string_view path, std::string_view message) {
  add({Severity::kError, mark, std::string(path), std::string(message)});
}

void Diagnostics::warning(const Mark& mark, std::string_view path, std::string_view message) {
  add({Severity::kWarning, mark, std::string(path), std::string(message)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::kError) ++error_reports_;
  // A template that several stages use is checked once for each of them, under another path each time.
  bool known = std::any_of(all_.begin(), all_.end(), [&](const Diagnostic& other) {
    bool same_place =
        other.mark == diagnostic.mark && (!diagnostic.mark.file.empty() || other.path == diagnostic.path);
    return same_place && other.severity == diagnostic.severity && other.message == diagnostic.message;
  });
  if (known) return;
  if (diagnostic.severity == Severity::kError) ++errors_;
  all_.push_back(std::move(diagnostic));
}

void Diagnostics::add(const UserError& error) {
  this->error(error.mark(), "", error.what());
}

void Diagnostics::add_source(const std::string& file, std::string text) {
  sources_[file] = std::move(text);
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> sorted = all_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.mark < b.mark; });
  return sorted;
}

void Diagnostics::print(std::ostream& out) const {
  for (const Diagnostic& d : sorted()) {
    if (!d.mark.file.empty()) {
      out << d.mark.file << ':';
      if (d.mark.line > 0) out << d.mark.line << ':' << d.mark.column << ':';
      out << ' ';
    }
    out << word(d.severity) << ": ";
    if (!d.path.empty()) out << d.path << ": ";
    out << shown_text(d.message) << '\n';

    auto source = sources_.find(d.mark.file);
    if (source == sources_.end() || d.mark.line < 1) continue;
    std::string_view line = source_line(source->second, d.mark.line);
    if (line.empty() || line.size() > kWidestSourceLine) continue;
    out << "  " << line << "\n  " << caret_indent(line, d.mark.column) << "^\n";
  }
}

boost::json::array Diagnostics::to_json() const {
  boost::json::array array;
  for (const Diagnostic& d : sorted()) {
    array.push_back(boost::json::object{{"severity", word(d.severity)},
                                        {"file", d.mark.file},
                                        {"line", d.mark.line},
                                        {"column", d.mark.column},
                                        {"path", d.path},
                                        {"message", d.message}});
  }
  return array;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows i-2, i-1 and i of the table of distances between prefixes.
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 100) return "";
  size_t allowed = word.size() < 4 ? 1 : std::max<size_t>(2, word.size() / 3);
  const std::string* best = nullptr;
  size_t best_distance = allowed + 1;
  for (const std::string& candidate : candidates) {
    // "steps" for "number_of_steps" and the like are as good as a small edit.
    bool contained =
        word.size() >= 4 && candidate.size() >= 4 &&
        (candidate.find(word) != std::string::npos || word.find(candidate) != std::string_view::npos);
    size_t distance = edit_distance(word, candidate);
    if (contained) distance = std::min(distance, allowed);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr || *best == word ? "" : " Did you mean \"" + *best + "\"?";
}

}  // namespace tenon::host
