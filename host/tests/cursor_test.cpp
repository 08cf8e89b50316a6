// The cursor: no row lost or given twice in an epoch, and the same order after a resume.
// SPDX-License-Identifier: Apache-2.0
#include "host/cursor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tenon::host {
namespace {

struct Numbers {
  uint64_t n;
  bool fails = false;

  static constexpr tenon_dataset_vt kTable{
      sizeof(tenon_dataset_vt), 0, [](void* self) { return static_cast<Numbers*>(self)->n; },
      [](void* self, const tenon_call*, const uint64_t* index, uint64_t n, const tenon_row_sink* sink,
         tenon_error*) -> int32_t {
        if (static_cast<Numbers*>(self)->fails) return TENON_E_IO;
        for (uint64_t i = 0; i < n; ++i) {
          const std::string text = std::to_string(index[i]);
          tenon_row row{sizeof row, 0, {text.data(), text.size()}, {}, {}, {}, {}, 0};
          sink->row(sink->ctx, &row);
        }
        return TENON_OK;
      },
      nullptr};
};

std::vector<uint64_t> take(Cursor& cursor, uint64_t n, int32_t want = TENON_OK) {
  std::vector<uint64_t> out;
  tenon_row_sink sink{sizeof sink, 0, &out, [](void* ctx, const tenon_row* row) -> int32_t {
                        static_cast<std::vector<uint64_t>*>(ctx)->push_back(
                            std::stoull(std::string(row->prompt.ptr, row->prompt.len)));
                        return TENON_OK;
                      }};
  EXPECT_EQ(Cursor::table()->next(&cursor, nullptr, n, &sink, nullptr), want);
  return out;
}

TEST(Cursor, EachEpochIsAnotherPermutation) {
  Numbers data{101};
  Cursor cursor(&data, &Numbers::kTable, nullptr, 7);
  std::vector<uint64_t> all(101), first = take(cursor, 101), second = take(cursor, 101);
  std::iota(all.begin(), all.end(), uint64_t{0});
  EXPECT_NE(first, all);
  EXPECT_NE(first, second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  EXPECT_EQ(first, all);
  EXPECT_EQ(second, all);
}

TEST(Cursor, PiecesMakeNoDifferenceAndAResumeGoesOn) {
  Numbers data{10};
  Cursor whole(&data, &Numbers::kTable, nullptr, 7), pieces(&data, &Numbers::kTable, nullptr, 7);
  const std::vector<uint64_t> want = take(whole, 47);
  std::vector<uint64_t> got;
  for (uint64_t n : {3, 4, 11}) {
    for (uint64_t x : take(pieces, n)) got.push_back(x);
  }
  Cursor resumed(&data, &Numbers::kTable, nullptr, 7);
  resumed.seek(pieces.position());
  for (uint64_t x : take(resumed, 29)) got.push_back(x);
  EXPECT_EQ(got, want);
}

TEST(Cursor, TheKeyDecidesTheOrder) {
  EXPECT_NE(epoch_order(50, 1, 0), epoch_order(50, 2, 0));
}

// Every place of a row is equally likely: χ² with 5 degrees of freedom of where row 0 of 6 lands, in 6,000 epochs, below its 99.9th percentile.
TEST(Cursor, PermutationsAreUniform) {
  std::vector<double> counts(6, 0.0);
  for (uint64_t epoch = 0; epoch < 6000; ++epoch) {
    const std::vector<uint64_t> order = epoch_order(6, 3, epoch);
    ++counts[static_cast<size_t>(std::find(order.begin(), order.end(), 0u) - order.begin())];
  }
  double chi2 = 0;
  for (double c : counts) chi2 += (c - 1000) * (c - 1000) / 1000;
  EXPECT_LT(chi2, 20.515);
}

TEST(Cursor, UnboundedSetsGoByIndex) {
  Numbers data{TENON_COUNT_UNBOUNDED};
  Cursor cursor(&data, &Numbers::kTable, nullptr, 7);
  EXPECT_EQ(take(cursor, 3), (std::vector<uint64_t>{0, 1, 2}));
  EXPECT_EQ(take(cursor, 2), (std::vector<uint64_t>{3, 4}));
}

// The index that came with each row.
std::vector<uint64_t> take_indices(Cursor& cursor, uint64_t n) {
  std::vector<uint64_t> out;
  tenon_row_sink sink{sizeof sink, 0, &out, [](void* ctx, const tenon_row* row) -> int32_t {
                        EXPECT_EQ(std::to_string(row->index), std::string(row->prompt.ptr, row->prompt.len));
                        static_cast<std::vector<uint64_t>*>(ctx)->push_back(row->index);
                        return TENON_OK;
                      }};
  EXPECT_EQ(Cursor::table()->next(&cursor, nullptr, n, &sink, nullptr), TENON_OK);
  return out;
}

TEST(Cursor, EachRowComesWithItsIndex) {
  for (const uint64_t n : {uint64_t{10}, uint64_t{TENON_COUNT_UNBOUNDED}}) {
    Numbers data{n};
    Cursor cursor(&data, &Numbers::kTable, nullptr, 7);
    EXPECT_EQ(take_indices(cursor, 25).size(), 25u);
  }
}

// A data set that was built before rows had an index.
TEST(Cursor, ASmallerRowGetsItsIndexToo) {
  static constexpr tenon_dataset_vt kOld{
      sizeof(tenon_dataset_vt), 0, [](void*) -> uint64_t { return TENON_COUNT_UNBOUNDED; },
      [](void*, const tenon_call*, const uint64_t* index, uint64_t n, const tenon_row_sink* sink,
         tenon_error*) -> int32_t {
        for (uint64_t i = 0; i < n; ++i) {
          const std::string text = std::to_string(index[i]);
          tenon_row row{offsetof(tenon_row, index), 0, {text.data(), text.size()}, {}, {}, {}, {}, 99};
          sink->row(sink->ctx, &row);
        }
        return TENON_OK;
      },
      nullptr};
  Cursor cursor(nullptr, &kOld, nullptr, 7);
  EXPECT_EQ(take_indices(cursor, 3), (std::vector<uint64_t>{0, 1, 2}));
}

TEST(Cursor, MoreRowsThanWereAskedForAreAnError) {
  static constexpr tenon_dataset_vt kGenerous{sizeof(tenon_dataset_vt), 0,
                                              [](void*) -> uint64_t { return 10; },
                                              [](void*, const tenon_call*, const uint64_t*, uint64_t n,
                                                 const tenon_row_sink* sink, tenon_error*) -> int32_t {
                                                int32_t code = TENON_OK;
                                                for (uint64_t i = 0; i < n + 1 && code == TENON_OK; ++i) {
                                                  tenon_row row{sizeof row, 0, {"1", 1}, {}, {}, {}, {}, 0};
                                                  code = sink->row(sink->ctx, &row);
                                                }
                                                return code;
                                              },
                                              nullptr};
  Cursor cursor(nullptr, &kGenerous, nullptr, 7);
  EXPECT_EQ(take(cursor, 3, TENON_E_INTERNAL).size(), 3u);
  EXPECT_EQ(cursor.position(), 0u);
}

// Chooses from the back, and remembers what it is told.
struct Backwards : Numbers {
  explicit Backwards(uint64_t rows) : Numbers{rows}, at(rows) {}
  uint64_t at;
  std::vector<uint64_t> told;
  std::vector<double> means;

  static constexpr tenon_curriculum kCurriculum{
      sizeof(tenon_curriculum), 0,
      [](void* self, const tenon_call*, uint64_t n, uint64_t* index, tenon_error*) -> int32_t {
        auto& b = *static_cast<Backwards*>(static_cast<Numbers*>(self));
        for (uint64_t i = 0; i < n; ++i) index[i] = --b.at;
        return TENON_OK;
      },
      [](void* self, const tenon_call*, uint64_t n, const uint64_t* index, const double* mean_reward,
         const uint64_t* n_valid, tenon_error*) -> int32_t {
        auto& b = *static_cast<Backwards*>(static_cast<Numbers*>(self));
        for (uint64_t i = 0; i < n; ++i) {
          b.told.insert(b.told.end(), {index[i], n_valid[i]});
          b.means.push_back(mean_reward[i]);
        }
        return TENON_OK;
      }};
};

TEST(Cursor, ACurriculumChoosesAndIsToldTheOutcomes) {
  Backwards data(10);
  Cursor cursor(static_cast<Numbers*>(&data), &Numbers::kTable, &Backwards::kCurriculum, 7);
  EXPECT_EQ(take_indices(cursor, 3), (std::vector<uint64_t>{9, 8, 7}));
  EXPECT_EQ(cursor.position(), 3u);

  const auto* behind =
      static_cast<const tenon_curriculum*>(Cursor::life()->extension(&cursor, TENON_EXT_CURRICULUM));
  ASSERT_NE(behind, nullptr);
  EXPECT_EQ(behind->choose, nullptr) << "choosing is the cursor's";
  const uint64_t index[]{9, 7}, valid[]{4, 0};
  const double mean[]{0.25, std::nan("")};
  ASSERT_EQ(behind->outcome(&cursor, nullptr, 2, index, mean, valid, nullptr), TENON_OK);
  EXPECT_EQ(data.told, (std::vector<uint64_t>{9, 4, 7, 0}));
  EXPECT_EQ(data.means[0], 0.25);
  EXPECT_TRUE(std::isnan(data.means[1]));
  EXPECT_EQ(Cursor::life()->extension(&cursor, "tenon.ext.other/1"), nullptr);
}

TEST(Cursor, ARowThatIsNotThereIsTheCurriculumsError) {
  Backwards data(10);
  data.at = 12;
  Cursor cursor(static_cast<Numbers*>(&data), &Numbers::kTable, &Backwards::kCurriculum, 7);
  char text[200];
  tenon_error err{sizeof err, 0, text, sizeof text, 0};
  tenon_row_sink sink{sizeof sink, 0, nullptr, [](void*, const tenon_row*) -> int32_t {
                        ADD_FAILURE() << "a row was given";
                        return TENON_OK;
                      }};
  EXPECT_EQ(Cursor::table()->next(&cursor, nullptr, 1, &sink, &err), TENON_E_INTERNAL);
  EXPECT_EQ(std::string(text, err.len), "the curriculum chose row 11 of 10");
  EXPECT_EQ(cursor.position(), 0u);
}

TEST(Cursor, WithoutACurriculumThereIsNoExtension) {
  Numbers data{10};
  Cursor cursor(&data, &Numbers::kTable, nullptr, 7);
  EXPECT_EQ(Cursor::life()->extension(&cursor, TENON_EXT_CURRICULUM), nullptr);
}

TEST(Cursor, AFailedReadDoesNotMoveIt) {
  Numbers data{10, true};
  Cursor cursor(&data, &Numbers::kTable, nullptr, 7);
  take(cursor, 3, TENON_E_IO);
  EXPECT_EQ(cursor.position(), 0u);
}

}  // namespace
}  // namespace tenon::host
