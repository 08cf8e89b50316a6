// JSON text: numbers that read back to the same bits, strings that are always JSON.
// SPDX-License-Identifier: Apache-2.0
#include "host/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace tenon::host {
namespace {

TEST(JsonText, NumbersAreShortAndExact) {
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(3), "3");
  EXPECT_EQ(json_number(1e-7), "1e-07");
  EXPECT_EQ(json_number(std::nan("")), "null");
  EXPECT_EQ(json_number(-std::numeric_limits<double>::infinity()), "null");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    double x;
    const uint64_t bits = random();
    std::memcpy(&x, &bits, sizeof x);
    if (std::isfinite(x)) {
      EXPECT_EQ(std::strtod(json_number(x).c_str(), nullptr), x);
    }
  }
}

TEST(JsonText, StringsAreJsonWhateverTheBytes) {
  EXPECT_EQ(json_quote("a\"\\\n\x01é"), "\"a\\\"\\\\\\n\\u0001é\"");
  EXPECT_EQ(json_quote("\xff"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json_quote("\xed\xa0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string s;
    for (int k = 0; k < 12; ++k) s += static_cast<char>(random() % 256);
    EXPECT_NO_THROW(boost::json::parse(json_quote(s)));
  }
}

TEST(JsonText, SortedIsCanonical) {
  const auto a = boost::json::parse(R"({"b": 1, "a": [true, null, {"z": 0.5, "y": "t"}]})");
  EXPECT_EQ(json_text(a, JsonOrder::kSorted), R"({"a":[true,null,{"y":"t","z":0.5}],"b":1})");
  EXPECT_EQ(json_text(a), R"({"b":1,"a":[true,null,{"z":0.5,"y":"t"}]})");
  EXPECT_EQ(boost::json::parse(json_pretty(a)), a);
}

}  // namespace
}  // namespace tenon::host
