// The GGUF format, versions 2 and 3: metadata, tensor table, dequantisation.
// SPDX-License-Identifier: Apache-2.0
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Little-endian files only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "file/format_error.h"
#include "file/mapped_file.h"

namespace tenon::gguf {

using io::FormatError;

enum class ValueType : uint32_t {
  kUint8 = 0,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};
std::string_view value_type_name(ValueType type);

// One metadata value. Strings are views into the mapped file; they are not checked to be UTF-8.
struct Value {
  ValueType type = ValueType::kUint8;
  uint64_t offset = 0;  // of the value in the file
  // Unsigned types and kBool as uint64_t, signed ones as int64_t, floats as double.
  std::variant<uint64_t, int64_t, double, std::string_view, std::vector<Value>> data;
};

// A tensor of the file. GGUF writes dimensions innermost first: dims[0] is the length of a row, the reverse of
// the shape that PyTorch shows.
struct Tensor {
  std::string name;
  uint32_t type = 0;                // a ggml_type
  std::vector<uint64_t> dims;       // 1 to 4 of them
  uint64_t offset = 0;              // of the data in the file
  std::span<const std::byte> data;  // valid while the File lives

  uint64_t row_length() const { return dims[0]; }
  uint64_t rows() const;  // product of the other dims
};
std::string tensor_type_name(uint32_t type);  // "Q4_1", or "type 99" when unknown

// One .gguf file, memory mapped. Immutable after open: any thread may read.
class File {
 public:
  // Checks the whole table of contents and throws FormatError, naming file, byte offset and both values, when the
  // file is not GGUF, is big-endian or of another version; when anything reaches past the end; when a key or a
  // tensor name is repeated; when a tensor has no or more than four dims, a row that is not a whole number of
  // blocks, a misaligned or overlapping place; or when general.alignment is not a power of two.
  // A tensor whose type this reader cannot dequantise is not an error until it is read.
  explicit File(const std::string& path);

  const std::string& path() const { return map_.path(); }
  uint32_t version() const { return version_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const Tensor* find_tensor(std::string_view name) const;  // nullptr when absent
  const std::vector<std::pair<std::string_view, Value>>& metadata() const { return metadata_; }
  const Value* find(std::string_view key) const;  // nullptr when absent

  // Typed metadata. Throws FormatError naming the key when it is missing or has another type; numbers convert
  // between the integer widths, and between the float widths, as long as the value fits.
  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string_view string(std::string_view key) const;
  uint64_t unsigned_integer(std::string_view key) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::span<const Value> array(std::string_view key) const;

  // Converts rows [first_row, first_row + n_rows) of `tensor` (one of tensors()) to float; `out` holds
  // n_rows * row_length() values. Types: F32, F16, BF16, Q8_0, Q4_0, Q4_1. Throws FormatError naming the tensor
  // for any other type, or rows out of range.
  void dequantize(const Tensor& tensor, uint64_t first_row, uint64_t n_rows, float* out) const;

 private:
  const Value& required(std::string_view key) const;
  [[noreturn]] void wrong_type(std::string_view key, const Value& value, const char* expected) const;

  io::MappedFile map_;
  uint32_t version_ = 0;
  std::vector<std::pair<std::string_view, Value>> metadata_;
  std::unordered_map<std::string_view, size_t> keys_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> names_;
};

// Undoes llama.cpp's reordering of the q and k projections of the `llama` architecture, which serves its
// interleaved RoPE (pairs 2i, 2i+1). With d = head_dim, the file's row  h*d + 2*i + j  is row  h*d + j*(d/2) + i
// of the Hugging Face checkpoint, which rotates halves (pairs i, i + d/2); i < d/2, j < 2, and h counts heads
// (KV heads for k). `in` and `out` are [heads * head_dim, width], width 1 for a bias; they must not overlap.
void unpermute_rope_rows(const float* in, uint64_t heads, uint64_t head_dim, uint64_t width, float* out);

}  // namespace tenon::gguf
