// The safetensors format, as checkpoints and traces use it: an 8-byte length, a JSON header, the tensors' bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "host/files.h"
#include "tenon/abi.h"

namespace tenon::host {

// A tensor in host memory: contiguous, row-major.
struct TensorView {
  std::string name;
  std::string dtype;  // "F32", "BF16", "I64"… as the format names them
  std::vector<int64_t> shape;
  void* data = nullptr;
  uint64_t bytes = 0;
};

// From DLPack. Throws RunError that names `what` if the tensor is not in host memory, not contiguous, or of a type that the format lacks.
TensorView tensor_view(const std::string& name, const DLTensor& tensor, const std::string& what);

struct FileDigest {
  uint64_t bytes = 0;
  std::string sha256;
};

// Writes the tensors in the given order, flushed to the device. Same tensors: same bytes. Throws RunError.
FileDigest write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors);

// What a file holds, whole.
struct StoredTensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::string bytes;
};
struct StoredTensors {
  std::map<std::string, std::string> metadata;
  std::map<std::string, StoredTensor> tensors;
};
// Throws RunError that names the file.
StoredTensors read_safetensors(const std::filesystem::path& path);

// Fills the tensors from the file, by name. Throws RunError that names file and tensor if one is missing, one is too many, or type or shape differ;
// nothing has been filled then.
void read_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors);

}  // namespace tenon::host
