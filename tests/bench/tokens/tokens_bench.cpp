// How fast one core turns a text corpus into token ids, and into the batches that the stage pretrain gives to a model: megabytes of UTF-8 per second of CPU time.
// SPDX-License-Identifier: Apache-2.0
//
// tokens_bench [FILE…]: texts whose documents stand between blank lines; without one, the Markdown files of this repository. TENON_SMOLLM2_GGUF names the
// tokenizer; without it the small one of byte_bpe's tests is measured.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "byte_bpe/byte_bpe.h"
#include "stage_support/row_text.h"

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBatch = 32, kMicroBatchTokens = 4096;  // the defaults of pretrain
constexpr double kSeconds = 2;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::vector<fs::path> own_files() {
  std::vector<fs::path> out;
  for (const char* folder : {"docs", "plugins", "sdk"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(TENON_SOURCE) / folder))
      if (entry.path().extension() == ".md") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<tenon::Row> documents(const std::vector<fs::path>& files) {
  std::vector<tenon::Row> out;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find("\n\n", begin), text.size());
      if (end > begin) out.push_back({text.substr(begin, end - begin), "", "", "{}"});
      begin = end + 2;
    }
  }
  return out;
}

// The library as the stages see it.
struct Adapter {
  const tenon::bpe::Tokenizer& tokenizer;
  std::vector<int32_t> encode(std::string_view text, uint32_t flags) const {
    return tokenizer.encode(text, {.parse_special = (flags & TENON_ENCODE_SPECIAL) != 0,
                                   .missing_byte = tenon::bpe::MissingByte::kSkip});
  }
  std::string decode(std::span<const int32_t> ids, uint32_t) const { return tokenizer.decode(ids); }
  uint64_t size() const { return tokenizer.vocab_size(); }
  int64_t special(std::string_view) const { return tokenizer.eos().value_or(-1); }
  std::vector<int32_t> stop_ids() const { return {}; }
};

// What is done with documents; its result is the number of tokens.
template <class F>
void measure(const char* name, uint64_t bytes, F&& once) {
  double start = cpu_seconds(), took = 0;
  uint64_t tokens = once(), rounds = 0;
  const double first = cpu_seconds() - start;
  for (start = cpu_seconds(); took < kSeconds; took = cpu_seconds() - start, ++rounds) tokens = once();
  const double mb = static_cast<double>(bytes) / 1e6;
  std::printf("%-40s first time %7.2f MB/s   then %7.2f MB/s   %.2f bytes a token\n", name, mb / first,
              mb * static_cast<double>(rounds) / took,
              static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(tokens, 1)));
}

// As a step of pretrain does it: rows to sequences, these cut into micro-batches, and each laid out for the model.
uint64_t pack(const std::vector<tenon::Row>& rows, const tenon::Tokenizer& tokenizer) {
  uint64_t tokens = 0;
  for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
    tenon::Rollout batch;
    for (size_t i = begin; i < std::min(rows.size(), begin + kBatch); ++i) {
      tenon::stages::PromptAndCompletion text = tenon::stages::encode_row(rows[i], tokenizer);
      text.completion.assign(text.prompt.begin() + 1, text.prompt.end());
      text.prompt.resize(1);
      batch.push(text.prompt, text.completion, {}, i, i, 0);
    }
    for (const auto& part : batch.micro_batches(kMicroBatchTokens)) {
      const tenon::Rollout micro = batch.select(part);
      const tenon_tokens given = micro.tokens_for_model(1.0f);
      tokens += given.ids.offsets[given.ids.n];
    }
  }
  return tokens;
}

void run(const std::vector<fs::path>& files) {
  const std::vector<tenon::Row> rows = documents(files);
  uint64_t bytes = 0;
  std::string whole;
  for (const tenon::Row& row : rows) bytes += row.prompt.size(), whole += row.prompt + "\n\n";
  const char* gguf = std::getenv("TENON_SMOLLM2_GGUF");
  const std::string file =
      gguf != nullptr ? gguf : TENON_SOURCE "/plugins/common/byte_bpe/testdata/tokenizer.json";
  std::printf("%s\n%zu documents, %.2f MB\n", file.c_str(), rows.size(), static_cast<double>(bytes) / 1e6);

  const tenon::bpe::EncodeOptions options{.missing_byte = tenon::bpe::MissingByte::kSkip};
  {
    const auto tokenizer = tenon::bpe::Tokenizer::open(file);
    measure("tokenising, document by document", bytes, [&] {
      uint64_t tokens = 0;
      for (const tenon::Row& row : rows) tokens += tokenizer.encode(row.prompt, options).size();
      return tokens;
    });
  }
  {
    const auto tokenizer = tenon::bpe::Tokenizer::open(file);
    measure("tokenising, one text", whole.size(), [&] { return tokenizer.encode(whole, options).size(); });
  }
  {
    const auto tokenizer = tenon::bpe::Tokenizer::open(file);
    Adapter adapter{tokenizer};
    const tenon_ref ref{sizeof(tenon_ref), 0,           &adapter, &tenon::TokenizerShim<Adapter>::kTable,
                        "byte-bpe",        "tokenizer", nullptr};
    const tenon::Tokenizer handle(ref);
    measure("tokenising and packing, as in pretrain", bytes, [&] { return pack(rows, handle); });
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<fs::path> given(argv + 1, argv + argc);
  run(given.empty() ? own_files() : given);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "error: %s\n", e.what());
  return 1;
}
