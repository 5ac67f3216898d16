#include "runner/daemon/audit_heart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/storage/audit_table.h"

namespace runner::daemon {
namespace {

using storage::AuditLog;
using storage::Tx;

TEST(AuditHeart, TellsWhenTheServerLivedAndWhenNot) {
  const SystemClock clock;
  const auto store = storage::make_memory_store(clock);
  const storage::AuditKey key(storage::Secret::copy_of(std::string(32, 'k')));
  const auto seq = [&] {
    std::int64_t found = 0;
    store->read([&](Tx& tx) { found = AuditLog(tx).head().seq; });
    return found;
  };
  {
    AuditHeart heart(*store, key, clock, "1.2.3", std::chrono::milliseconds(1));
    EXPECT_EQ(seq(), 0);
    heart.start();
    while (seq() < 3) std::this_thread::yield();
    heart.stop();
    const std::int64_t stopped = seq();
    heart.stop();
    EXPECT_EQ(seq(), stopped);
  }
  { const AuditHeart never(*store, key, clock, "1.2.3"); }
  storage::AuditChain chain;
  std::vector<std::string> lines;
  store->read([&](Tx& tx) {
    for (const auto& entry : AuditLog(tx).after(0, 1000)) {
      EXPECT_EQ(chain.add(entry.line), std::nullopt);
      lines.push_back(entry.line);
    }
  });
  EXPECT_THAT(lines.front(),
              testing::AllOf(testing::HasSubstr("server.started"), testing::HasSubstr("1.2.3")));
  EXPECT_THAT(lines[1], testing::HasSubstr("server.alive"));
  EXPECT_THAT(lines.back(), testing::HasSubstr("server.stopped"));
}

}  // namespace
}  // namespace runner::daemon
