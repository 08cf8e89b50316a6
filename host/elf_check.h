// Looks at a file before it is opened as a plugin, because opening a shared library runs its code.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

namespace tenon::host {

// Why `file` cannot be a plugin for this machine, as the end of a sentence that begins with its name ("is
// empty"…), with the next step; empty if it is a whole ELF shared library that exports TENON_ENTRY. Reads
// headers and the symbol table only, and trusts none of their numbers.
std::string why_not_a_plugin(const std::filesystem::path& file);

}  // namespace tenon::host
