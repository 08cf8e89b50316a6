// Reading and checking one safetensors file.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "json/json_document.h"
#include "safetensors/safetensors.h"

namespace tenon::safetensors {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  size_t size;
};
constexpr std::array<DTypeInfo, 15> kDTypes{{{DType::kBool, "BOOL", 1},
                                             {DType::kU8, "U8", 1},
                                             {DType::kI8, "I8", 1},
                                             {DType::kF8E4M3, "F8_E4M3", 1},
                                             {DType::kF8E5M2, "F8_E5M2", 1},
                                             {DType::kI16, "I16", 2},
                                             {DType::kU16, "U16", 2},
                                             {DType::kF16, "F16", 2},
                                             {DType::kBF16, "BF16", 2},
                                             {DType::kI32, "I32", 4},
                                             {DType::kU32, "U32", 4},
                                             {DType::kF32, "F32", 4},
                                             {DType::kF64, "F64", 8},
                                             {DType::kI64, "I64", 8},
                                             {DType::kU64, "U64", 8}}};

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == name) return info.dtype;
  }
  return std::nullopt;
}

// The header's JSON text, bounds checked.
std::string_view header_text(const io::MappedFile& map) {
  const std::string& path = map.path();
  if (map.size() < 8) {
    throw FormatError(path, map.size(),
                      "truncated: 8 bytes of header length expected, the file has " +
                          std::to_string(map.size()) + " bytes");
  }
  uint64_t length;
  std::memcpy(&length, map.bytes().data(), 8);
  if (length > kMaxHeader) {
    throw FormatError(path, 0,
                      "header length " + std::to_string(length) + " is above the limit of " +
                          std::to_string(kMaxHeader) + " bytes: not a safetensors file?");
  }
  if (length > map.size() - 8) {
    throw FormatError(path, 0,
                      "truncated: header length " + std::to_string(length) + ", but only " +
                          std::to_string(map.size() - 8) + " bytes follow");
  }
  const std::string_view text = map.text().substr(8, length);
  if (text.empty() || text.front() != '{') throw FormatError(path, 8, "the header does not start with '{'");
  return text;
}

// One header entry; `buffer` is the data section, which starts at byte `base` of the file.
View read_entry(const json::Ref& entry, std::string_view name, std::span<const std::byte> buffer,
                uint64_t base) {
  for (const auto& member : entry.object()) {
    if (member.key() != "dtype" && member.key() != "shape" && member.key() != "data_offsets") {
      entry.fail("unknown member \"" + std::string(member.key()) + "\"");
    }
  }
  View view;
  view.name = name;
  const json::Ref dtype = entry.at("dtype");
  const auto parsed = parse_dtype(dtype.string());
  if (!parsed) dtype.fail("unknown dtype \"" + std::string(dtype.string()) + "\"");
  view.dtype = *parsed;

  const json::Ref shape = entry.at("shape");
  view.elements = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    view.shape.push_back(shape[i].unsigned_integer());
    if (__builtin_mul_overflow(view.elements, view.shape.back(), &view.elements)) {
      shape.fail("the number of elements overflows 64 bits");
    }
  }
  uint64_t bytes;
  if (__builtin_mul_overflow(view.elements, dtype_size(view.dtype), &bytes)) {
    shape.fail("the number of bytes overflows 64 bits");
  }

  const json::Ref offsets = entry.at("data_offsets");
  if (offsets.size() != 2)
    offsets.fail("expected [begin, end], found " + std::to_string(offsets.size()) + " values");
  const uint64_t begin = offsets[0].unsigned_integer();
  const uint64_t end = offsets[1].unsigned_integer();
  const auto fail = [&](const std::string& what) {
    throw FormatError(entry.file(), base + begin, "tensor \"" + view.name + "\": " + what);
  };
  if (begin > end)
    fail("data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + ") are reversed");
  if (end > buffer.size()) {
    fail("data ends at offset " + std::to_string(end) + " of a buffer of " + std::to_string(buffer.size()) +
         " bytes: truncated?");
  }
  if (end - begin != bytes) {
    fail("data_offsets hold " + std::to_string(end - begin) + " bytes, but shape and dtype need " +
         std::to_string(bytes));
  }
  view.data = buffer.subspan(begin, bytes);
  return view;
}

// Data must be back to back from the first byte to the last.
void check_cover(const std::string& path, const std::vector<View>& views, std::span<const std::byte> buffer,
                 uint64_t base) {
  uint64_t at = 0;
  const View* previous = nullptr;
  for (const View& view : views) {
    const auto begin = static_cast<uint64_t>(view.data.data() - buffer.data());
    if (begin < at) {
      throw FormatError(path, base + begin,
                        "tensor \"" + view.name + "\" starts at offset " + std::to_string(begin) +
                            " and overlaps \"" + previous->name + "\", which ends at " + std::to_string(at));
    }
    if (begin > at) {
      throw FormatError(path, base + at,
                        "offsets " + std::to_string(at) + " to " + std::to_string(begin) +
                            ", before tensor \"" + view.name + "\", belong to no tensor");
    }
    at += view.data.size();
    previous = &view;
  }
  if (at != buffer.size()) {
    throw FormatError(path, base + at,
                      "the tensors end at offset " + std::to_string(at) + " of a buffer of " +
                          std::to_string(buffer.size()) + " bytes");
  }
}

}  // namespace

size_t dtype_size(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].size;
}
std::string_view dtype_name(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].name;
}

File::File(const std::string& path) : map_(path) {
  const std::string_view text = header_text(map_);
  const uint64_t base = 8 + text.size();
  const auto buffer = map_.bytes().subspan(base);
  const boost::json::value header = json::parse(text, path, 8);
  const json::Ref root(header, path);
  for (const auto& member : root.object()) {
    const json::Ref entry = root.at(member.key());
    if (member.key() == "__metadata__") {
      for (const auto& pair : entry.object())
        metadata_[pair.key()] = std::string(entry.at(pair.key()).string());
    } else {
      tensors_.push_back(read_entry(entry, member.key(), buffer, base));
    }
  }
  // Empty tensors sort before the tensor that starts at the same place.
  std::sort(tensors_.begin(), tensors_.end(), [](const View& a, const View& b) {
    if (a.data.data() != b.data.data()) return a.data.data() < b.data.data();
    if (a.data.size() != b.data.size()) return a.data.size() < b.data.size();
    return a.name < b.name;
  });
  check_cover(path, tensors_, buffer, base);
  for (size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

const View* File::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

}  // namespace tenon::safetensors
