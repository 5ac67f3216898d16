#include "runner/daemon/config_secret.h"

#include <sys/stat.h>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::daemon {
namespace {

// Keys are some kilobytes.
constexpr std::size_t kLargest = std::size_t{64} << 10U;

bool everybody_reads(const std::filesystem::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && (found.st_mode & S_IROTH) != 0;
}

}  // namespace

std::filesystem::path ConfigSecrets::resolve(const std::string& path) const {
  return (directory_ / path).lexically_normal();
}

std::optional<std::string> ConfigSecrets::read(ConfigMap& map, const std::string& key,
                                               const std::string& path) {
  const std::filesystem::path file = resolve(path);
  try {
    auto text = read_file(file, kLargest);
    if (!text) {
      map.complain(map.where(key), "'" + key + "': there is no file " + in_quotes(file.native()));
      return std::nullopt;
    }
    if (everybody_reads(file)) {
      map.out().warning("config-secret", map.where(key),
                        "everybody on this machine can read " + in_quotes(file.native()),
                        "`chmod 600` it, and give it to the user of the server");
    }
    return text;
  } catch (const Error& error) {
    map.complain(map.where(key), "'" + key + "': " + error.what());
    return std::nullopt;
  }
}

std::optional<std::string> ConfigSecrets::look_up(ConfigMap& map, const std::string& key,
                                                  const std::string& name) {
  variables_.insert(name);
  auto value = environment_(name);
  if (!value) {
    map.complain(map.where(key), "'" + key + "': there is no environment variable " + in_quotes(name),
                 "set it for the server, as with `EnvironmentFile=` in its unit");
  }
  return value;
}

std::optional<std::string> ConfigSecrets::take(ConfigMap& map, const std::string& name, Form form) {
  const std::string by_file = name + "_file", by_variable = name + "_env";
  const auto file = map.text(by_file), variable = map.text(by_variable);
  // Not asked for where it is not: it is no key that one may write.
  if (map.has(name)) {
    map.get(name);
    map.complain(map.where(name), "secrets are not written here, where others may read them",
                 "put it into a file of its own and name that with '" + by_file +
                     "', or name an environment variable with '" + by_variable + "'");
    return std::nullopt;
  }
  if (file && variable) {
    map.complain(map.where(by_variable), "'" + by_file + "' and '" + by_variable + "' exclude each other");
    return std::nullopt;
  }
  if (!file && !variable) return std::nullopt;
  const std::string key = file ? by_file : by_variable;
  const auto text = file ? read(map, by_file, *file) : look_up(map, by_variable, *variable);
  if (!text) return std::nullopt;
  std::string secret(trim(*text));
  const std::string what = "'" + key + "': " + in_quotes(file ? *file : *variable);
  if (secret.empty()) {
    map.complain(map.where(key), what + " holds no secret: it is empty");
    return std::nullopt;
  }
  if (form == Form::lines) return secret + "\n";
  if (secret.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
    map.complain(map.where(key), what + " holds more than a line; a token or a secret is one");
    return std::nullopt;
  }
  return secret;
}

}  // namespace runner::daemon
