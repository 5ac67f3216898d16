#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "builds/build_log.h"
#include "builds/client_program.h"
#include "builds/image_builder.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Values = std::map<std::string, std::string>;

constexpr unsigned kPrivate = 0600;
// From this version on the client builds by its plugin buildx only.
constexpr std::int64_t kNeedsBuildx = 23;
constexpr const char* kUsualPlaces = "/usr/local/bin:/usr/bin:/bin";

std::string own_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Values client_environment(const BuildRequest& request) {
  Values environment;
  for (const char* name :
       {"PATH", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"})
    if (const std::string value = own_variable(name); !value.empty()) environment[name] = value;
  for (const auto& [name, value] : request.environment) environment[name] = value;
  return environment;
}

/// "Docker version 28.2.2, build ..." as 28.
std::optional<std::int64_t> major_version(std::string_view text) {
  constexpr std::string_view kBegin = "Docker version ";
  const std::size_t at = text.find(kBegin);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kBegin.size());
  return parse_integer(text.substr(0, text.find('.')));
}

/// Whether newer clients have what they build with. Only these places count: our settings hide the user's.
bool has_buildx() {
  static constexpr const char* kPlaces[] = {"/usr/local/lib/docker", "/usr/local/libexec/docker",
                                            "/usr/lib/docker", "/usr/libexec/docker"};
  return std::any_of(std::begin(kPlaces), std::end(kPlaces), [](const char* place) {
    std::error_code error;
    return fs::is_regular_file(fs::path(place) / "cli-plugins/docker-buildx", error);
  });
}

/// Whether clients can build, by their file as it is: starting one to ask takes longer than many a build.
class KnownClients {
 public:
  /// Without a directory nothing is known.
  explicit KnownClients(const fs::path& directory) {
    if (directory.empty()) return;
    file_ = directory / "docker-clients";
    std::error_code error;
    fs::create_directories(directory, error);  // what cannot be kept is found out again
    const auto text = read_file(file_);
    if (!text) return;
    for (const std::string_view line : split(std::string_view(*text), '\n'))
      if (!line.empty() && lines_.size() < kMost) lines_.emplace_back(line);
  }

  std::optional<bool> find(const std::string& client) const {
    for (const bool fits : {true, false})
      if (std::find(lines_.begin(), lines_.end(), line_of(client, fits)) != lines_.end()) return fits;
    return std::nullopt;
  }

  void add(const std::string& client, bool fits) {
    if (file_.empty()) return;
    lines_.insert(lines_.begin(), line_of(client, fits));
    if (lines_.size() > kMost) lines_.resize(kMost);
    try {
      write_file_atomic(file_, join(lines_, "\n") + "\n", kPrivate, false);
    } catch (const Error&) {
      file_.clear();  // it is found out again next time
    }
  }

 private:
  static constexpr std::size_t kMost = 16;

  static std::string line_of(const std::string& client, bool fits) {
    struct stat info {};
    if (::stat(client.c_str(), &info) != 0) return {};
    return std::to_string(info.st_dev) + " " + std::to_string(info.st_ino) + " " +
           std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
           std::to_string(info.st_mtim.tv_nsec) + " " + (fits ? "fits " : "unfit ") + in_quotes(client);
  }

  fs::path file_;
  std::vector<std::string> lines_;
};

bool can_build(const std::string& client, const Values& environment, const std::stop_token& stop) {
  const ClientEnd said = run_client({{client, "--version"}, environment, {}}, ClientOutput::kept, stop);
  const auto major = major_version(said.tail);
  return said.code == 0 && major && *major < kNeedsBuildx;
}

/// Its last line is the reason: "failed to solve with frontend dockerfile.v0: ...".
std::string last_line(std::string_view text) {
  text = trim(text);
  const std::size_t end = text.rfind('\n');
  return std::string(trim(end == std::string_view::npos ? text : text.substr(end + 1)));
}

void write_inputs(const BuildOrder& order) {
  write_file_atomic(order.place / "Dockerfile", order.dockerfile, kPrivate, false);
  if (!order.context.ignore_text.empty())
    write_file_atomic(order.place / "Dockerfile.dockerignore", order.context.ignore_text, kPrivate, false);
}

}  // namespace

std::string docker_client(const Values& environment, const fs::path& memory, const std::stop_token& stop) {
  KnownClients known(memory);
  const auto path = environment.find("PATH");
  std::string places = path == environment.end() ? std::string() : path->second + ":";
  places += kUsualPlaces;
  std::string unfit;
  for (const std::string_view place : split(std::string_view(places), ':')) {
    const fs::path file = fs::path(place) / "docker";
    std::error_code error;
    if (!file.is_absolute() || !fs::is_regular_file(file, error)) continue;
    // Whatever its version is, no need to start it for that.
    if (has_buildx()) return file.native();
    std::optional<bool> fits = known.find(file.native());
    if (!fits) {
      fits = can_build(file.native(), environment, stop);
      known.add(file.native(), *fits);
    }
    if (*fits) return file.native();
    unfit = in_quotes(file.native()) + " lacks its plugin buildx";
  }
  throw Error(ErrorCode::unavailable,
              unfit.empty()
                  ? "there is no program 'docker' in PATH, which builds with Docker; install it"
                  : unfit + "; install buildx, or a client of Docker 20.10 at another place of PATH");
}

