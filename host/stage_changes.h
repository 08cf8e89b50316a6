// In what a stage differs from the one that made a result: options, files, plugins, earlier stages.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "host/content_hash.h"

namespace tenon::host {

// Why a stage runs, although there may be a result of it.
struct Reason {
  enum class Kind {
    kNew,          // there is nothing of it in this run's folder
    kForced,       // the command line asks for it
    kInterrupted,  // it was interrupted before its first checkpoint
    kUnrecorded,   // it ran with something else, of which there is no record
    kOption,       // `what`: its path in the stage
    kComponent,    // `what`: a slot, which holds another component
    kFile,         // `what`: a file, of another content
    kPlugin,       // `what`: a plugin, of another version
    kStage,        // `what`: a stage that it reads, whose result is another
    kSeed
  } kind = Kind::kNew;
  std::string what, before, now;  // before, now: as texts; empty where there is none
  std::string text;               // for people: "data.rows: 200 → 300"
};

// "option", "file", …: the kind, for scripts.
const char* reason_name(Reason::Kind kind);
// Whether something that the result depends on was changed, rather than that there is no result.
bool is_change(const Reason& reason);
// The first three texts, "; " between them, then how many more there are.
std::string reasons_text(const std::vector<Reason>& reasons);

// What a stage's folder keeps of a StageContent (depends_on.json), and what is compared.
boost::json::object content_record(const StageContent& content);

// In what two records differ, in the order of the stage's options; empty: in nothing. Throws RunError if `before` is no such record; `file` is where it stands.
std::vector<Reason> content_changes(const boost::json::object& before, const boost::json::object& now,
                                    const std::string& file);

}  // namespace tenon::host
