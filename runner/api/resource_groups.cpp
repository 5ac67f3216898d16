// Process modes of resource groups.
#include "runner/storage/resource_group_table.h"

#include "runner/api/audit.h"
#include "runner/api/configured.h"
#include "runner/api/json_input.h"
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"
#include "runner/engine/resource_groups.h"
#include "runner/storage/configured_table.h"

namespace runner::api {
namespace {

constexpr std::size_t kMaxMode = 64;

std::string group_json(const storage::ResourceGroupRecord& record) {
  JsonObject json;
  json.text("key", record.name).text("process_mode", record.mode);
  return std::move(json).take();
}

}  // namespace

http::Response list_resource_groups(Context& context, const Call& call) {
  std::vector<std::string> items;
  context.parts.store.read([&](storage::Tx& tx) {
    items.clear();
    const auto project = get_project(tx, call.request.parameters.at("name"));
    for (const auto& record : storage::ResourceGroupModes(tx).of_project(project.id))
      items.push_back(group_json(record));
  });
  return list_response(items, {});
}

http::Response change_resource_group(Context& context, const Call& call) {
  JsonInput input(call.request.body);
  const auto text = input.text("process_mode", kMaxMode);
  input.require("process_mode");
  const auto mode = text ? engine::parse_resource_mode(*text) : std::nullopt;
  if (text && !mode)
    input.complain("process_mode", "must be unordered, oldest_first, newest_first or newest_ready_first");
  input.finish();
  storage::ResourceGroupRecord record;
  storage::ProjectRecord project;
  context.parts.store.write([&](storage::Tx& tx) {
    project = get_project(tx, call.request.parameters.at("name"));
    record = {project.id, call.request.parameters.at("group"), *text};
    if (!is_utf8(record.name)) refuse_missing("resource group " + in_quotes(to_utf8(record.name)));
    check_not_configured(tx, project, {storage::resource_group_field(record.name)});
    storage::ResourceGroupModes(tx).put(record);
    write_down(context, tx, call.caller,
               {.action = "resource_group.changed",
                .object = "resource group " + record.name,
                .project = project.name,
                .after = *text});
  });
  context.parts.actions.set_resource_mode(project, record.name, *mode);
  return json_response(200, group_json(record));
}

}  // namespace runner::api
