// Reading and checking a GGUF file's table of contents.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "gguf/block_types.h"
#include "gguf/gguf.h"

namespace tenon::gguf {
namespace {

constexpr std::array<std::string_view, 13> kValueTypeNames{"uint8",  "int8",    "uint16", "int16",  "uint32",
                                                           "int32",  "float32", "bool",   "string", "array",
                                                           "uint64", "int64",   "float64"};
constexpr uint64_t kMaxTensorName = 64;
constexpr int kMaxArrayDepth = 4;
constexpr uint64_t kMaxArrayLength =
    1 << 24;  // 100 times the largest vocabulary; bounds what a corrupt length can cost

// A bounds-checked position in the file.
class Cursor {
 public:
  explicit Cursor(const io::MappedFile& map) : map_(map) {}

  uint64_t offset() const { return at_; }
  uint64_t left() const { return map_.size() - at_; }

  template <typename T>
  T get(const char* what) {
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, map_.bytes().data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  std::string_view get_string(const char* what) {
    const uint64_t length = get<uint64_t>(what);
    if (length > left()) {
      throw FormatError(map_.path(), at_ - 8,
                        std::string(what) + ": a string of " + std::to_string(length) + " bytes, but only " +
                            std::to_string(left()) + " bytes are left");
    }
    const std::string_view text = map_.text().substr(at_, length);
    at_ += length;
    return text;
  }

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(map_.path(), at_, what); }

 private:
  void need(uint64_t size, const char* what) const {
    if (size > left()) {
      fail(std::string("truncated in ") + what + ": " + std::to_string(size) + " bytes expected, " +
           std::to_string(left()) + " left");
    }
  }

