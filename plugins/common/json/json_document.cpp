// JSON files read with Boost.JSON, with the path of every value remembered for error messages.
// SPDX-License-Identifier: Apache-2.0
#include "json/json_document.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>
#include <unordered_set>
#include <vector>

#include "file/format_error.h"
#include "file/mapped_file.h"

namespace tenon::json {
namespace {

namespace bj = boost::json;

// Builds a value from the parser's events and stops at a repeated key, which Boost.JSON's own handler would
// silently resolve in favour of the last.
struct UniqueKeyHandler {
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = 1 << 20;
  static constexpr size_t max_string_size = static_cast<size_t>(-1);

  bj::value_stack stack;
  std::vector<std::unordered_set<std::string>> keys;
  std::string partial_key;
  std::string duplicate;

  bool on_document_begin(bj::error_code&) { return true; }
  bool on_document_end(bj::error_code&) { return true; }
  bool on_object_begin(bj::error_code&) {
    keys.emplace_back();
    return true;
  }
  bool on_object_end(size_t n, bj::error_code&) {
    keys.pop_back();
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(bj::error_code&) { return true; }
  bool on_array_end(size_t n, bj::error_code&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(bj::string_view s, size_t, bj::error_code&) {
    partial_key.append(s.data(), s.size());
    stack.push_chars(s);
    return true;
  }
  bool on_key(bj::string_view s, size_t, bj::error_code& ec) {
    partial_key.append(s.data(), s.size());
    stack.push_key(s);
    if (!keys.back().insert(partial_key).second) {
      duplicate = partial_key;
      ec = bj::error::syntax;
      return false;
    }
    partial_key.clear();
    return true;
  }
  bool on_string_part(bj::string_view s, size_t, bj::error_code&) {
    stack.push_chars(s);
    return true;
  }
  bool on_string(bj::string_view s, size_t, bj::error_code&) {
    stack.push_string(s);
    return true;
  }
  bool on_number_part(bj::string_view, bj::error_code&) { return true; }
  bool on_int64(int64_t i, bj::string_view, bj::error_code&) {
    stack.push_int64(i);
    return true;
  }
  bool on_uint64(uint64_t u, bj::string_view, bj::error_code&) {
    stack.push_uint64(u);
    return true;
  }
  bool on_double(double d, bj::string_view, bj::error_code&) {
    stack.push_double(d);
    return true;
  }
  bool on_bool(bool b, bj::error_code&) {
    stack.push_bool(b);
    return true;
  }
  bool on_null(bj::error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(bj::string_view, bj::error_code&) { return true; }
  bool on_comment(bj::string_view, bj::error_code&) { return true; }
};

std::string describe(const bj::value& value) {
  switch (value.kind()) {
    case bj::kind::null:
      return "null";
    case bj::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case bj::kind::int64:
    case bj::kind::uint64:
    case bj::kind::double_:
      return "the number " + bj::serialize(value);
    case bj::kind::string: {
      const bj::string& s = value.get_string();
      return s.size() > 40 ? "a string of " + std::to_string(s.size()) + " bytes" : bj::serialize(value);
    }
    case bj::kind::array:
      return "an array";
    case bj::kind::object:
      return "an object";
  }
  return "an unknown kind";
}

}  // namespace

bj::value parse(std::string_view text, const std::string& file, uint64_t base) {
  bj::parse_options options;
  options.max_depth = 64;
  bj::basic_parser<UniqueKeyHandler> parser(options);
  parser.handler().stack.reset();
  bj::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().duplicate.empty()) {
    throw io::FormatError(file, base + used, "duplicate key \"" + parser.handler().duplicate + "\"");
  }
  if (error) throw io::FormatError(file, base + used, "invalid JSON: " + error.message());
  if (used < text.size()) throw io::FormatError(file, base + used, "unexpected text after the JSON value");
  return parser.handler().stack.release();
}

void Ref::fail(const std::string& what) const {
  throw io::FormatError(file_, (path_.empty() ? std::string("(root)") : path_) + ": " + what);
}

void Ref::wrong_type(const char* expected) const {
  fail(std::string("expected ") + expected + ", found " + describe(*value_));
}

Ref Ref::at(std::string_view key) const {
  const bj::value* member = object().if_contains(key);
  if (member == nullptr) fail("member \"" + std::string(key) + "\" is missing");
  return Ref(*member, file_, path_.empty() ? std::string(key) : path_ + "." + std::string(key));
}

std::optional<Ref> Ref::find(std::string_view key) const {
  const bj::value* member = object().if_contains(key);
  if (member == nullptr || member->is_null()) return std::nullopt;
  return at(key);
}

Ref Ref::operator[](size_t index) const {
  const bj::array& elements = array();
  if (index >= elements.size()) fail("element " + std::to_string(index) + " is missing");
  return Ref(elements[index], file_, path_ + "[" + std::to_string(index) + "]");
}

size_t Ref::size() const {
  return array().size();
}

std::string_view Ref::string() const {
  if (!value_->is_string()) wrong_type("a string");
  const bj::string& s = value_->get_string();
  return {s.data(), s.size()};
}

bool Ref::boolean() const {
  if (!value_->is_bool()) wrong_type("true or false");
  return value_->get_bool();
}

double Ref::number() const {
  if (!value_->is_number()) wrong_type("a number");
  return value_->to_number<double>();
}

uint64_t Ref::unsigned_integer() const {
  if (value_->is_uint64()) return value_->get_uint64();
  if (!value_->is_int64() || value_->get_int64() < 0) wrong_type("a non-negative integer");
  return static_cast<uint64_t>(value_->get_int64());
}

const bj::object& Ref::object() const {
  if (!value_->is_object()) wrong_type("an object");
  return value_->get_object();
}

const bj::array& Ref::array() const {
  if (!value_->is_array()) wrong_type("an array");
  return value_->get_array();
}

std::string Ref::string_or(std::string_view key, std::string_view fallback) const {
  const auto member = find(key);
  return std::string(member ? member->string() : fallback);
}

bool Ref::boolean_or(std::string_view key, bool fallback) const {
  const auto member = find(key);
  return member ? member->boolean() : fallback;
}

double Ref::number_or(std::string_view key, double fallback) const {
  const auto member = find(key);
  return member ? member->number() : fallback;
}

uint64_t Ref::unsigned_or(std::string_view key, uint64_t fallback) const {
  const auto member = find(key);
  return member ? member->unsigned_integer() : fallback;
}

Document Document::open(const std::string& path) {
  const io::MappedFile file(path);
  return Document(parse(file.text(), path), path);
}

Document Document::from_text(std::string_view text, const std::string& name) {
  return Document(parse(text, name), name);
}

}  // namespace tenon::json
