#pragma once
// Everything that happened on a server, in one order: what live events and audits are read from.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct LogRecord {
  std::int64_t seq = 0;  // rising without gaps
  std::optional<std::int64_t> project, pipeline, job;
  std::string kind;     // "pipeline.created"
  std::string payload;  // JSON text
  TimePoint at{};       // may go back when the clock does; the order is that of `seq`
};

/// Each one set must fit.
struct LogFilter {
  std::optional<std::int64_t> project, pipeline;
};

/// Append only. Numbers are taken in the transaction that appends, and whoever takes one holds the sequence
/// until it commits: the order of numbers is the order of commits, and who has read up to one misses nothing
/// before it.
class EventLog {
 public:
  explicit EventLog(Tx& tx) noexcept : tx_(tx) {}
  /// `seq` is not looked at. Returns it.
  std::int64_t append(const LogRecord& event);
  /// In order, those after `seq`.
  std::vector<LogRecord> after(std::int64_t seq, std::size_t limit, const LogFilter& filter = {});
  /// The newest number given; 0 when there was none.
  std::int64_t last();
  /// Everything up to this number was removed; who has read less has missed something.
  std::int64_t pruned();
  /// Removes up to and with `seq`, kMaxPage at most so that others can write meanwhile. Returns how many;
  /// call again while it is kMaxPage.
  std::size_t prune(std::int64_t seq);
  /// The same up to the first that happened at `time` or later.
  std::size_t prune_before(TimePoint time);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
