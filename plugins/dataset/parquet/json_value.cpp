// Arrow's types, one by one.
// SPDX-License-Identifier: Apache-2.0
#include "json_value.h"

#include <charconv>
#include <cmath>

#include "tenon/error.hpp"
#include "tenon/json.hpp"

namespace tenon::parquet_file {
namespace {

template <class Array>
auto value(const arrow::Array& array, int64_t i) {
  return static_cast<const Array&>(array).Value(i);
}

template <class Number>
void append_number(Number number, std::string& out) {
  char text[64];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

template <class Number>
void append_float(Number number, std::string& out) {
  if (std::isfinite(number))
    append_number(number, out);
  else
    out += "null";
}

template <class List>
void append_list(const arrow::Array& array, int64_t i, std::string& out) {
  const auto& list = static_cast<const List&>(array);
  out += '[';
  for (int64_t k = 0; k < list.value_length(i); ++k) {
    if (k > 0) out += ',';
    append_json(*list.values(), list.value_offset(i) + k, out);
  }
  out += ']';
}

void append_struct(const arrow::StructArray& array, int64_t i, std::string& out) {
  out += '{';
  for (int k = 0; k < array.num_fields(); ++k) {
    if (k > 0) out += ',';
    out += json::quote(array.struct_type()->field(k)->name()) + ":";
    append_json(*array.field(k), i, out);  // a child as long as the parent
  }
  out += '}';
}

// A map with text as its keys, as an object.
void append_map(const arrow::MapArray& map, int64_t i, std::string& out) {
  if (map.keys()->type_id() != arrow::Type::STRING)
    throw Error("maps with keys of type " + map.keys()->type()->ToString() + " have no form in JSON");
  const auto& keys = static_cast<const arrow::StringArray&>(*map.keys());
  out += '{';
  for (int64_t k = 0; k < map.value_length(i); ++k) {
    const int64_t at = map.value_offset(i) + k;
    out += (k > 0 ? "," : "") + json::quote(keys.GetView(at)) + ":";
    append_json(*map.items(), at, out);
  }
  out += '}';
}

void append_scalar(const arrow::Array& array, int64_t i, std::string& out) {
  const auto scalar = array.GetScalar(i);
  if (!scalar.ok()) throw Error(TENON_E_IO, scalar.status().ToString());
  out += json::quote((*scalar)->ToString());
}

}  // namespace

void append_json(const arrow::Array& array, int64_t i, std::string& out) {
  using arrow::Type;
  if (array.IsNull(i)) {
    out += "null";
    return;
  }
  switch (array.type_id()) {
    case Type::NA:
      out += "null";
      return;
    case Type::BOOL:
      out += value<arrow::BooleanArray>(array, i) ? "true" : "false";
      return;
    case Type::INT8:
      return append_number(static_cast<int>(value<arrow::Int8Array>(array, i)), out);
    case Type::INT16:
      return append_number(value<arrow::Int16Array>(array, i), out);
    case Type::INT32:
      return append_number(value<arrow::Int32Array>(array, i), out);
    case Type::INT64:
      return append_number(value<arrow::Int64Array>(array, i), out);
    case Type::UINT8:
      return append_number(static_cast<unsigned>(value<arrow::UInt8Array>(array, i)), out);
    case Type::UINT16:
      return append_number(value<arrow::UInt16Array>(array, i), out);
    case Type::UINT32:
      return append_number(value<arrow::UInt32Array>(array, i), out);
    case Type::UINT64:
      return append_number(value<arrow::UInt64Array>(array, i), out);
    case Type::FLOAT:
      return append_float(value<arrow::FloatArray>(array, i), out);
    case Type::DOUBLE:
      return append_float(value<arrow::DoubleArray>(array, i), out);
    case Type::STRING:
      out += json::quote(static_cast<const arrow::StringArray&>(array).GetView(i));
      return;
    case Type::LARGE_STRING:
      out += json::quote(static_cast<const arrow::LargeStringArray&>(array).GetView(i));
      return;
    case Type::LIST:
      return append_list<arrow::ListArray>(array, i, out);
    case Type::LARGE_LIST:
      return append_list<arrow::LargeListArray>(array, i, out);
    case Type::FIXED_SIZE_LIST:
      return append_list<arrow::FixedSizeListArray>(array, i, out);
    case Type::STRUCT:
      return append_struct(static_cast<const arrow::StructArray&>(array), i, out);
    case Type::MAP:
      return append_map(static_cast<const arrow::MapArray&>(array), i, out);
    case Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return append_json(*coded.dictionary(), coded.GetValueIndex(i), out);
    }
    case Type::DATE32:
    case Type::DATE64:
    case Type::TIMESTAMP:
    case Type::TIME32:
    case Type::TIME64:
    case Type::DURATION:
    case Type::DECIMAL128:
    case Type::DECIMAL256:
      return append_scalar(array, i, out);
    default:
      throw Error("the type " + array.type()->ToString() +
                  " has no form in JSON; write the file without that column");
  }
}

}  // namespace tenon::parquet_file
