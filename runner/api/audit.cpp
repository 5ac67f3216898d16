#include "runner/api/audit.h"

#include <algorithm>
#include <utility>

#include "runner/api/json_output.h"
#include "runner/api/query.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/audit_table.h"

namespace runner::api {
namespace {

using storage::AuditEntry;
using storage::AuditFilter;
using storage::AuditLog;
using storage::AuditRecord;

AuditFilter filter_of(const http::Request& request) {
  const auto value = [&](const char* name) {
    const std::string* text = request.query_value(name);
    return text == nullptr ? std::string() : to_utf8(*text);
  };
  AuditFilter filter{value("actor"), value("action"), value("project"), value("environment"),
                     value("result")};
  if (!filter.result.empty() && filter.result != "allow" && filter.result != "deny")
    refuse_field("result", "must be allow or deny");
  return filter;
}

bool is_rising(const http::Request& request) {
  const std::string* sort = request.query_value("sort");
  if (sort != nullptr && *sort != "asc" && *sort != "desc") refuse_field("sort", "must be asc or desc");
  return sort != nullptr && *sort == "asc";
}

}  // namespace

void write_down(const Context& context, storage::Tx& tx, const Caller& caller, AuditRecord record) {
  record.at = context.parts.clock.now();
  record.actor = caller.name;
  if (!caller.name.empty()) record.role = to_string(caller.role);
  record.method = caller.user ? "token" : caller.name.empty() ? "" : "socket";
  record.token = caller.token;
  record.source = caller.source;
  record.request = caller.request;
  AuditLog(tx).append(std::move(record));
}

void write_before(Context& context, const Caller& caller, const AuditRecord& record) {
  context.parts.store.write([&](storage::Tx& tx) { write_down(context, tx, caller, record); });
}

void write_refusal(Context& context, const http::Request& request, const Caller& caller,
                   const Refusal& refusal) noexcept {
  const int status = refusal.problem().status;
  const bool shown =
      request.headers.find("Authorization") != nullptr || request.headers.find("PRIVATE-TOKEN") != nullptr;
  const bool failed = status == 401 && shown;
  if (!failed && (status != 403 || caller.name.empty())) return;
  try {
    const std::string key = failed ? "tokens" : "of " + caller.name;
    if (!context.written.lock()->take(key, context.parts.clock.steady_now()).allowed) return;
    AuditRecord record;
    record.action = failed ? "login.failed" : "access.denied";
    record.object = to_utf8(request.method + " " + request.path);
    record.result = storage::AuditResult::deny;
    record.reason = refusal.problem().detail;
    if (const auto project = request.parameters.find("name");
        !failed && project != request.parameters.end() && request.path.starts_with("/api/v1/projects/"))
      record.project = to_utf8(project->second);
    if (const auto environment = request.parameters.find("environment");
        environment != request.parameters.end())
      record.environment = to_utf8(environment->second);
    Caller from = caller;
    from.source = request.peer.address;
    from.request = request.id;
    write_before(context, from, record);
  } catch (const std::exception& error) {
    log_error("api", std::string("a refusal is not in the audit log: ") + error.what());
  }
}

http::Response list_audit(Context& context, const Call& call) {
  const Page page = page_of(call.request, "audit");
  const AuditFilter filter = filter_of(call.request);
  const bool rising = is_rising(call.request);
  const std::int64_t from = after_id(page);
  std::vector<AuditEntry> entries;
  context.parts.store.read([&](storage::Tx& tx) {
    AuditLog log(tx);
    entries = rising ? log.after(from, page.limit + 1, filter) : log.before(from, page.limit + 1, filter);
  });
  const auto next = cut_page(entries, page, "audit", [](const auto& one) { return std::to_string(one.seq); });
  std::vector<std::string> items;
  items.reserve(entries.size());
  for (AuditEntry& entry : entries) items.push_back(std::move(entry.line));
  return list_response(items, next);
}

http::Response make_audit_checkpoint(Context& context, const Call& /*call*/) {
  storage::AuditHead head;
  context.parts.store.read([&](storage::Tx& tx) { head = AuditLog(tx).head(); });
  return json_response(200, context.parts.audit_key.sign(head, context.parts.clock.now()));
}

}  // namespace runner::api
