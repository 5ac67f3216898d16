#include "executors/containers/progress_lines.h"

#include <gmock/gmock.h>

#include "runner/base/error.h"

namespace runner::executors {
namespace {

using testing::ElementsAre;

TEST(ProgressLines, AreWholeWhereverTheyWereCut) {
  const std::string text = "{\"a\":1}\n\n{\"b\":2}\r\nlast";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::vector<std::string> seen;
    const auto take = [&](std::string_view line) { seen.emplace_back(line); };
    ProgressLines lines;
    lines.feed(std::string_view(text).substr(0, cut), take);
    lines.feed(std::string_view(text).substr(cut), take);
    lines.finish(take);
    EXPECT_THAT(seen, ElementsAre("{\"a\":1}", "{\"b\":2}\r", "last")) << cut;
  }
}

TEST(ProgressLines, OneWithoutEndIsNotKept) {
  ProgressLines lines(8);
  const auto take = [](std::string_view) {};
  lines.feed("12345678\n1234567", take);
  EXPECT_NO_THROW(lines.feed("8", take));
  EXPECT_THROW(lines.feed("9", take), Error);
}

}  // namespace
}  // namespace runner::executors
