// Tests of the data set parquet: records of every type come out as JSON, over several row groups, and bad ones are named.
// SPDX-License-Identifier: Apache-2.0
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tenon/dataset.hpp"
#include "tenon/testing.hpp"

extern "C" const tenon_plugin* tenon_plugin_query_v1(const tenon_host_info*);

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using Options = std::map<std::string, std::string>;

const tenon_component* component() {
  return tenon::testing::component_of(tenon_plugin_query_v1(nullptr));
}

template <class Builder, class... Values>
std::shared_ptr<arrow::Array> column(Values... values) {
  Builder builder;
  EXPECT_TRUE((builder.Append(values).ok() && ...));
  return builder.Finish().ValueOrDie();
}

class ParquetData : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path); }
  void write(const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns,
             int64_t rows_of_a_group = 2) const {
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const auto& [name, array] : columns) {
      fields.push_back(arrow::field(name, array->type()));
      arrays.push_back(array);
    }
    const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
    const auto out = arrow::io::FileOutputStream::Open(path).ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, rows_of_a_group).ok());
    ASSERT_TRUE(out->Close().ok());
  }
  std::vector<tenon::Row> rows(Options options) const {
    options["file"] = tenon::json::quote(path);
    tenon::testing::Instance<tenon_dataset_vt> data(component(), options);
    return tenon::Dataset(data.ref()).read(nullptr, 0, data.vt->count(data.self));
  }
  std::string error(const Options& options) const {
    try {
      rows(options);
    } catch (const tenon::Error& e) {
      return e.what();
    }
    return "no error";
  }
  const std::string path = testing::TempDir() + "parquet_test_" + std::to_string(getpid()) + ".parquet";
};

TEST_F(ParquetData, RowsOverSeveralGroups) {
  write({{"question", column<arrow::StringBuilder>("a", "b \"x\"", "多少", "d", "e")},
         {"answer", column<arrow::Int64Builder>(1, -2, 3, 4, int64_t{9007199254740993})}});
  const auto all = rows({{"prompt", "\"question\""}, {"answer", "\"answer\""}});
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[1].prompt, "b \"x\"");
  EXPECT_EQ(all[2].prompt, "多少");
  EXPECT_EQ(all[4].meta("answer"), "9007199254740993");
  EXPECT_EQ(all[3].source, path + ":3");
  EXPECT_EQ(all[0].meta_json, R"({"question":"a","answer":1})");
}

TEST_F(ParquetData, EveryTypeHasItsJson) {
  auto strings = std::make_shared<arrow::StringBuilder>();
  arrow::ListBuilder list(arrow::default_memory_pool(), strings);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(list.Append().ok());
    for (int k = 0; k <= i; ++k) ASSERT_TRUE(strings->Append("s" + std::to_string(k)).ok());
  }
  const auto inner = column<arrow::StringBuilder>("user", "assistant");
  const auto message = arrow::StructArray::Make({inner, column<arrow::BooleanBuilder>(true, false)},
                                                std::vector<std::string>{"role", "last"})
                           .ValueOrDie();
  arrow::DoubleBuilder with_null;
  ASSERT_TRUE(with_null.Append(0.1).ok() && with_null.AppendNull().ok());
  write({{"q", column<arrow::StringBuilder>("x", "y")},
         {"f", column<arrow::FloatBuilder>(0.1f, 2.0f)},
         {"d", with_null.Finish().ValueOrDie()},
         {"i", column<arrow::Int8Builder>(int8_t{-5}, int8_t{7})},
         {"u", column<arrow::UInt64Builder>(UINT64_MAX, uint64_t{1})},
         {"l", list.Finish().ValueOrDie()},
         {"s", message},
         {"day", column<arrow::Date32Builder>(0, 19000)}});
  const auto all = rows({{"prompt", "\"q\""}});
  EXPECT_EQ(
      all[0].meta_json,
      R"({"q":"x","f":0.1,"d":0.1,"i":-5,"u":18446744073709551615,"l":["s0"],"s":{"role":"user","last":true},"day":"1970-01-01"})");
  EXPECT_EQ(
      all[1].meta_json,
      R"({"q":"y","f":2,"d":null,"i":7,"u":1,"l":["s0","s1"],"s":{"role":"assistant","last":false},"day":"2022-01-08"})");
}

TEST_F(ParquetData, BadRowsAndBadFilesAreNamed) {
  write({{"q", column<arrow::StringBuilder>("a", "", "c")}});
  EXPECT_THAT(error({{"prompt", "\"q\""}}),
              AllOf(HasSubstr("1 of 3 rows"), HasSubstr(path + ":1: field \"q\" is empty")));
  EXPECT_EQ(rows({{"prompt", "\"q\""}, {"max_skipped", "1"}}).size(), 2u);
  EXPECT_THAT(error({{"prompt", "\"z\""}}), HasSubstr("there is no field \"z\""));
  write({{"q", column<arrow::StringBuilder>("a")}, {"raw", column<arrow::BinaryBuilder>("x")}});
  EXPECT_THAT(error({{"prompt", "\"q\""}}),
              AllOf(HasSubstr("column raw"), HasSubstr("binary has no form in JSON")));
  std::ofstream(path) << "no parquet";
  EXPECT_THAT(error({{"prompt", "\"q\""}}), AllOf(HasSubstr("file: " + path), HasSubstr("magic bytes")));
  std::filesystem::remove(path);
  EXPECT_THAT(error({{"prompt", "\"q\""}}), HasSubstr("file: " + path));
}

TEST_F(ParquetData, SplitsShareNoQuestion) {
  arrow::StringBuilder questions;
  for (int i = 0; i < 400; ++i) ASSERT_TRUE(questions.Append("question " + std::to_string(i)).ok());
  write({{"q", questions.Finish().ValueOrDie()}}, 100);
  auto part = [&](const char* split) {
    return rows({{"prompt", "\"q\""}, {"split", split}, {"test_fraction", "0.25"}});
  };
  const auto train = part("\"train\""), test = part("\"test\"");
  EXPECT_EQ(train.size() + test.size(), 400u);
  EXPECT_NEAR(static_cast<double>(test.size()), 100, 45);
  EXPECT_EQ(rows({{"prompt", "\"q\""}, {"offset", "398"}}).size(), 2u);
}

TEST(ParquetCheck, RulesBetweenOptions) {
  EXPECT_THAT(tenon::testing::findings_of(
                  component(), Options{{"file", "\"x\""}, {"prompt", "\"q\""}, {"split", "\"test\""}}),
              ElementsAre(HasSubstr("needs test_fraction")));
  EXPECT_THAT(tenon::testing::findings_of(component(), Options{{"file", "\"x\""}}),
              ElementsAre(HasSubstr("nothing says what is asked")));
}

}  // namespace
