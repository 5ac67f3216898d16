#pragma once
// What people do, and what they were not let do, as records of the audit log. Internal to this folder.

#include "runner/api/context.h"
#include "runner/api/refusal.h"
#include "runner/storage/audit_record.h"

namespace runner::api {

/// In the transaction of what it is about. Who did it, how they came and when is filled in.
void write_down(const Context& context, storage::Tx& tx, const Caller& caller, storage::AuditRecord record);

/// In a transaction of its own, before something that is done elsewhere. Throws Error: it is not to be done
/// then.
void write_before(Context& context, const Caller& caller, const storage::AuditRecord& record);

/// Somebody was not let (403), or showed what is no token (401); others pass. Only counted when there are too
/// many. Throws nothing: a refusal stays one.
void write_refusal(Context& context, const http::Request& request, const Caller& caller,
                   const Refusal& refusal) noexcept;

}  // namespace runner::api
