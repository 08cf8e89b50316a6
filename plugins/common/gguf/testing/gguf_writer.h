// Small GGUF files for tests.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gguf/block_types.h"
#include "gguf/gguf.h"

namespace tenon::gguf::testing {

// Builds a version 3 file in memory: metadata and tensors in the order they are added. Makes no checks, so that
// tests can write nonsense.
class Writer {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;

  void string(const std::string& key, const std::string& value) {
    begin(key, ValueType::kString), put_string(metadata_, value);
  }
  void u32(const std::string& key, uint32_t value) { begin(key, ValueType::kUint32), put(metadata_, value); }
  void f32(const std::string& key, float value) { begin(key, ValueType::kFloat32), put(metadata_, value); }
  void boolean(const std::string& key, bool value) {
    begin(key, ValueType::kBool), put(metadata_, static_cast<uint8_t>(value));
  }
  template <typename T>
  void scalar(const std::string& key, ValueType type, T value) {
    begin(key, type), put(metadata_, value);
  }
  void strings(const std::string& key, const std::vector<std::string>& values) {
    begin_array(key, ValueType::kString, values.size());
    for (const std::string& value : values) put_string(metadata_, value);
  }
  template <typename T>
  void array(const std::string& key, ValueType type, const std::vector<T>& values) {
    begin_array(key, type, values.size());
    for (const T& value : values) put(metadata_, value);
  }
  // An entry whose value is these bytes.
  void raw(const std::string& key, ValueType type, const std::string& bytes) {
    begin(key, type), metadata_ += bytes;
  }

  // `dims` innermost first.
  void tensor(const std::string& name, std::vector<uint64_t> dims, uint32_t type, const std::string& bytes) {
    tensors_.push_back({name, std::move(dims), type, bytes});
  }
  void tensor_f32(const std::string& name, std::vector<uint64_t> dims, const std::vector<float>& values) {
    tensor(name, std::move(dims), kF32,
           std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  }

  std::string bytes() const {
    std::string out, infos, data;
    for (const Entry& t : tensors_) {
      data.resize((data.size() + alignment - 1) / alignment * alignment);
      put_string(infos, t.name);
      put(infos, static_cast<uint32_t>(t.dims.size()));
      for (const uint64_t dim : t.dims) put(infos, dim);
      put(infos, t.type);
      put(infos, static_cast<uint64_t>(data.size()));
      data += t.bytes;
    }
    out = "GGUF";
    put(out, version);
    put(out, static_cast<uint64_t>(tensors_.size()));
    put(out, entries_);
    out += metadata_ + infos;
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }

 private:
  struct Entry {
    std::string name;
    std::vector<uint64_t> dims;
    uint32_t type;
    std::string bytes;
  };
  template <typename T>
  static void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void put_string(std::string& out, const std::string& value) {
    put(out, static_cast<uint64_t>(value.size()));
    out += value;
  }
  void begin(const std::string& key, ValueType type) {
    ++entries_;
    put_string(metadata_, key);
    put(metadata_, static_cast<uint32_t>(type));
  }
  void begin_array(const std::string& key, ValueType type, size_t n) {
    begin(key, ValueType::kArray);
    put(metadata_, static_cast<uint32_t>(type));
    put(metadata_, static_cast<uint64_t>(n));
  }

  std::string metadata_;
  uint64_t entries_ = 0;
  std::vector<Entry> tensors_;
};

}  // namespace tenon::gguf::testing
