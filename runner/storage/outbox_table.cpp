#include "runner/storage/outbox_table.h"

#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

#define RUNNER_OUTBOX_COLUMNS \
  "effect_key, kind, job_id, payload, created_at, attempts, next_attempt_at, last_error"

constexpr std::string_view kInsert = "INSERT INTO effects (" RUNNER_OUTBOX_COLUMNS
                                     ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                                     "ON CONFLICT (effect_key) DO NOTHING";
constexpr std::string_view kPut =
    "INSERT INTO effects (" RUNNER_OUTBOX_COLUMNS
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (effect_key) DO UPDATE SET "
    "payload = excluded.payload, created_at = excluded.created_at, next_attempt_at = "
    "CASE WHEN effects.attempts > 0 OR effects.next_attempt_at < excluded.next_attempt_at "
    "THEN effects.next_attempt_at ELSE excluded.next_attempt_at END";
constexpr std::string_view kByKey = "SELECT " RUNNER_OUTBOX_COLUMNS " FROM effects WHERE effect_key = $1";
constexpr std::string_view kAll =
    "SELECT " RUNNER_OUTBOX_COLUMNS " FROM effects ORDER BY created_at, effect_key";
constexpr std::string_view kDue = "SELECT " RUNNER_OUTBOX_COLUMNS
                                  " FROM effects WHERE kind = $1 AND next_attempt_at <= $2 "
                                  "ORDER BY next_attempt_at, created_at, effect_key LIMIT $3";

constexpr std::string_view kOfPipeline = "SELECT " RUNNER_OUTBOX_COLUMNS
                                         " FROM effects WHERE job_id IN (SELECT id FROM jobs WHERE "
                                         "pipeline_id = $1) ORDER BY created_at, effect_key";

#undef RUNNER_OUTBOX_COLUMNS

OutboxRecord to_effect(const Row& row) {
  return {as_text(row[0]), as_text(row[1]), as_optional_integer(row[2]),
          as_text(row[3]), as_time(row[4]), as_integer(row[5]),
          as_time(row[6]), as_text(row[7])};
}

std::vector<OutboxRecord> to_effects(const std::vector<Row>& rows) {
  std::vector<OutboxRecord> effects;
  effects.reserve(rows.size());
  for (const Row& row : rows) effects.push_back(to_effect(row));
  return effects;
}

}  // namespace

void Outbox::append(const OutboxRecord& effect) {
  tx_.sql().exec(kInsert,
                 {effect.key, effect.kind, to_value(effect.job), effect.payload, to_value(effect.created_at),
                  effect.attempts, to_value(effect.next_attempt_at.value_or(effect.created_at)),
                  storable_text(effect.last_error)});
}

void Outbox::put(const OutboxRecord& effect) {
  tx_.sql().exec(kPut,
                 {effect.key, effect.kind, to_value(effect.job), effect.payload, to_value(effect.created_at),
                  effect.attempts, to_value(effect.next_attempt_at.value_or(effect.created_at)),
                  storable_text(effect.last_error)});
}

std::optional<OutboxRecord> Outbox::find(const std::string& key) {
  const auto rows = tx_.sql().query(kByKey, {key});
  if (rows.empty()) return std::nullopt;
  return to_effect(rows[0]);
}

std::vector<OutboxRecord> Outbox::all() {
  return to_effects(tx_.sql().query(kAll, {}));
}

std::vector<OutboxRecord> Outbox::of_pipeline(std::int64_t pipeline) {
  return to_effects(tx_.sql().query(kOfPipeline, {pipeline}));
}

std::vector<OutboxRecord> Outbox::due(const std::string& kind, TimePoint now, std::size_t limit) {
  return to_effects(tx_.sql().query(kDue, {kind, to_value(now), limit_value(limit)}));
}

std::optional<TimePoint> Outbox::next_due(const std::string& kind) {
  return as_optional_time(
      tx_.sql().query("SELECT MIN(next_attempt_at) FROM effects WHERE kind = $1", {kind})[0][0]);
}

bool Outbox::postpone(const std::string& key, TimePoint next, std::string_view error) {
  return tx_.sql().exec(
             "UPDATE effects SET attempts = attempts + 1, next_attempt_at = $2, last_error = $3 "
             "WHERE effect_key = $1",
             {key, to_value(next), storable_text(error)}) == 1;
}

void Outbox::hold(const std::string& kind, const std::string& prefix, TimePoint time) {
  tx_.sql().exec(
      "UPDATE effects SET next_attempt_at = $3 WHERE kind = $1 AND next_attempt_at < $3 "
      "AND substr(effect_key, 1, length($2)) = $2",
      {kind, prefix, to_value(time)});
}

void Outbox::bound(const std::string& kind, TimePoint time) {
  tx_.sql().exec("UPDATE effects SET next_attempt_at = $2 WHERE kind = $1 AND next_attempt_at > $2",
                 {kind, to_value(time)});
}

std::int64_t Outbox::count(const std::string& kind) {
  return as_integer(tx_.sql().query("SELECT COUNT(*) FROM effects WHERE kind = $1", {kind})[0][0]);
}

std::int64_t Outbox::count(const std::string& kind, const std::string& prefix) {
  return as_integer(tx_.sql().query(
      "SELECT COUNT(*) FROM effects WHERE kind = $1 AND substr(effect_key, 1, length($2)) = $2",
      {kind, prefix})[0][0]);
}

void Outbox::remove(const std::string& key) {
  tx_.sql().exec("DELETE FROM effects WHERE effect_key = $1", {key});
}

}  // namespace runner::storage
