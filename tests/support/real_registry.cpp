#include "tests/support/real_registry.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::test {
namespace {

constexpr std::string_view kListens = "listening on 127.0.0.1:";

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0)
    throw Error(ErrorCode::unavailable,
                "cannot run '" + command + "'; install the packages of the section [test] of packages.txt");
}

/// One read; false at the end.
bool read_more(int fd, std::string& into) {
  std::array<char, 4096> piece{};
  ssize_t got = 0;
  do got = ::read(fd, piece.data(), piece.size());
  while (got < 0 && errno == EINTR);
  if (got > 0) into.append(piece.data(), static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

RealRegistry::RealRegistry(const RealRegistryOptions& options) : has_tls_(options.tls) {
  const std::string top = directory_.path().string();
  std::string config = "version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n";
  config += "storage:\n  filesystem: {rootdirectory: " + data().string() + "}\n  delete: {enabled: true}\n";
  config += "http:\n  addr: 127.0.0.1:0\n  secret: of-tests\n";
  if (options.tls) {
    make_certificates();
    config += "  tls: {certificate: " + top + "/cert.pem, key: " + top + "/key.pem}\n";
  }
  if (!options.user.empty()) {
    make_users(options);
    config += "auth:\n  htpasswd: {realm: tests, path: " + top + "/users}\n";
  }
  write_file_atomic(directory_.path() / "config.yml", config, 0600, false);
  start();
}

RealRegistry::~RealRegistry() {
  input_.reset();
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  if (reader_.joinable()) reader_.join();
}

std::filesystem::path RealRegistry::authorities() const {
  return has_tls_ ? directory_.path() / "ca.pem" : std::filesystem::path();
}

void RealRegistry::make_certificates() const {
  run("cd " + shell_quote(directory_.path().string()) +
      " && exec 2>/dev/null && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
      "-days 2 -subj /CN=Ours -keyout ca.key -out ca.pem && openssl req -newkey ec -pkeyopt "
      "ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout key.pem -out request.pem && echo "
      "'subjectAltName=DNS:localhost' > names && openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key "
      "-CAcreateserial -days 2 -extfile names -out cert.pem");
}

void RealRegistry::make_users(const RealRegistryOptions& options) const {
  // The cheapest cost of bcrypt: each request pays for it.
  write_file_atomic(directory_.path() / "password", options.password, 0600, false);
  run("htpasswd -inB -C 4 " + shell_quote(options.user) + " < " +
      shell_quote((directory_.path() / "password").string()) + " > " +
      shell_quote((directory_.path() / "users").string()) + " 2>/dev/null");
}

void RealRegistry::start() {
  Pipe in = make_pipe(), said = make_pipe();
  std::string shell = "sh", flag = "-c";
  // The shell waits for the end of the test, however that comes.
  std::string script = "docker-registry serve " + shell_quote((directory_.path() / "config.yml").string()) +
                       " < /dev/null & read -r end; kill -9 $!; wait";
  std::array<char*, 4> argv = {shell.data(), flag.data(), script.data(), nullptr};
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said.write.get(), STDERR_FILENO);
  const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw_errno(error, "cannot start sh");
  input_ = std::move(in.write);
  said.write.reset();
  std::string text;
  std::size_t at = 0;
  while ((at = text.find(kListens)) == std::string::npos || text.find('"', at) == std::string::npos) {
    if (text.find("not found") == std::string::npos && read_more(said.read.get(), text)) continue;
    input_.reset();
    ::waitpid(pid_, nullptr, 0);
    throw Error(ErrorCode::unavailable, "docker-registry does not start; is the package installed? " + text);
  }
  // "...:PORT" or "...:PORT, tls".
  at += kListens.size();
  const std::size_t end = text.find_first_not_of("0123456789", at);
  port_ = static_cast<std::uint16_t>(parse_integer(std::string_view(text).substr(at, end - at)).value_or(0));
  reader_ = std::thread([fd = std::move(said.read)] {
    std::string dropped;
    while (read_more(fd.get(), dropped)) dropped.clear();
  });
}

}  // namespace runner::test
