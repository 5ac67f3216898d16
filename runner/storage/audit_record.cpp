#include "runner/storage/audit_record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/timestamp.h"

namespace runner::storage {

using nlohmann::json;

std::string_view to_string(AuditResult result) noexcept {
  switch (result) {
    case AuditResult::allow:
      return "allow";
    case AuditResult::deny:
      return "deny";
  }
  return "";
}

std::string canonical_record(const AuditRecord& record, std::int64_t seq) {
  json document = {{"seq", seq},
                   {"at", format_iso8601_ms(record.at)},
                   {"action", record.action},
                   {"result", to_string(record.result)}};
  const auto text = [&](const char* name, const std::string& value) {
    if (!value.empty()) document[name] = value;
  };
  text("actor", record.actor);
  text("role", record.role);
  text("method", record.method);
  text("source", record.source);
  text("object", record.object);
  text("project", record.project);
  text("environment", record.environment);
  text("reason", record.reason);
  text("before", record.before);
  text("after", record.after);
  text("fingerprint", record.fingerprint);
  text("request_id", record.request);
  if (record.token) document["token"] = *record.token;
  if (record.deployment) document["deployment"] = *record.deployment;
  if (json details = json::parse(record.details, nullptr, false); details.is_object() && !details.empty())
    document["details"] = std::move(details);
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace runner::storage
