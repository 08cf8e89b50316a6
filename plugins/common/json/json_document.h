// JSON files read with Boost.JSON, with the path of every value remembered for error messages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tenon::json {

// Parses one JSON text. Stricter than Boost.JSON: a duplicate key is an error, as is anything but white space
// after the value. Throws io::FormatError naming `file` and the byte offset (`base` + position in `text`).
boost::json::value parse(std::string_view text, const std::string& file, uint64_t base = 0);

// A borrowed JSON value that knows its file and path ("model.merges[12]"). The accessors throw io::FormatError
// "<file>: <path>: expected <type>, found <what>". Copy freely; valid while the value it points to lives.
class Ref {
 public:
  Ref(const boost::json::value& value, std::string file) : value_(&value), file_(std::move(file)) {}

  const boost::json::value& value() const { return *value_; }
  const std::string& file() const { return file_; }
  const std::string& path() const { return path_; }
  bool is_null() const { return value_->is_null(); }

  Ref at(std::string_view key) const;                   // the member; an error when missing
  std::optional<Ref> find(std::string_view key) const;  // the member, or nothing when missing or null
  Ref operator[](size_t index) const;                   // the element; the index must be in range
  size_t size() const;                                  // number of array elements

  std::string_view string() const;
  bool boolean() const;
  double number() const;  // any JSON number
  uint64_t unsigned_integer() const;
  const boost::json::object& object() const;
  const boost::json::array& array() const;

  // Shorthands for an optional member: `fallback` when it is missing or null.
  std::string string_or(std::string_view key, std::string_view fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  double number_or(std::string_view key, double fallback) const;
  uint64_t unsigned_or(std::string_view key, uint64_t fallback) const;

  // Throws FormatError "<file>: <path>: <what>".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  Ref(const boost::json::value& value, std::string file, std::string path)
      : value_(&value), file_(std::move(file)), path_(std::move(path)) {}
  [[noreturn]] void wrong_type(const char* expected) const;

  const boost::json::value* value_;
  std::string file_;
  std::string path_;
};

// A JSON file held in memory. root() borrows from the document, which must outlive it.
class Document {
 public:
  // Throws io::FormatError when the file cannot be read or is not valid JSON.
  static Document open(const std::string& path);
  static Document from_text(std::string_view text, const std::string& name);

  Ref root() const { return Ref(*value_, file_); }

 private:
  Document(boost::json::value value, std::string file)
      : value_(std::make_unique<boost::json::value>(std::move(value))), file_(std::move(file)) {}

  std::unique_ptr<boost::json::value> value_;
  std::string file_;
};

}  // namespace tenon::json
