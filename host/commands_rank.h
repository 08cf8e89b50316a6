// `tenon rank`: a person puts completions of the same prompt in an order, for the stage `collect`.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <iosfwd>

namespace tenon::host {

// `given`: the folder of a run in which one stage waits for rankings, or that stage's file, JSON Lines: {"prompt": text, "completions": [text, …], "ranking": null, or places in completions, best first, or [] for "cannot say"}; other fields stay.
// Shows what has no ranking yet, completions in an order that says nothing, and asks on `in` for theirs. After each answer the whole file is written, complete or
// as it was. kExitOk: everything is ranked; kExitStopped: somebody stopped, or the input ended. Throws UserError naming file and line for what is no such file, and
// for a folder that is no run, or a run in which no stage waits, or several do: it names them.
int rank_command(const std::filesystem::path& given, std::istream& in, std::ostream& out);

}  // namespace tenon::host
