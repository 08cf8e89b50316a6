// The data sets that train against the verifiers, and these: what a row gives as its answer is right, and the same with another number is not.
// SPDX-License-Identifier: Apache-2.0
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr uint64_t kRows = 20;

class Verifiers : public testing::Test {
 protected:
  Verifiers() {
    std::string name = (fs::temp_directory_path() / "tenon-verifiers-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  ~Verifiers() override { fs::remove_all(dir_); }

  // The first rows of the data set of a plugin's file.
  static std::vector<tenon::Row> rows(const char* plugin) {
    void* library = ::dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    using Query = const tenon_plugin*(const tenon_host_info*);
    auto* query = reinterpret_cast<Query*>(::dlsym(library, "tenon_plugin_query_v1"));
    tenon::testing::Instance<tenon_dataset_vt> data(tenon::testing::component_of(query(nullptr)));
    return tenon::Dataset(data.ref()).read(nullptr, 0, kRows);
  }
  // What `tenon score` says of the rows with these completions. `reward`: its name and further arguments.
  std::vector<json::object> score(const std::string& reward, const std::vector<tenon::Row>& rows,
                                  const std::vector<std::string>& completions) const {
    {
      std::ofstream out(dir_ / "rows.jsonl");
      for (size_t i = 0; i < rows.size(); ++i) {
        json::object row = json::parse(rows[i].meta_json).as_object();
        row["completion"] = completions[i];
        out << json::serialize(row) << "\n";
      }
    }
    const int status = std::system(("cd '" + dir_.string() + "' && '" TENON_PROGRAM "' score --reward " +
                                    reward + " rows.jsonl > scores.jsonl 2> errors.txt")
                                       .c_str());
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    std::vector<json::object> scores;
    std::ifstream in(dir_ / "scores.jsonl");
    for (std::string line; std::getline(in, line);) scores.push_back(json::parse(line).as_object());
    return scores;
  }
  void expect_told_apart(const char* plugin, const std::string& reward) const {
    const std::vector<tenon::Row> all = rows(plugin);
    std::vector<std::string> right, wrong;
    for (const tenon::Row& row : all) {
      right.push_back(row.completion);
      wrong.push_back(spoiled(row.completion));
      ASSERT_NE(right.back(), wrong.back());
    }
    for (const auto& [completions, expected] : {std::pair(right, 1.0), std::pair(wrong, 0.0)}) {
      const std::vector<json::object> scores = score(reward, all, completions);
      ASSERT_EQ(scores.size(), all.size());
      for (size_t i = 0; i < scores.size(); ++i) {
        EXPECT_EQ(scores[i].at("status").as_string(), "ok") << json::serialize(scores[i]);
        EXPECT_EQ(scores[i].at("reward").to_number<double>(), expected)
            << all[i].meta_json << completions[i] << json::serialize(scores[i]);
      }
    }
  }

  fs::path dir_;

 private:
  // With another first number; without a number, with another value at the end.
  static std::string spoiled(std::string completion) {
    const auto digit = std::find_if(completion.begin(), completion.end(),
                                    [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digit != completion.end())
      completion.insert(digit, '7');
    else
      completion.insert(completion.find_last_not_of('\n') + 1, " * 3");
    return completion;
  }
};

TEST_F(Verifiers, MathKnowsTheAnswersOfFractions) {
  expect_told_apart(TENON_FRACTIONS, "math");
  expect_told_apart(TENON_FRACTIONS, "math --set worked_out=true");
}

TEST_F(Verifiers, TheQuestionIsNoAnswerWhereItMustBeWorkedOut) {
  const std::vector<tenon::Row> all = rows(TENON_FRACTIONS);
  std::vector<std::string> copied;
  for (const tenon::Row& row : all) copied.push_back("\\boxed{" + *row.meta("problem") + "}");
  for (const auto& [reward, expected] :
       {std::pair("math", 1.0), std::pair("math --set worked_out=true", 0.0)}) {
    const std::vector<json::object> scores = score(reward, all, copied);
    ASSERT_EQ(scores.size(), all.size());
    for (const json::object& one : scores)
      EXPECT_EQ(one.at("reward").to_number<double>(), expected) << json::serialize(one);
  }
}

TEST_F(Verifiers, CodeKnowsTheAnswersOfPythonTasks) {
  if (std::system("python3 -c pass > /dev/null 2>&1") != 0) GTEST_SKIP() << "no python3";
  expect_told_apart(TENON_PYTHON_TASKS, "code");
}

// The weights, which `make fractions` and `make python` fetch, are not needed for it: any file stands for them.
TEST_F(Verifiers, TheConfigurationsThatTrainAgainstThemAreRight) {
  const std::string weights = (dir_ / "weights.gguf").string();
  std::ofstream(weights) << "not read by `tenon check`";
  for (const char* name : {"fractions-smollm2", "python-smollm2"})
    EXPECT_EQ(std::system(("'" TENON_PROGRAM "' check '" TENON_CONFIGS "/" + std::string(name) +
                           ".yaml' --set 'components.tokens.file=" + weights +
                           "' --set 'components.policy.weights=" + weights + "' > /dev/null")
                              .c_str()),
              0)
        << name;
}

}  // namespace
