// The safetensors format, as checkpoints use it.
// SPDX-License-Identifier: Apache-2.0
#include "host/safetensors.h"

#include <boost/json.hpp>
#include <cstring>
#include <fstream>

#include "host/json_text.h"
#include "host/run_error.h"
#include "host/sha256.h"

namespace tenon::host {

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxHeader = 100 << 20;  // the format's own limit

const char* dtype_name(const DLDataType& t) {
  if (t.lanes != 1) return nullptr;
  struct Known {
    int code, bits;
    const char* name;
  };
  static constexpr Known kKnown[] = {{kDLFloat, 64, "F64"},   {kDLFloat, 32, "F32"}, {kDLFloat, 16, "F16"},
                                     {kDLBfloat, 16, "BF16"}, {kDLInt, 64, "I64"},   {kDLInt, 32, "I32"},
                                     {kDLInt, 16, "I16"},     {kDLInt, 8, "I8"},     {kDLUInt, 64, "U64"},
                                     {kDLUInt, 32, "U32"},    {kDLUInt, 16, "U16"},  {kDLUInt, 8, "U8"},
                                     {kDLBool, 8, "BOOL"}};
  for (const Known& k : kKnown)
    if (t.code == k.code && t.bits == k.bits) return k.name;
  return nullptr;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i > 0 ? "," : "") + std::to_string(shape[i]);
  return out + "]";
}

// Where a tensor of the file lies.
struct Entry {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;
};

struct Header {
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;
};

Header parse_header(const fs::path& path, const std::string& text, uint64_t data_bytes) {
  Header out;
  try {
    const json::value header = json::parse(text);
    for (const auto& pair : header.as_object()) {
      if (pair.key() == "__metadata__") {
        for (const auto& entry : pair.value().as_object())
          out.metadata[entry.key()] = entry.value().as_string().c_str();
        continue;
      }
      const json::object& o = pair.value().as_object();
      Entry e;
      e.dtype = o.at("dtype").as_string().c_str();
      for (const json::value& d : o.at("shape").as_array()) e.shape.push_back(d.to_number<int64_t>());
      e.begin = o.at("data_offsets").as_array().at(0).to_number<uint64_t>();
      e.end = o.at("data_offsets").as_array().at(1).to_number<uint64_t>();
      if (e.begin > e.end || e.end > data_bytes)
        throw RunError("tensor " + std::string(pair.key()) + " lies outside of the file");
      out.entries.emplace(pair.key(), std::move(e));
    }
  } catch (const std::exception& e) {
    throw RunError(path.string() + ": byte 8: the header of the tensors is broken: " + e.what());
  }
  return out;
}

// A file whose header has been read. Throws RunError.
class OpenFile {
 public:
  explicit OpenFile(const fs::path& path) : path_(path), file_(path, std::ios::binary) {
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (!file_ || error) throw RunError(path.string() + ": cannot be opened");
    uint64_t length = 0;
    file_.read(reinterpret_cast<char*>(&length), sizeof length);
    if (!file_ || length > kMaxHeader || length > size - sizeof length)
      throw RunError(path.string() + ": byte 0: the length of the header is not that of a safetensors file");
    std::string text(length, '\0');
    file_.read(text.data(), static_cast<std::streamsize>(length));
    data_ = sizeof length + length;
    header_ = parse_header(path, text, size - data_);
  }
  const Header& header() const { return header_; }
  // The bytes of a tensor of this file.
  void read(const std::string& name, char* to) {
    const Entry& e = header_.entries.at(name);
    file_.seekg(static_cast<std::streamoff>(data_ + e.begin));
    file_.read(to, static_cast<std::streamsize>(e.end - e.begin));
    if (!file_) throw RunError(path_.string() + ": cannot read tensor " + name);
  }

 private:
  fs::path path_;
  std::ifstream file_;
  uint64_t data_ = 0;
  Header header_;
};

}  // namespace

TensorView tensor_view(const std::string& name, const DLTensor& t, const std::string& what) {
  const char* dtype = dtype_name(t.dtype);
  if (dtype == nullptr)
    throw RunError(what + ": tensor " + name + " has the DLPack type (" + std::to_string(t.dtype.code) +
                   ", " + std::to_string(t.dtype.bits) + " bits), which a checkpoint cannot hold");
  if (t.device.device_type != kDLCPU) throw RunError(what + ": tensor " + name + " is not in host memory");
  TensorView view{name,
                  dtype,
                  {t.shape, t.shape + t.ndim},
                  static_cast<char*>(t.data) + t.byte_offset,
                  t.dtype.bits / 8u};
  for (int i = t.ndim - 1; i >= 0; --i) {
    if (t.strides != nullptr && t.shape[i] > 1 &&
        static_cast<uint64_t>(t.strides[i]) * (t.dtype.bits / 8u) != view.bytes)
      throw RunError(what + ": tensor " + name + " is not contiguous");
    view.bytes *= static_cast<uint64_t>(t.shape[i]);
  }
  return view;
}

FileDigest write_safetensors(const fs::path& path, const std::vector<TensorView>& tensors) {
  json::object header;
  uint64_t offset = 0;
  for (const TensorView& t : tensors) {
    json::array shape(t.shape.begin(), t.shape.end());
    if (header.contains(t.name)) throw RunError(path.string() + ": two tensors are called " + t.name);
    header[t.name] = json::object{{"dtype", t.dtype},
                                  {"shape", std::move(shape)},
                                  {"data_offsets", json::array{offset, offset + t.bytes}}};
    offset += t.bytes;
  }
  std::string text = json_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned

  OutputFile file(path, OutputFile::Mode::kCreate);
  Sha256 hash;
  auto put = [&](const void* bytes, uint64_t n) {
    file.write(bytes, n);
    hash.update(bytes, n);
  };
  const uint64_t length = text.size();
  put(&length, sizeof length);
  put(text.data(), text.size());
  for (const TensorView& t : tensors) put(t.data, t.bytes);
  const uint64_t size = file.size();
  file.close();
  return {size, hash.hex()};
}

void read_safetensors(const fs::path& path, const std::vector<TensorView>& tensors) {
  OpenFile file(path);
  const std::map<std::string, Entry>& entries = file.header().entries;
  if (entries.size() != tensors.size())
    throw RunError(path.string() + ": has " + std::to_string(entries.size()) + " tensors where " +
                   std::to_string(tensors.size()) +
                   " are expected: it was written by another component or with other options");
  for (const TensorView& t : tensors) {
    auto found = entries.find(t.name);
    if (found == entries.end()) throw RunError(path.string() + ": has no tensor " + t.name);
    const Entry& e = found->second;
    if (e.dtype != t.dtype || e.shape != t.shape || e.end - e.begin != t.bytes)
      throw RunError(path.string() + ": tensor " + t.name + " is " + e.dtype + shape_text(e.shape) +
                     " where " + t.dtype + shape_text(t.shape) + " is expected");
  }
  for (const TensorView& t : tensors) file.read(t.name, static_cast<char*>(t.data));
}

StoredTensors read_safetensors(const fs::path& path) {
  OpenFile file(path);
  StoredTensors out;
  out.metadata = file.header().metadata;
  for (const auto& [name, entry] : file.header().entries) {
    StoredTensor& tensor =
        out.tensors[name] = {entry.dtype, entry.shape, std::string(entry.end - entry.begin, '\0')};
    file.read(name, tensor.bytes.data());
  }
  return out;
}

}  // namespace tenon::host
