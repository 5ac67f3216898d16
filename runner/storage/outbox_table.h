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
  std::optional<OutboxRecord> find(const std::string& key);
  std::vector<OutboxRecord> all();
  /// Those of a kind whose time has come, the longest waiting first. Each kind has one who does it.
  std::vector<OutboxRecord> due(const std::string& kind, TimePoint now, std::size_t limit);
  /// The earliest time at which one of this kind is due; what to sleep for.
  std::optional<TimePoint> next_due(const std::string& kind);
  /// After a failed attempt: one more is counted, the next is at `next`. How far that is, is up to the
  /// caller. `error` is cut as storable_text() says. False when the act is gone.
  bool postpone(const std::string& key, TimePoint next, std::string_view error);
  /// Fine when it is gone already.
  void remove(const std::string& key);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
