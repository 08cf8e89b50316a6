// SHA-256 (FIPS 180-4), in lower-case hex.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace tenon::host {

// Of bytes that arrive in pieces. Throws std::runtime_error if OpenSSL cannot compute it.
class Sha256 {
 public:
  Sha256();
  void update(const void* bytes, uint64_t n);
  // 64 digits; call it once, last.
  std::string hex();

 private:
  std::unique_ptr<void, void (*)(void*)> context_;
};

std::string sha256_of(std::string_view bytes);

// Throws std::runtime_error with the file's name if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace tenon::host
