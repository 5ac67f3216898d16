#include "runner/daemon/config_file.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "pipelines/node.h"
#include "pipelines/yaml_reader.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/daemon/config_map.h"
#include "runner/daemon/config_projects.h"
#include "runner/daemon/config_secret.h"

namespace runner::daemon {
namespace {

using pipelines::Diagnostics;
using pipelines::Node;

/// The key's text, when it is one of those.
std::optional<std::string> one_of(ConfigMap& map, std::string_view key,
                                  const std::vector<std::string>& allowed) {
  auto text = map.text(key);
  if (!text || std::find(allowed.begin(), allowed.end(), *text) != allowed.end()) return text;
  const std::vector<std::string_view> candidates(allowed.begin(), allowed.end());
  const auto meant = nearest(*text, candidates);
  map.complain(map.where(key), "'" + std::string(key) + "' cannot be " + in_quotes(*text),
               meant ? "did you mean " + in_quotes(*meant) + "?" : "allowed are " + join(allowed, ", "));
  return std::nullopt;
}

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

ConfigServer read_server(ConfigMap& map, const ConfigSecrets& secrets) {
  ConfigServer server;
  read_listen(map, server);
  read_tls(map, server, secrets);
  server.data = path_of(map, "data", secrets);
  if (const auto jobs = map.integer("jobs", 1, 10'000)) server.jobs = static_cast<std::size_t>(*jobs);
  if (const auto executor = one_of(map, "executor", {"auto", "shell"}))
    server.shell_only = *executor == "shell";
  server.timeout = map.duration("timeout", false);
  server.log_level = one_of(map, "log_level", {"debug", "info", "warn", "error"});
  return server;
}

void read_document(const Node& root, ConfigFile& config, const Environment& environment, TimePoint now,
                   Diagnostics& out) {
  ConfigMap map(root, "", out);
  ConfigSecrets secrets(config.path.parent_path(), environment);
  config.server = read_server(map, secrets);
  const auto poll = map.duration("poll_interval", true).value_or(storage::ProjectRecord().poll_interval);
  config.projects = read_config_projects(map.list("projects"), poll, secrets, now, out);
  config.secret_variables = secrets.variables();
  map.finish();
}

}  // namespace

bool operator==(const ConfigServer& a, const ConfigServer& b) {
  const auto parts = [](const ConfigServer& one) {
    const ListenAddress listen = one.listen.value_or(ListenAddress());
    return std::make_tuple(listen.host, listen.port, one.certificate, one.key, one.data, one.jobs,
                           one.shell_only, one.timeout);
  };
  return parts(a) == parts(b);
}

std::vector<std::string> ConfigReading::lines() const {
  std::vector<std::string> lines;
  for (const pipelines::Diagnostic& found : diagnostics.sorted()) {
    std::string line;
    if (found.where.known()) {
      line = sources->name(found.where.file) + ":" + std::to_string(found.where.line) + ":" +
             std::to_string(found.where.column) + ": ";
    }
    lines.push_back(line + found.message + (found.help.empty() ? "" : "; " + found.help));
  }
  return lines;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

ConfigReading read_config(const std::filesystem::path& path, const Environment& environment, TimePoint now) {
  auto text = read_file(path, pipelines::kMaxFileBytes + 1);
  if (!text) {
    throw Error(ErrorCode::invalid_input, "there is no configuration file " + in_quotes(path.native()));
  }
  ConfigReading reading;
  reading.sources = std::make_shared<pipelines::Sources>();
  const pipelines::FileId file = reading.sources->add(path.native(), std::move(*text));
  pipelines::NodeArena arena;
  const auto documents = pipelines::read_yaml(file, reading.sources->text(file), arena, reading.diagnostics);
  if (!documents) return reading;
  ConfigFile config;
  config.path = std::filesystem::absolute(path).lexically_normal();
  if (documents->size() > 1) {
    reading.diagnostics.error("config-value", documents->at(1)->range(), "there is a second document",
                              "remove the line '---'");
  } else if (!documents->empty()) {
    read_document(*documents->front(), config, environment, now, reading.diagnostics);
  }
  if (!reading.diagnostics.has_errors()) reading.config = std::move(config);
  return reading;
}

}  // namespace runner::daemon
