// The benchmarks that `tenon eval` knows: one file each.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "host/diagnostics.h"

namespace tenon::host {

// A benchmark file, such as configs/bench/gsm8k.yaml:
//   about:    what it is, one line
//   source:   where the whole set comes from
//   licence:  of the data
//   data:     a data set as a configuration has it, {use: jsonl, file: …}; `file` is relative to the benchmark file
//   rewards:  the list of a stage `evaluate`; plugins stand in place
//   evaluate: further options of an element of its `benchmarks`; may be left out
struct BenchmarkFile {
  std::string name;  // the file's, without its ending
  std::filesystem::path path;
  std::string about, source, licence;
  boost::json::object data, evaluate;
  boost::json::value rewards;
};

// Folders that are searched for <name>.yaml: those of $TENON_BENCH_PATH (colons between), then <the program's folder>/../share/tenon/configs/bench.
std::vector<std::filesystem::path> benchmark_folders();
// All of these folders, the first of a name, sorted. A file that is none throws UserError with its place.
std::vector<BenchmarkFile> all_benchmarks(Diagnostics& diagnostics);
// `name`: one of them, or the path of a file (it ends in .yaml). Throws UserError.
BenchmarkFile find_benchmark(const std::string& name, Diagnostics& diagnostics);

}  // namespace tenon::host
