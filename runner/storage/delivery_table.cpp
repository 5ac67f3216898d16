#include "runner/storage/delivery_table.h"

#include <limits>

#include "runner/base/error.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_DELIVERY_COLUMNS \
  "id, project_id, forge, event, delivery_key, state, hint, detail, received_at, done_at"

constexpr std::string_view kById = "SELECT " RUNNER_DELIVERY_COLUMNS " FROM deliveries WHERE id = $1";
constexpr std::string_view kByKey =
    "SELECT " RUNNER_DELIVERY_COLUMNS " FROM deliveries WHERE project_id = $1 AND delivery_key = $2";
constexpr std::string_view kPending =
    "SELECT " RUNNER_DELIVERY_COLUMNS
    " FROM deliveries WHERE state = 'pending' AND id > $1 ORDER BY id LIMIT $2";
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_DELIVERY_COLUMNS
    " FROM deliveries WHERE project_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
constexpr std::string_view kInsert =
    "INSERT INTO deliveries (" RUNNER_DELIVERY_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (project_id, delivery_key) DO NOTHING";

#undef RUNNER_DELIVERY_COLUMNS

constexpr std::size_t kMaxKey = 1024;
constexpr std::size_t kMaxHint = 1U << 20U;

DeliveryRecord to_delivery(const Row& row) {
  DeliveryRecord delivery;
  delivery.id = as_integer(row[0]);
  delivery.project = as_integer(row[1]);
  delivery.forge = as_text(row[2]);
  delivery.event = as_text(row[3]);
  delivery.key = as_text(row[4]);
  delivery.state = as_enumerator(
      row[5], {DeliveryState::pending, DeliveryState::done, DeliveryState::ignored}, "state of a delivery");
  delivery.hint = as_text(row[6]);
  delivery.detail = as_text(row[7]);
  delivery.received_at = as_time(row[8]);
  delivery.done_at = as_optional_time(row[9]);
  return delivery;
}

std::vector<DeliveryRecord> to_deliveries(const std::vector<Row>& rows) {
  std::vector<DeliveryRecord> deliveries;
  deliveries.reserve(rows.size());
  for (const Row& row : rows) deliveries.push_back(to_delivery(row));
  return deliveries;
}

std::optional<DeliveryRecord> first(const std::vector<Row>& rows) {
  if (rows.empty()) return std::nullopt;
  return to_delivery(rows[0]);
}

}  // namespace

std::string_view to_string(DeliveryState state) noexcept {
  switch (state) {
    case DeliveryState::pending:
      return "pending";
    case DeliveryState::done:
      return "done";
    case DeliveryState::ignored:
      return "ignored";
  }
  return "pending";
}

std::optional<std::int64_t> Deliveries::insert_once(const DeliveryRecord& record) {
  check_text("the forge of a delivery", record.forge, kMaxKey);
  check_text("the event of a delivery", record.event, kMaxKey);
  check_text("the key of a delivery", record.key, kMaxKey);
  check_text("the hint of a delivery", record.hint, kMaxHint);
  check_project(tx_, record.project);
  // Looked for first, so that replays take no ids.
  if (find_by_key(record.project, record.key)) return std::nullopt;
  const std::int64_t id = tx_.take_ids("deliveries", 1);
  const std::int64_t written = tx_.sql().exec(
      kInsert,
      {id, record.project, record.forge, record.event, record.key, std::string(to_string(record.state)),
       record.hint, storable_text(record.detail), to_value(record.received_at), to_value(record.done_at)});
  if (written != 1) return std::nullopt;
  return id;
}

std::optional<DeliveryRecord> Deliveries::find(std::int64_t id) {
  return first(tx_.sql().query(kById, {id}));
}

std::optional<DeliveryRecord> Deliveries::find_by_key(std::int64_t project, const std::string& key) {
  return first(tx_.sql().query(kByKey, {project, key}));
}

std::vector<DeliveryRecord> Deliveries::pending(std::size_t limit, std::int64_t after) {
  return to_deliveries(tx_.sql().query(kPending, {after, limit_value(limit)}));
}

std::vector<DeliveryRecord> Deliveries::of_project(std::int64_t project, std::size_t limit,
                                                   std::optional<std::int64_t> before) {
  const std::int64_t below = before.value_or(std::numeric_limits<std::int64_t>::max());
  return to_deliveries(tx_.sql().query(kOfProject, {project, below, limit_value(limit)}));
}

bool Deliveries::finish(std::int64_t id, DeliveryState state, std::string_view detail, TimePoint at) {
  if (state == DeliveryState::pending) {
    throw Error(ErrorCode::internal, "a delivery does not end as pending");
  }
  return tx_.sql().exec(
             "UPDATE deliveries SET state = $2, detail = $3, done_at = $4 WHERE id = $1 AND state = "
             "'pending'",
             {id, std::string(to_string(state)), storable_text(detail), to_value(at)}) == 1;
}

std::size_t Deliveries::prune(TimePoint time) {
  return static_cast<std::size_t>(
      tx_.sql().exec("DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE received_at < $1 "
                     "AND state <> 'pending' ORDER BY received_at LIMIT $2)",
                     {to_value(time), limit_value(kMaxPage)}));
}

}  // namespace runner::storage