bool steers_docker(const std::string& name) {
  static constexpr std::string_view kNames[] = {"PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"};
  static constexpr std::string_view kBegins[] = {"DOCKER_", "BUILDX_", "LD_", "XDG_", "OTEL_"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         std::any_of(std::begin(kBegins), std::end(kBegins),
                     [&](std::string_view begin) { return name.starts_with(begin); });
}

std::vector<std::string> docker_words(const BuildOrder& order, const Values& secret_paths) {
  const BuildRequest& request = order.request;
  std::vector<std::string> words = {"build",
                                    "--progress",
                                    "plain",
                                    "--file",
                                    (order.place / "Dockerfile").native(),
                                    "--iidfile",
                                    (order.place / "id").native()};
  const auto add = [&](const char* option, const std::string& value) {
    words.emplace_back(option);
    words.push_back(value);
  };
  if (!request.target.empty()) add("--target", request.target);
  if (!order.platform.empty()) add("--platform", order.platform);
  for (const auto& [name, value] : request.args) add("--build-arg", name);
  if (request.cache.enabled && request.args.count("BUILDKIT_INLINE_CACHE") == 0)
    add("--build-arg", "BUILDKIT_INLINE_CACHE=1");
  if (request.created > 0 && request.args.count("SOURCE_DATE_EPOCH") == 0)
    add("--build-arg", "SOURCE_DATE_EPOCH=" + std::to_string(request.created));
  for (const auto& [id, path] : secret_paths) add("--secret", "id=" + id + ",src=" + path);
  for (const auto& [name, value] : order.labels) add("--label", name + '=' + value);
  if (request.cache.enabled && !request.rebuild)
    for (const std::string& from : request.cache.from) add("--cache-from", from);
  if (!request.cache.enabled || request.rebuild) words.emplace_back("--no-cache");
  words.push_back(order.context.path.native());
  return words;
}

std::string docker_config(const std::map<std::string, registry::Login>& logins) {
  Json auths = Json::object();
  for (const auto& [host, login] : logins) {
    Json entry = Json::object();
    if (!login.username.empty() || !login.password.empty())
      entry["auth"] = to_base64(login.username + ':' + login.password);
    if (!login.identity_token.empty()) entry["identitytoken"] = to_utf8(login.identity_token);
    auths[host == "docker.io" ? "https://index.docker.io/v1/" : host] = std::move(entry);
  }
  return Json{{"auths", std::move(auths)}}.dump();
}

std::string build_with_docker(BuildEngine& engine, const BuildOrder& order, const std::stop_token& stop) {
  const BuildRequest& request = order.request;
  for (const auto& [name, value] : request.args)
    if (steers_docker(name))
      throw Error(ErrorCode::invalid_input,
                  "the argument " + in_quotes(to_utf8(name)) +
                      " has a name that Docker's client takes for its own settings; give it another");
  Values environment = client_environment(request);
  const std::string client = docker_client(environment, order.request.memory, stop);
  write_inputs(order);
  // Links to what is in memory: nothing secret is on the disk, whatever ends us.
  const MemoryFile config(docker_config(order.logins));
  const fs::path config_directory = order.place / "config";
  fs::create_directories(config_directory);
  fs::remove(config_directory / "config.json");
  fs::create_symlink(config.path(), config_directory / "config.json");
  ClientCommand command;
  command.shared.push_back(config.fd());
  std::vector<MemoryFile> secrets;
  secrets.reserve(request.secrets.size());
  Values secret_paths;
  for (const auto& [id, content] : request.secrets) {
    const MemoryFile& file = secrets.emplace_back(content);
    command.shared.push_back(file.fd());
    secret_paths[id] = file.path();
  }
  command.argv = docker_words(order, secret_paths);
  command.argv.insert(command.argv.begin(), client);
  for (const auto& [name, value] : request.args) environment[name] = value;
  environment["DOCKER_HOST"] = "unix://" + request.socket.native();
  environment["DOCKER_CONFIG"] = config_directory.native();
  environment["DOCKER_BUILDKIT"] = "1";
  command.environment = std::move(environment);
  say("Building with BuildKit of " + engine.version(stop).name + ", by " + in_quotes(client));
  const ClientEnd end = run_client(command, ClientOutput::log, stop);
  if (end.code != 0) {
    const std::string why = harmless(last_line(end.tail));
    if (!engine.answers()) throw Error(ErrorCode::unavailable, "the engine went away while it built: " + why);
    if (goes_away(why)) throw Error(ErrorCode::unavailable, "the image was not built: " + why);
    throw BuildFailed("the image was not built: " + why);
  }
  const auto id = read_file(order.place / "id");
  if (!id || id->empty()) throw Error(ErrorCode::unavailable, "Docker's client does not say what it built");
  return std::string(trim(*id));
}

}  // namespace runner::builds