  const io::MappedFile& map_;
  uint64_t at_ = 0;
};

size_t smallest_size(ValueType type) {
  switch (type) {
    case ValueType::kUint8:
    case ValueType::kInt8:
    case ValueType::kBool:
      return 1;
    case ValueType::kUint16:
    case ValueType::kInt16:
      return 2;
    case ValueType::kUint32:
    case ValueType::kInt32:
    case ValueType::kFloat32:
      return 4;
    case ValueType::kUint64:
    case ValueType::kInt64:
    case ValueType::kFloat64:
    case ValueType::kString:
      return 8;
    case ValueType::kArray:
      return 12;
  }
  return 1;
}

ValueType read_type(Cursor& cursor) {
  const uint64_t offset = cursor.offset();
  const auto type = cursor.get<uint32_t>("a metadata value's type");
  if (type >= kValueTypeNames.size()) {
    cursor.fail("unknown metadata value type " + std::to_string(type) + " at byte " + std::to_string(offset));
  }
  return static_cast<ValueType>(type);
}

Value read_value(Cursor& cursor, ValueType type, int depth) {
  constexpr const char* kWhat = "a metadata value";
  Value value;
  value.type = type;
  value.offset = cursor.offset();
  switch (type) {
    case ValueType::kUint8:
      value.data = uint64_t{cursor.get<uint8_t>(kWhat)};
      break;
    case ValueType::kInt8:
      value.data = int64_t{cursor.get<int8_t>(kWhat)};
      break;
    case ValueType::kUint16:
      value.data = uint64_t{cursor.get<uint16_t>(kWhat)};
      break;
    case ValueType::kInt16:
      value.data = int64_t{cursor.get<int16_t>(kWhat)};
      break;
    case ValueType::kUint32:
      value.data = uint64_t{cursor.get<uint32_t>(kWhat)};
      break;
    case ValueType::kInt32:
      value.data = int64_t{cursor.get<int32_t>(kWhat)};
      break;
    case ValueType::kFloat32:
      value.data = double{cursor.get<float>(kWhat)};
      break;
    case ValueType::kUint64:
      value.data = cursor.get<uint64_t>(kWhat);
      break;
    case ValueType::kInt64:
      value.data = cursor.get<int64_t>(kWhat);
      break;
    case ValueType::kFloat64:
      value.data = cursor.get<double>(kWhat);
      break;
    case ValueType::kString:
      value.data = cursor.get_string(kWhat);
      break;
    case ValueType::kBool: {
      const auto byte = cursor.get<uint8_t>(kWhat);
      if (byte > 1) cursor.fail("a bool must be 0 or 1, found " + std::to_string(byte));
      value.data = uint64_t{byte};
      break;
    }
    case ValueType::kArray: {
      if (depth >= kMaxArrayDepth)
        cursor.fail("arrays nested more than " + std::to_string(kMaxArrayDepth) + " deep");
      const ValueType element = read_type(cursor);
      const auto count = cursor.get<uint64_t>("an array's length");
      if (count > cursor.left() / smallest_size(element)) {
        cursor.fail("an array of " + std::to_string(count) + " " + std::string(value_type_name(element)) +
                    " values, but only " + std::to_string(cursor.left()) + " bytes are left");
      }
      if (count > kMaxArrayLength) {
        cursor.fail("an array of " + std::to_string(count) + " values; at most " +
                    std::to_string(kMaxArrayLength) + " are read");
      }
      std::vector<Value> elements;
      elements.reserve(count);
      for (uint64_t i = 0; i < count; ++i) elements.push_back(read_value(cursor, element, depth + 1));
      value.data = std::move(elements);
      break;
    }
  }
  return value;
}

// One entry of the tensor table; its data is placed once the table's end is known.
Tensor read_tensor_info(Cursor& cursor, uint64_t* relative_offset) {
  Tensor tensor;
  const uint64_t start = cursor.offset();
  tensor.name = cursor.get_string("a tensor's name");
  if (tensor.name.empty() || tensor.name.size() > kMaxTensorName) {
    cursor.fail("a tensor's name of " + std::to_string(tensor.name.size()) + " bytes at byte " +
                std::to_string(start) + "; 1 to " + std::to_string(kMaxTensorName) + " are allowed");
  }
  const std::string label = "tensor \"" + tensor.name + "\": ";
  const auto n_dims = cursor.get<uint32_t>("a tensor's number of dims");
  if (n_dims < 1 || n_dims > 4) cursor.fail(label + std::to_string(n_dims) + " dims; 1 to 4 are allowed");
  for (uint32_t i = 0; i < n_dims; ++i) tensor.dims.push_back(cursor.get<uint64_t>("a tensor's dims"));
  tensor.type = cursor.get<uint32_t>("a tensor's type");
  *relative_offset = cursor.get<uint64_t>("a tensor's offset");
  return tensor;
}

// Bytes of the tensor, or nothing for a type whose block size is not known.
uint64_t tensor_bytes(const Tensor& tensor, const BlockType& block, const Cursor& cursor) {
  const std::string label = "tensor \"" + tensor.name + "\": ";
  if (tensor.dims[0] % block.elements != 0) {
    cursor.fail(label + "a row of " + std::to_string(tensor.dims[0]) + " elements is not a whole number of " +
                std::string(block.name) + " blocks of " + std::to_string(block.elements));
  }
  uint64_t bytes = tensor.dims[0] / block.elements;
  if (__builtin_mul_overflow(bytes, block.bytes, &bytes)) cursor.fail(label + "its size overflows 64 bits");
  uint64_t elements = tensor.dims[0];
  for (size_t i = 1; i < tensor.dims.size(); ++i) {
    if (__builtin_mul_overflow(bytes, tensor.dims[i], &bytes) ||
        __builtin_mul_overflow(elements, tensor.dims[i], &elements)) {
      cursor.fail(label + "its size overflows 64 bits");
    }
  }
  return bytes;
}

void check_overlap(const std::string& path, const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> order;
  for (const Tensor& tensor : tensors) {
    if (!tensor.data.empty()) order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i) {
    const uint64_t end = order[i - 1]->offset + order[i - 1]->data.size();
    if (order[i]->offset < end) {
      throw FormatError(path, order[i]->offset,
                        "tensor \"" + order[i]->name + "\" overlaps \"" + order[i - 1]->name +
                            "\", which ends at byte " + std::to_string(end));
    }
  }
}

}  // namespace

std::string_view value_type_name(ValueType type) {
  return kValueTypeNames[static_cast<size_t>(type)];
}

uint64_t Tensor::rows() const {
  uint64_t rows = 1;
  for (size_t i = 1; i < dims.size(); ++i) rows *= dims[i];
  return rows;
}

File::File(const std::string& path) : map_(path) {
  Cursor cursor(map_);
  const auto magic = cursor.get<uint32_t>("the magic number");
  if (magic != 0x46554747u) throw FormatError(path, 0, "not a GGUF file: it does not start with \"GGUF\"");
  version_ = cursor.get<uint32_t>("the version");
  if (version_ != 2 && version_ != 3) {
    const bool swapped = version_ == 0x02000000u || version_ == 0x03000000u;
    throw FormatError(path, 4,
                      swapped ? std::string("a big-endian GGUF file; only little-endian ones can be read")
                              : "GGUF version " + std::to_string(version_) + "; 2 and 3 can be read");
  }
  const auto n_tensors = cursor.get<uint64_t>("the number of tensors");
  const auto n_metadata = cursor.get<uint64_t>("the number of metadata entries");
  if (n_metadata > cursor.left() / 13) {  // the smallest entry: an empty key, a type and one byte
    cursor.fail(std::to_string(n_metadata) + " metadata entries cannot fit into " +
                std::to_string(cursor.left()) + " bytes");
  }

  metadata_.reserve(n_metadata);
  for (uint64_t i = 0; i < n_metadata; ++i) {
    const std::string_view key = cursor.get_string("a metadata key");
    if (!keys_.emplace(key, i).second) cursor.fail("metadata key \"" + std::string(key) + "\" is repeated");
    const ValueType type = read_type(cursor);
    metadata_.emplace_back(key, read_value(cursor, type, 0));
  }

  const uint64_t alignment = has("general.alignment") ? unsigned_integer("general.alignment") : 32;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > (1u << 20)) {
    throw FormatError(
        path, find("general.alignment")->offset,
        "general.alignment is " + std::to_string(alignment) + "; it must be a power of two up to 1048576");
  }
  if (n_tensors > cursor.left() / 33) {  // the smallest entry: a name of one byte, one dim
    cursor.fail(std::to_string(n_tensors) + " tensors cannot fit into " + std::to_string(cursor.left()) +
                " bytes");
  }
  tensors_.reserve(n_tensors);
  std::vector<uint64_t> relative(n_tensors);
  for (uint64_t i = 0; i < n_tensors; ++i) {
    tensors_.push_back(read_tensor_info(cursor, &relative[i]));
    if (!names_.emplace(tensors_.back().name, i).second) {
      cursor.fail("tensor name \"" + tensors_.back().name + "\" is repeated");
    }
  }

