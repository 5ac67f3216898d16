#include "runner/daemon/config_file.h"

#include <cstdlib>
#include <utility>

#include "pipelines/node.h"
#include "pipelines/yaml_reader.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/daemon/config_map.h"
#include "runner/daemon/config_projects.h"
#include "runner/daemon/config_secret.h"
#include "runner/daemon/config_server.h"

namespace runner::daemon {
namespace {

using pipelines::Diagnostics;
using pipelines::Node;

void read_document(const Node& root, ConfigFile& config, const Environment& environment, TimePoint now,
                   Diagnostics& out) {
  ConfigMap map(root, "", out);
  ConfigSecrets secrets(config.path.parent_path(), environment);
  config.server = read_config_server(map, secrets);
  const auto poll = map.duration("poll_interval", true).value_or(storage::ProjectRecord().poll_interval);
  config.projects = read_config_projects(map.list("projects"), poll, secrets, now, out);
  config.secret_variables = secrets.variables();
  map.finish();
}

}  // namespace

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
