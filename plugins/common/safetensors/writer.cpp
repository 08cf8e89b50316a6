// Writing one safetensors file.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "file/atomic_file.h"
#include "safetensors/safetensors.h"

namespace tenon::safetensors {
namespace {

uint64_t element_count(const Output& tensor, const std::string& path) {
  uint64_t elements = 1;
  for (const uint64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(elements, extent, &elements)) {
      throw FormatError(path, "tensor \"" + tensor.name + "\": the number of elements overflows 64 bits");
    }
  }
  return elements;
}

// The order of the data, checked for repeated names and dtypes that cannot be written.
std::vector<const Output*> data_order(std::span<const Output> tensors, const std::string& path) {
  std::vector<const Output*> order;
  for (const Output& tensor : tensors) {
    if (tensor.data != nullptr && tensor.dtype != DType::kF32 && tensor.dtype != DType::kF16 && tensor.dtype != DType::kBF16) {
      throw FormatError(path, "tensor \"" + tensor.name + "\": cannot write dtype " +
                                  std::string(dtype_name(tensor.dtype)) + "; use F32, BF16 or F16");
    }
    if (tensor.name == "__metadata__") throw FormatError(path, "a tensor may not be called \"__metadata__\"");
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const Output* a, const Output* b) {
    const size_t size_a = dtype_size(a->dtype), size_b = dtype_size(b->dtype);
    return size_a != size_b ? size_a > size_b : a->name < b->name;
  });
  std::vector<std::string_view> names;
  for (const Output* tensor : order) names.push_back(tensor->name);
  std::sort(names.begin(), names.end());
  const auto repeated = std::adjacent_find(names.begin(), names.end());
  if (repeated != names.end())
    throw FormatError(path, "two tensors are called \"" + std::string(*repeated) + "\"");
  return order;
}

void write_data(io::AtomicFile& file, const Output& tensor, uint64_t elements, const std::string& path) {
  if (tensor.data == nullptr || tensor.dtype == DType::kF32) {
    file.write(tensor.data != nullptr ? tensor.data : tensor.raw, elements * dtype_size(tensor.dtype));
    return;
  }
  constexpr uint64_t kBlock = 1 << 20;
  std::vector<uint16_t> block(static_cast<size_t>(std::min(elements, kBlock)));
  for (uint64_t begin = 0; begin < elements; begin += kBlock) {
    const uint64_t n = std::min(kBlock, elements - begin);
    for (uint64_t i = 0; i < n; ++i) {
      const float value = tensor.data[begin + i];
      block[i] = tensor.dtype == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
      if (tensor.dtype == DType::kF16 && (block[i] & 0x7fffu) == 0x7c00u && std::isfinite(value)) {
        throw FormatError(path, "tensor \"" + tensor.name + "\": value " + std::to_string(value) +
                                    " at element " + std::to_string(begin + i) +
                                    " does not fit F16 (at most 65504); write BF16 or F32");
      }
    }
    file.write(block.data(), n * 2);
  }
}

}  // namespace

void write(const std::string& path, std::span<const Output> tensors,
           const std::map<std::string, std::string>& metadata) {
  const std::vector<const Output*> order = data_order(tensors, path);
  boost::json::object header;
  if (!metadata.empty()) {
    boost::json::object pairs;
    for (const auto& [key, value] : metadata) pairs[key] = value;
    header["__metadata__"] = std::move(pairs);
  }
  uint64_t at = 0;
  for (const Output* tensor : order) {
    const uint64_t end = at + element_count(*tensor, path) * dtype_size(tensor->dtype);
    header[tensor->name] =
        boost::json::object{{"dtype", dtype_name(tensor->dtype)},
                            {"shape", boost::json::array(tensor->shape.begin(), tensor->shape.end())},
                            {"data_offsets", boost::json::array{at, end}}};
    at = end;
  }
  std::string text = boost::json::serialize(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // the buffer starts at a multiple of 8

  io::AtomicFile file(path);
  const uint64_t length = text.size();
  file.write(&length, sizeof length);
  file.write(text.data(), text.size());
  for (const Output* tensor : order) write_data(file, *tensor, element_count(*tensor, path), path);
  file.commit();
}

}  // namespace tenon::safetensors