  const uint64_t base = (cursor.offset() + alignment - 1) & ~(alignment - 1);
  for (uint64_t i = 0; i < n_tensors; ++i) {
    Tensor& tensor = tensors_[i];
    const BlockType* block = find_block_type(tensor.type);
    if (block == nullptr) continue;
    const uint64_t bytes = tensor_bytes(tensor, *block, cursor);
    const std::string label = "tensor \"" + tensor.name + "\": ";
    if (relative[i] % alignment != 0) {
      cursor.fail(label + "offset " + std::to_string(relative[i]) + " is not a multiple of the alignment " +
                  std::to_string(alignment));
    }
    if (base > map_.size() || relative[i] > map_.size() - base || bytes > map_.size() - base - relative[i]) {
      throw FormatError(path, base,
                        label + std::to_string(bytes) + " bytes at offset " + std::to_string(relative[i]) +
                            " of the data, but the file ends at byte " + std::to_string(map_.size()) +
                            ": truncated?");
    }
    tensor.offset = base + relative[i];
    tensor.data = map_.bytes().subspan(tensor.offset, bytes);
  }
  check_overlap(path, tensors_);
}

const Tensor* File::find_tensor(std::string_view name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? nullptr : &tensors_[it->second];
}

const Value* File::find(std::string_view key) const {
  const auto it = keys_.find(key);
  return it == keys_.end() ? nullptr : &metadata_[it->second].second;
}

const Value& File::required(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) throw FormatError(path(), "metadata key \"" + std::string(key) + "\" is missing");
  return *value;
}

void File::wrong_type(std::string_view key, const Value& value, const char* expected) const {
  throw FormatError(path(), value.offset,
                    "metadata key \"" + std::string(key) + "\" is of type " +
                        std::string(value_type_name(value.type)) + "; " + expected + " expected");
}

std::string_view File::string(std::string_view key) const {
  const Value& value = required(key);
  if (value.type != ValueType::kString) wrong_type(key, value, "a string");
  return std::get<std::string_view>(value.data);
}

uint64_t File::unsigned_integer(std::string_view key) const {
  const Value& value = required(key);
  if (value.type != ValueType::kBool) {
    if (const auto* number = std::get_if<uint64_t>(&value.data)) return *number;
    if (const auto* number = std::get_if<int64_t>(&value.data); number != nullptr && *number >= 0) {
      return static_cast<uint64_t>(*number);
    }
  }
  wrong_type(key, value, "a non-negative integer");
}

double File::number(std::string_view key) const {
  const Value& value = required(key);
  if (const auto* real = std::get_if<double>(&value.data)) return *real;
  if (const auto* integer = std::get_if<int64_t>(&value.data)) return static_cast<double>(*integer);
  return static_cast<double>(unsigned_integer(key));
}

bool File::boolean(std::string_view key) const {
  const Value& value = required(key);
  if (value.type != ValueType::kBool) wrong_type(key, value, "a bool");
  return std::get<uint64_t>(value.data) != 0;
}

std::span<const Value> File::array(std::string_view key) const {
  const Value& value = required(key);
  if (value.type != ValueType::kArray) wrong_type(key, value, "an array");
  return std::get<std::vector<Value>>(value.data);
}

}  // namespace tenon::gguf
