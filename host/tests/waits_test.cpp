// Tests of a stage that waits for something outside of the run: what is kept, how the run ends, and that it goes on.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "host/command_line.h"
#include "host/json_text.h"
#include "host/tests/run_fixture.h"

namespace tenon::host {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class Waits : public Run {
 protected:
  // Stage zero waits before that step for the file answer_.
  fs::path waiting_before(int step, const std::string& runs) const {
    return write_config(config("", ", wait_at: " + std::to_string(step) + ", answer: " + answer_.string(),
                               (dir_ / runs).string()),
                        runs + ".yaml");
  }
  // The steps of which stage zero has a checkpoint.
  std::vector<std::string> checkpoints() const {
    std::vector<std::string> out;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(stage_folder(folder_, "zero") / "checkpoints", none))
      out.push_back(entry.path().filename().string());
    return out;
  }
  // What the uninterrupted run gives.
  std::map<std::string, std::string> results_without_waiting(int step) {
    std::ofstream(answer_) << "yes";
    const Outcome outcome = run(waiting_before(step, "other"));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    fs::remove(answer_);
    return results(dir_ / "other/toy");
  }

  const fs::path answer_ = dir_ / "answer.txt", folder_ = dir_ / "runs/toy";
};

TEST_F(Waits, KeepsWhatWasDoneAndGoesOnFromThere) {
  const auto want = results_without_waiting(6);
  const Outcome waits = run(waiting_before(6, "runs"));
  EXPECT_EQ(waits.code, kExitWaits);
  EXPECT_THAT(waits.err,
              AllOf(HasSubstr("stage zero (toy-train) waits: somebody has to write " + answer_.string() +
                              "; then go on with: tenon resume " + folder_.string() + "\n"),
                    Not(HasSubstr("error")), Not(HasSubstr("starts again"))));
  EXPECT_THAT(read_file(folder_ / "log.txt"),
              AllOf(HasSubstr("stage zero (toy-train) waits: somebody"), Not(HasSubstr("failed"))));
  EXPECT_THAT(checkpoints(), testing::UnorderedElementsAre("4", "6"));

  const std::string metrics = read_file(folder_ / "metrics.jsonl");
  const Outcome again = resume(folder_);
  EXPECT_EQ(again.code, kExitWaits) << again.err;
  EXPECT_EQ(read_file(folder_ / "metrics.jsonl"), metrics) << "nothing is done again";
  EXPECT_EQ(again.err, waits.err);

  std::ofstream(answer_) << "yes";
  const Outcome done = resume(folder_);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(results(folder_), want);
}

TEST_F(Waits, BeforeItsFirstStepThereIsNoCheckpoint) {
  const auto want = results_without_waiting(0);
  const fs::path file = waiting_before(0, "runs");
  for (const Outcome& waits : {run(file), run(file), resume(folder_)}) {
    EXPECT_EQ(waits.code, kExitWaits) << waits.err;
    EXPECT_THAT(checkpoints(), testing::IsEmpty());
  }
  std::ofstream(answer_) << "yes";
  const Outcome done = resume(folder_);
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(results(folder_), want);
}

TEST_F(Waits, ScriptsAreToldSo) {
  const fs::path file = waiting_before(2, "runs");
  const Outcome waits = wait(start([&] {
    RunArguments a;
    a.config = file;
    a.json = true;
    return run_command(a);
  }));
  EXPECT_EQ(waits.code, kExitWaits);
  const json::object said = json::parse(waits.out).as_object();
  EXPECT_EQ(said.at("status"), "waits");
  EXPECT_THAT(std::string(said.at("message").as_string()), HasSubstr("somebody has to write"));
}

}  // namespace
}  // namespace tenon::host
