#pragma once
// Webhooks that came in: written down before they are answered, worked on afterwards.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

enum class DeliveryState : std::uint8_t { pending, done, ignored };
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(DeliveryState state) noexcept;

struct DeliveryRecord {
  std::int64_t id = 0;
  std::int64_t project = 0;
  std::string forge, event;
  std::string key;  // unique in the project: the same delivery has the same key when it comes again
  DeliveryState state = DeliveryState::pending;
  std::string hint;    // what it said that was looked at; text of the caller's form
  std::string detail;  // what came of it, for people
  TimePoint received_at{};
  std::optional<TimePoint> done_at;
};

class Deliveries {
 public:
  explicit Deliveries(Tx& tx) noexcept : tx_(tx) {}
  /// The id is not looked at. nullopt when the project has one with this key: a replay, nothing was written.
  /// Throws Error{invalid_input} for texts that cannot be, Error{not_found} without the project.
  std::optional<std::int64_t> insert_once(const DeliveryRecord& record);
  std::optional<DeliveryRecord> find(std::int64_t id);
  std::optional<DeliveryRecord> find_by_key(std::int64_t project, const std::string& key);
  /// In the order they came, those after the id `after`; 0 begins.
  std::vector<DeliveryRecord> pending(std::size_t limit, std::int64_t after = 0);
  /// Newest first, those before the id `before`; without one from the newest.
  std::vector<DeliveryRecord> of_project(std::int64_t project, std::size_t limit,
                                         std::optional<std::int64_t> before = {});
  /// `state` is done or ignored; `detail` is cut as storable_text() says. False when it was no longer
  /// pending.
  bool finish(std::int64_t id, DeliveryState state, std::string_view detail, TimePoint at);
  /// Removes those received before `time`, kMaxPage at most so that others can write meanwhile; pending ones
  /// stay. Returns how many; call again while it is kMaxPage. Their replays are then new deliveries, so keep
  /// them longer than forges repeat them.
  std::size_t prune(TimePoint time);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
