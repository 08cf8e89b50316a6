// Reads ELF headers and the dynamic symbol table, within the bounds of the file.
// SPDX-License-Identifier: Apache-2.0
#include "host/elf_check.h"

#include <elf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

#include "tenon/abi.h"

namespace tenon::host {

namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "Plugins are checked on x86-64 and AArch64; add this machine's ELF number."
#endif

std::string machine_name(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64";
    case EM_386:
      return "x86 (32 bit)";
    case EM_ARM:
      return "ARM (32 bit)";
    case EM_RISCV:
      return "RISC-V";
    default:
      return "machine " + std::to_string(machine);
  }
}

class File {
 public:
  explicit File(const std::filesystem::path& path) : in_(path, std::ios::binary) {
    std::error_code error;
    size_ = std::filesystem::file_size(path, error);
    if (error) in_.setstate(std::ios::failbit);
  }
  bool is_open() const { return in_.good(); }
  uint64_t size() const { return size_; }
  bool holds(uint64_t offset, uint64_t bytes) const { return offset <= size_ && bytes <= size_ - offset; }

  // n structs from `offset`; nothing if the file ends before.
  template <class T>
  std::optional<std::vector<T>> read(uint64_t offset, uint64_t n) {
    if (n > size_ / sizeof(T) || !holds(offset, n * sizeof(T))) return std::nullopt;
    std::vector<T> items(n);
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(reinterpret_cast<char*>(items.data()), static_cast<std::streamsize>(n * sizeof(T)));
    if (!in_) return std::nullopt;
    return items;
  }

 private:
  std::ifstream in_;
  uint64_t size_ = 0;
};

// Whether a dynamic symbol table defines TENON_ENTRY; nothing if it cannot be read.
std::optional<bool> exports_entry(File& file, const std::vector<Elf64_Shdr>& sections) {
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& strings = sections[section.sh_link];
    auto symbols = file.read<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym));
    auto names = file.read<char>(strings.sh_offset, strings.sh_size);
    if (!symbols || !names) return std::nullopt;
    return std::any_of(symbols->begin(), symbols->end(), [&](const Elf64_Sym& symbol) {
      constexpr std::string_view kEntry(TENON_ENTRY "\0", sizeof TENON_ENTRY);  // with the NUL that ends it
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names->size()) return false;
      return std::string_view(names->data() + symbol.st_name, names->size() - symbol.st_name)
          .starts_with(kEntry);
    });
  }
  return false;
}

// The size that the headers promise.
std::optional<uint64_t> promised_size(File& file, const Elf64_Ehdr& header) {
  uint64_t size = header.e_shoff + uint64_t{header.e_shnum} * header.e_shentsize;
  auto segments = file.read<Elf64_Phdr>(header.e_phoff, header.e_phnum);
  if (!segments) return std::nullopt;
  for (const Elf64_Phdr& segment : *segments) size = std::max(size, segment.p_offset + segment.p_filesz);
  return size;
}

}  // namespace

std::string why_not_a_plugin(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return "is a folder, not a plugin file";
  File file(path);
  if (!file.is_open()) return std::string("cannot be opened: ") + std::strerror(errno);
  if (file.size() == 0) return "is empty; build or copy the plugin again";

  auto magic = file.read<char>(0, std::min<uint64_t>(file.size(), SELFMAG));
  if (!magic || std::string_view(magic->data(), magic->size()) !=
                    std::string_view(ELFMAG, SELFMAG).substr(0, magic->size()))
    return "is not a plugin: it does not begin like a shared library (ELF)";
  auto headers = file.read<Elf64_Ehdr>(0, 1);
  if (!headers)
    return "is cut off after " + std::to_string(file.size()) + " bytes; build or copy the plugin again";

  const Elf64_Ehdr& header = headers->front();
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kMachine)
    return "is for " + machine_name(header.e_machine) + ", this machine is " + machine_name(kMachine) +
           "; build the plugin here";
  if (header.e_type != ET_DYN) return "is not a plugin: it is an ELF file, but not a shared library";

  auto size = promised_size(file, header);
  if (!size || *size > file.size())
    return "is cut off: " +
           (size ? "its headers promise " + std::to_string(*size) + " bytes and " : std::string()) +
           "it has " + std::to_string(file.size()) + "; build or copy the plugin again";

  auto sections = file.read<Elf64_Shdr>(header.e_shoff, header.e_shnum);
  auto exported = sections ? exports_entry(file, *sections) : std::nullopt;
  if (!exported) return "is damaged: its symbol table cannot be read; build or copy the plugin again";
  if (!*exported) return "is a shared library but not a Tenon plugin: it does not export " TENON_ENTRY;
  return "";
}

}  // namespace tenon::host
