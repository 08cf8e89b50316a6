// Tests of the thin plugin: what `check`, `plugins` and `describe` see, without LibTorch.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_host.h"

namespace tenon::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> findings(std::string_view options) {
  FakeHost host(plugin_component(), options);
  return check_findings(plugin_component(), host);
}

TEST(TransformerPlugin, DescribesItself) {
  const tenon_component& c = plugin_component();
  EXPECT_STREQ(c.kind, "model");
  EXPECT_STREQ(c.id, "transformer");
  EXPECT_EQ(c.flags & TENON_C_STATELESS, 0u);
}

TEST(TransformerPlugin, AcceptsAShape) {
  EXPECT_THAT(findings(R"({"layers": 3, "width": 64, "heads": 4, "ffn": 256})"), IsEmpty());
  EXPECT_THAT(findings(R"({"layers": 3, "width": 64, "heads": 4, "kv_heads": 2, "head_dim": 24})"),
              IsEmpty());
}

TEST(TransformerPlugin, LeavesTheShapeOfWeightsToThem) {
  EXPECT_THAT(findings(R"({"weights": "/does/not/exist.gguf", "layers": 30})"), IsEmpty());
}

TEST(TransformerPlugin, FindsAnOptionWithoutEffect) {
  EXPECT_THAT(findings(R"({"layers": 3, "width": 64, "heads": 4, "init_std": 0.1})"), IsEmpty());
  EXPECT_THAT(findings(R"({"weights": "/does/not/exist.gguf", "init_std": 0.02})"),
              ElementsAre("init_std: no matrix of a model with `weights` begins at random"));
}

TEST(TransformerPlugin, NamesWhatIsMissing) {
  EXPECT_THAT(findings(R"({"heads": 4})"),
              ElementsAre(HasSubstr("layers: is required"), HasSubstr("width: is required")));
}

TEST(TransformerPlugin, RefusesShapesThatDoNotFit) {
  EXPECT_THAT(findings(R"({"layers": 1, "width": 65, "heads": 4, "head_dim": 16})"), IsEmpty());
  EXPECT_THAT(findings(R"({"layers": 1, "width": 96, "heads": 5})"),
              ::testing::Contains(HasSubstr("width 96 is not a multiple of heads 5")));
  EXPECT_THAT(findings(R"({"layers": 1, "width": 48, "heads": 4})"),
              ElementsAre(HasSubstr("a head is 12 wide; it must be a multiple of 8")));
  EXPECT_THAT(findings(R"({"layers": 1, "width": 64, "heads": 4, "kv_heads": 3})"),
              ElementsAre(HasSubstr("heads 4 is not a multiple of kv_heads 3")));
}

TEST(TransformerPlugin, RefusesCuda) {
  EXPECT_THAT(findings(R"({"layers": 1, "width": 64, "heads": 4, "device": "cuda"})"),
              ElementsAre(HasSubstr("device: cuda: the kernels")));
}

TEST(TransformerPlugin, SaysWhatToDoWhenItsOtherHalfIsMissing) {
  // The part is looked for beside the library, which is this test here.
  FakeHost host(plugin_component(), R"({"layers": 1, "width": 64, "heads": 4})");
  try {
    Instance instance(plugin_component(), host);
    FAIL() << "created without its LibTorch half";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("model.transformer.torch.so"));
    EXPECT_THAT(e.what(), HasSubstr("make deps build"));
  }
}

}  // namespace
}  // namespace tenon::test
