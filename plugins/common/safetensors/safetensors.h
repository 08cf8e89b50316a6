// The safetensors format: zero-copy reader, sharded checkpoints, deterministic writer.
// SPDX-License-Identifier: Apache-2.0
//
// Format: u64 little-endian header length N; N bytes of JSON that start with '{' and may end in spaces; then the
// buffer. The header maps name -> {dtype, shape, data_offsets [begin, end)} relative to byte 8 + N. Tensors are
// row-major and little-endian. See https://huggingface.co/docs/safetensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "file/format_error.h"
#include "file/mapped_file.h"

namespace tenon::safetensors {

using io::FormatError;

enum class DType {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64
};

size_t dtype_size(DType dtype);            // bytes of one element
std::string_view dtype_name(DType dtype);  // as written in the header, e.g. "BF16"

// A tensor inside an open File. `data` is not necessarily aligned to the element size.
struct View {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;      // [] is a scalar
  uint64_t elements = 0;            // product of shape
  std::span<const std::byte> data;  // elements * dtype_size(dtype) bytes, valid while the File lives
};

// One .safetensors file, memory mapped. Immutable after open: any thread may read.
class File {
 public:
  // Checks the whole header and throws FormatError, naming file, byte offset and both values, when: the file is
  // shorter than its header says; the header is over 100 MB, does not start with '{', is not JSON, repeats a
  // name or has an unknown member or dtype; offsets are reversed, leave the buffer or disagree with
  // shape x dtype; tensors overlap; or bytes of the buffer belong to no tensor.
  explicit File(const std::string& path);

  const std::string& path() const { return map_.path(); }
  const std::vector<View>& tensors() const { return tensors_; }  // in the order of their data
  const View* find(std::string_view name) const;                 // nullptr when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  io::MappedFile map_;
  std::vector<View> tensors_;
  std::map<std::string, std::string> metadata_;
  std::unordered_map<std::string_view, size_t> index_;  // keys point into tensors_
};

// One file, or the shards listed by a model.safetensors.index.json.
class Checkpoint {
 public:
  // `path`: a .safetensors file, an index .json, or a folder that holds model.safetensors.index.json or
  // model.safetensors. Throws FormatError as File does, and when the index names a missing file, a file outside
  // the folder or a tensor that its file lacks, or when a shard holds a tensor that the index does not give it.
  static Checkpoint open(const std::string& path);

  std::vector<const View*> tensors() const;       // sorted by name
  const View* find(std::string_view name) const;  // nullptr when absent
  const std::vector<std::unique_ptr<File>>& files() const { return files_; }

 private:
  std::vector<std::unique_ptr<File>> files_;
  std::map<std::string, const View*, std::less<>> index_;
};

// Converts F32, F16, BF16 or F64 data to float. `out` holds view.elements values. Throws FormatError naming the
// tensor for any other dtype.
void read_f32(const View& view, float* out, const std::string& file);

float f16_to_f32(uint16_t bits);
inline float bf16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);   // round to nearest even; beyond 65504 gives infinity
uint16_t f32_to_bf16(float value);  // round to nearest even; NaN stays NaN

// A tensor to be written, borrowed until write() returns: either floats, which are converted, or bytes as they are.
struct Output {
  std::string name;
  DType dtype = DType::kF32;  // of `data`: kF32, kBF16 or kF16
  std::vector<uint64_t> shape;
  const float* data = nullptr;  // product of shape values
  const void* raw = nullptr;    // if `data` is not given: product of shape elements of dtype, of any dtype
};

// Writes one file: a temporary file beside it, fsync, rename. The bytes depend only on the arguments, and not on
// the order of `tensors`: the data is ordered by element size (largest first, so that everything stays aligned),
// then name, as the reference implementation does. Throws FormatError for a repeated or reserved name, a value
// that overflows F16, another dtype, or a failed write (a full disk); `path` is then untouched.
void write(const std::string& path, std::span<const Output> tensors,
           const std::map<std::string, std::string>& metadata = {});

inline float bf16_to_f32(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

}  // namespace tenon::safetensors
