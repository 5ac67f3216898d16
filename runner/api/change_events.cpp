#include "runner/api/change_events.h"

#include <utility>

#include "runner/api/audit.h"
#include "runner/storage/event_table.h"
#include "runner/storage/project_table.h"

namespace runner::api {

void tell_change(const Context& context, storage::Tx& tx, const Change& change, JsonObject payload,
                 const Caller& caller) {
  storage::LogRecord event;
  event.project = change.project;
  event.kind = change.kind;
  event.payload = std::move(payload.text("by", caller.name)).take();
  event.at = context.parts.clock.now();
  storage::AuditRecord record;
  record.action = change.kind;
  record.object = change.object;
  if (const auto project = storage::Projects(tx).find(change.project)) record.project = project->name;
  record.environment = change.environment;
  record.reason = change.reason;
  record.before = change.before;
  record.after = change.after;
  record.deployment = change.deployment;
  record.fingerprint = change.fingerprint;
  record.details = event.payload;
  write_down(context, tx, caller, std::move(record));
  storage::EventLog(tx).append(event);
}

}  // namespace runner::api
