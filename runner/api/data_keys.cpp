// Data keys: listed, changed, removed.
#include <algorithm>

#include "runner/api/audit.h"
#include "runner/api/json_output.h"
#include "runner/api/key_actions.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

std::string report_json(const DataKeyReport& report) {
  std::vector<std::string> keys;
  for (const DataKeyReport::Key& key : report.keys) {
    JsonObject json;
    json.text("id", key.id)
        .time("made_at", key.made_at)
        .flag("seals", key.seals)
        .number("values", key.values);
    keys.push_back(std::move(json).take());
  }
  JsonObject json;
  json.raw("keys", json_list(keys))
      .flag("renewing", report.renewing)
      .size("renewed", report.renewed)
      .texts("failures", report.failures);
  return std::move(json).take();
}

/// Whoever has stolen a token of an admin must not be able to make secrets unreadable.
void check_here(const Caller& caller) {
  if (caller.user)
    refuse(403,
           "data keys are changed on the server's machine, by its socket and without a token: log in there "
           "as root or as the server's user");
}

}  // namespace

http::Response list_data_keys(Context& context, const Call& /*call*/) {
  return json_response(200, report_json(context.parts.keys.data_keys()));
}

http::Response change_data_key(Context& context, const Call& call) {
  check_here(call.caller);
  write_before(context, call.caller, {.action = "key.changed", .object = "data key"});
  const std::string id = context.parts.keys.change_data_key();
  log_info("api", in_quotes(call.caller.name) + " put the data key " + id + " in place of the one before");
  return json_response(202, report_json(context.parts.keys.data_keys()));
}

http::Response remove_data_key(Context& context, const Call& call) {
  check_here(call.caller);
  const std::string& id = call.request.parameters.at("id");
  const DataKeyReport report = context.parts.keys.data_keys();
  // What is going to be refused is not written down as done.
  const bool removable = std::any_of(report.keys.begin(), report.keys.end(), [&](const auto& key) {
    return key.id == id && !key.seals && key.values == 0;
  });
  if (removable) write_before(context, call.caller, {.action = "key.removed", .object = "data key " + id});
  try {
    context.parts.keys.remove_data_key(id);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) refuse(404, error.what());
    if (error.code() == ErrorCode::conflict) refuse(409, error.what());
    throw;
  }
  log_info("api", in_quotes(call.caller.name) + " removed the data key " + id);
  http::Response response;
  response.status = 204;
  return response;
}

}  // namespace runner::api
