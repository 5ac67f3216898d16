#include "runner/daemon/config_server.h"

#include <tuple>

#include "pipelines/node.h"
#include "runner/base/text.h"
#include "runner/daemon/config_containers.h"
#include "runner/daemon/serve_values.h"
#include "runner/engine/engine.h"

namespace runner::daemon {
namespace {

using pipelines::Node;

std::filesystem::path path_of(ConfigMap& map, std::string_view key, const ConfigSecrets& secrets) {
  const auto text =
      map.checked_text(key, [](const std::string& path) { return path.empty() ? "may not be empty" : ""; });
  return text ? secrets.resolve(*text) : std::filesystem::path();
}

void read_listen(ConfigMap& map, ConfigServer& server) {
  const Node* found = map.get("listen");
  if (found == nullptr) return;
  if (found->is_string() || found->kind() == pipelines::NodeKind::integer)
    server.listen = parse_listen_address(found->text());
  if (server.listen) return;
  const std::string shown = found->is_scalar() ? ": " + in_quotes(found->text()) + " is none" : "";
  map.complain(found->range(), "'listen' must be an address with a port" + shown,
               std::string(kListenAddressHelp));
}

void read_url(ConfigMap& map, ConfigServer& server) {
  const auto url = map.text("url");
  if (!url) return;
  if (is_web_address(*url)) {
    server.url = *url;
  } else {
    map.complain(map.where("url"), "'url': " + in_quotes(*url) + " is no address of a web server",
                 std::string(kWebAddressHelp));
  }
}

void read_tls(ConfigMap& map, ConfigServer& server, const ConfigSecrets& secrets) {
  const Node* found = map.get("tls");
  if (found == nullptr) return;
  ConfigMap tls(*found, "tls", map.out());
  server.certificate = path_of(tls, "certificate", secrets);
  server.key = path_of(tls, "key", secrets);
  tls.require("certificate", "it goes with 'key': PEM, the server's first");
  tls.require("key", "it goes with 'certificate': PEM, without a passphrase");
  tls.finish();
}

/// What `parse` makes of the key's text or number; reported when that is nothing.
template <typename Parse>
auto parsed(ConfigMap& map, std::string_view key, Parse parse, std::string_view what, std::string_view help)
    -> decltype(parse(std::string_view())) {
  const auto text = map.written(key, what);
  if (!text) return {};
  auto value = parse(std::string_view(*text));
  if (!value)
    map.complain(map.where(key), in_quotes(key) + ": " + in_quotes(*text) + " is not " + std::string(what),
                 std::string(help));
  return value;
}

void read_executors(ConfigMap& map, ConfigServer& server) {
  const Node* found = map.mapping("executors", "names with what they may do: {shell: {jobs: 2}}");
  if (found == nullptr) return;
  ConfigMap executors(*found, "executors", map.out());
  for (const std::string_view kind : {engine::kShell, engine::kContainer}) {
    const std::string name(kind);
    if (const Node* each = executors.mapping(name, "a mapping like {jobs: 2}")) {
      ConfigMap executor(*each, "executor " + in_quotes(name), map.out());
      if (const auto jobs = executor.integer("jobs", 1, kMostJobs))
        server.executor_jobs[name] = static_cast<std::size_t>(*jobs);
      executor.finish();
    }
  }
  executors.finish();
}

void read_log(ConfigMap& map, ConfigServer& server, const ConfigSecrets& secrets) {
  server.log_level = map.choice("log_level", {"debug", "info", "warn", "error"});
  server.log_format = map.choice("log_format", {"text", "json"});
  server.log_file = path_of(map, "log_file", secrets);
  server.log_max_size = parsed(map, "log_max_size", parse_log_size, "the size of a log", kLogSizeHelp);
  if (const auto count = map.integer("log_keep", 0, kMostLogFiles))
    server.log_keep = static_cast<std::size_t>(*count);
  for (const char* key : {"log_max_size", "log_keep"}) {
    if (map.has(key) && !map.has("log_file"))
      map.complain(map.where(key), in_quotes(key) + " is for a file, and there is none",
                   "add 'log_file', or leave it out");
  }
}

}  // namespace

ConfigServer read_config_server(ConfigMap& map, const ConfigSecrets& secrets) {
  ConfigServer server;
  read_listen(map, server);
  read_url(map, server);
  read_tls(map, server, secrets);
  server.data = path_of(map, "data", secrets);
  if (const auto jobs = map.integer("jobs", 1, kMostJobs)) server.jobs = static_cast<std::size_t>(*jobs);
  read_executors(map, server);
  if (const auto executor = map.choice("executor", {"auto", "shell"}))
    server.shell_only = *executor == "shell";
  server.containers = read_config_containers(map, secrets);
  server.timeout = map.duration("timeout", false);
  server.keep_logs = parsed(map, "keep_logs", parse_keep_logs, "a time to keep logs for", kKeepLogsHelp);
  read_log(map, server, secrets);
  return server;
}

std::vector<std::string> changed_keys(const ConfigServer& a, const ConfigServer& b) {
  std::vector<std::string> keys;
  const auto compare = [&](const char* key, const auto& part_of) {
    if (part_of(a) != part_of(b)) keys.emplace_back(key);
  };
  compare("containers", [](const ConfigServer& one) { return one.containers; });
  compare("data", [](const ConfigServer& one) { return one.data; });
  compare("executor", [](const ConfigServer& one) { return one.shell_only; });
  compare("executors", [](const ConfigServer& one) { return one.executor_jobs; });
  compare("jobs", [](const ConfigServer& one) { return one.jobs; });
  compare("keep_logs", [](const ConfigServer& one) { return one.keep_logs; });
  compare("listen", [](const ConfigServer& one) {
    const ListenAddress listen = one.listen.value_or(ListenAddress());
    return std::make_tuple(listen.host, listen.port);
  });
  compare("log_file", [](const ConfigServer& one) { return one.log_file; });
  compare("log_format", [](const ConfigServer& one) { return one.log_format; });
  compare("log_keep", [](const ConfigServer& one) { return one.log_keep; });
  compare("log_level", [](const ConfigServer& one) { return one.log_level; });
  compare("log_max_size", [](const ConfigServer& one) { return one.log_max_size; });
  compare("timeout", [](const ConfigServer& one) { return one.timeout; });
  compare("tls", [](const ConfigServer& one) { return std::make_tuple(one.certificate, one.key); });
  compare("url", [](const ConfigServer& one) { return one.url; });
  return keys;
}

}  // namespace runner::daemon
