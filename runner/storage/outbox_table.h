#pragma once
// Acts that were decided and may not have been done yet. Whoever does them does them after the commit,
// removes them then, and does what is left after a restart: doing one twice is harmless.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/records.h"
#include "runner/storage/store.h"

namespace runner::storage {

class Outbox {
 public:
  explicit Outbox(Tx& tx) noexcept : tx_(tx) {}
  /// Fine when the same act is there already; that one stays as it is.
  void append(const OutboxRecord& effect);
  /// The same act with news: payload and time of creation of the one that is there are replaced. What was
  /// tried stays counted and waits as long as before; else the earlier time counts.
  void put(const OutboxRecord& effect);
  std::optional<OutboxRecord> find(const std::string& key);
  std::vector<OutboxRecord> all();
  /// Those of the attempts of its jobs.
  std::vector<OutboxRecord> of_pipeline(std::int64_t pipeline);
  /// Those of a kind whose time has come, the longest waiting first. Each kind has one who does it.
  std::vector<OutboxRecord> due(const std::string& kind, TimePoint now, std::size_t limit);
  /// The earliest time at which one of this kind is due; what to sleep for.
  std::optional<TimePoint> next_due(const std::string& kind);
  /// After a failed attempt: one more is counted, the next is at `next`. How far that is, is up to the
  /// caller. `error` is cut as storable_text() says. False when the act is gone.
  bool postpone(const std::string& key, TimePoint next, std::string_view error);
  /// Those of a kind whose keys begin so, and that would be due earlier, wait until `time`. Nothing is
  /// counted.
  void hold(const std::string& kind, const std::string& prefix, TimePoint time);
  /// None of a kind waits longer than until `time`: for clocks that were put back.
  void bound(const std::string& kind, TimePoint time);
  std::int64_t count(const std::string& kind);
  /// How many of a kind have keys that begin so.
  std::int64_t count(const std::string& kind, const std::string& prefix);
  /// Fine when it is gone already.
  void remove(const std::string& key);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
