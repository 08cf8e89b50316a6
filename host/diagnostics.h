// Mistakes in what the user wrote: collected with their place, sorted, and printed with the line they are in.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/array.hpp>
#include <iosfwd>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/mark.h"

namespace tenon::host {

enum class Severity { kWarning = 1, kError = 2 };

struct Diagnostic {
  Severity severity = Severity::kError;
  Mark mark;         // file empty: the mistake has no place in a file
  std::string path;  // of the option, "pipeline.zero.steps"; may be empty
  std::string message;

  bool operator==(const Diagnostic&) const = default;
};

// A mistake of the user that ends the command at once: exit code 2. Several mistakes are collected in
// Diagnostics instead.
class UserError : public std::runtime_error {
 public:
  explicit UserError(const std::string& message) : std::runtime_error(message) {}
  UserError(Mark mark, const std::string& message) : std::runtime_error(message), mark_(std::move(mark)) {}
  const Mark& mark() const { return mark_; }

 private:
  Mark mark_;
};

// Not safe for use by several threads.
class Diagnostics {
 public:
  void error(const Mark& mark, std::string_view path, std::string_view message);
  void warning(const Mark& mark, std::string_view path, std::string_view message);
  void add(Diagnostic diagnostic);  // one that is there already is not added again
  void add(const UserError& error);

  // The text of a file, so that print can show lines of it.
  void add_source(const std::string& file, std::string text);

  bool has_errors() const { return errors_ > 0; }
  size_t errors() const { return errors_; }
  // Errors that were reported, the same one again included: whether this number grew says whether something
  // is wrong here.
  size_t error_reports() const { return error_reports_; }
  size_t warnings() const { return all_.size() - errors_; }
  // By file, line and column; those without a place first.
  std::vector<Diagnostic> sorted() const;
  // `file:line:column: error: path: message`, then the source line and a caret under the place.
  void print(std::ostream& out) const;
  // [{severity, file, line, column, path, message}]
  boost::json::array to_json() const;

 private:
  std::vector<Diagnostic> all_;
  size_t errors_ = 0, error_reports_ = 0;
  std::map<std::string, std::string, std::less<>> sources_;
};

// ` Did you mean "learning_rate"?`, with a leading space, if a candidate is near to `word`; else nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// The smallest number of insertions, deletions, substitutions and swaps of neighbours that makes a into b
// (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace tenon::host
