#include "runner/api/change_events.h"

#include <utility>

#include "runner/storage/event_table.h"

namespace runner::api {

void tell_change(const Context& context, storage::Tx& tx, std::int64_t project, const char* kind,
                 JsonObject payload, const Caller& caller) {
  payload.text("by", caller.name);
  storage::LogRecord event;
  event.project = project;
  event.kind = kind;
  event.payload = std::move(payload).take();
  event.at = context.parts.clock.now();
  storage::EventLog(tx).append(event);
}

}  // namespace runner::api
