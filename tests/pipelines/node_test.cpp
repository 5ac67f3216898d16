#include "pipelines/node.h"

#include <gtest/gtest.h>

#include <limits>

namespace runner::pipelines {
namespace {

TEST(Node, ExpandedSizeSaturates) {
  NodeArena arena;
  const Node* node = arena.null({});
  for (int i = 0; i < 100; ++i) {
    const std::vector<const Node*> twice = {node, node};
    node = arena.sequence(twice, {});
  }
  EXPECT_EQ(node->expanded_size(), std::numeric_limits<std::uint64_t>::max());
}

TEST(Node, TextsAreCopiedAndOutliveMoves) {
  std::string text = "first";
  NodeArena arena;
  const Node* node = arena.string(text, {});
  std::string key = "key";
  const std::vector<MapEntry> entries = {{key, {}, node}};
  const Node* map = arena.mapping(entries, {});
  text = "other";
  key = "xxx";
  NodeArena moved = std::move(arena);
  EXPECT_EQ(node->text(), "first");
  EXPECT_EQ(map->find("key"), node);
}

TEST(Node, ArenaKeepsWhatIsLargerThanAChunk) {
  NodeArena arena;
  const Node* before = arena.string("before", {});
  const std::string large(5U << 20U, 'x');
  const Node* node = arena.string(large, {});
  const Node* after = arena.string("after", {});
  EXPECT_EQ(node->text(), large);
  EXPECT_EQ(before->text(), "before");
  EXPECT_EQ(after->text(), "after");
}

}  // namespace
}  // namespace runner::pipelines
