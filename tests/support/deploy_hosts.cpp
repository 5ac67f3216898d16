#include "tests/support/deploy_hosts.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/support/source_dir.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> helper(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"python3", deploy_program()});
  return arguments;
}

std::uint16_t port_of(std::string_view text) {
  const auto value = parse_integer(text);
  if (!value || *value <= 0 || *value > 65535)
    throw Error(ErrorCode::unavailable, "a server of the test did not say its port but " + in_quotes(text));
  return static_cast<std::uint16_t>(*value);
}

}  // namespace

std::string deploy_program() {
  return (source_dir() / "tests/support/deploy_hosts.py").string();
}

ReservedPorts::ReservedPorts(unsigned count) : holder_(helper({"ports", std::to_string(count)})) {
  const std::string line = holder_.read_line();
  for (const std::string_view port : split_words(line)) ports_.push_back(port_of(port));
}

std::string RealHaproxy::missing() {
  return has_program("haproxy") ? "" : "there is no haproxy; install haproxy";
}

RealHaproxy::RealHaproxy(const fs::path& directory, const std::vector<HaproxyServer>& servers,
                         const std::string& level)
    : directory_(directory) {
  make_directories(directory);
  std::string config = "global\n  stats socket " + socket() + " level " + level +
                       "\n  maxconn 1000\ndefaults\n  mode http\n  timeout client 20s\n  timeout server 20s\n"
                       "  timeout connect 2s\n  retries 0\n  option http-keep-alive\nfrontend shop\n"
                       "  bind fd@${FRONT}\n  default_backend shop\nbackend shop\n  balance roundrobin\n";
  for (const HaproxyServer& server : servers)
    config +=
        "  server " + server.name + " 127.0.0.1:" + std::to_string(server.port) + " " + server.options + "\n";
  config += "backend other\n";
  write_file_atomic(directory / "config", config, 0600, false);
  program_.emplace(helper({"haproxy", (directory / "config").string()}));
  port_ = port_of(program_->read_line());
}

void RealHaproxy::stop() const {
  program_->write_line("stop");
  program_->read_line();
}

void make_app(const fs::path& directory, const std::string& version, const std::string& broken) {
  make_directories(directory);
  fs::copy_file(source_dir() / "tests/support/deploy_app.py", directory / "app.py",
                fs::copy_options::overwrite_existing);
  write_file_atomic(directory / "version", version + "\n", 0644, false);
  if (!broken.empty()) write_file_atomic(directory / "broken", broken + "\n", 0644, false);
}

RunningApp::RunningApp(const fs::path& directory, std::uint16_t port)
    : program_({"python3", (directory / "app.py").string(), directory.string(), std::to_string(port)}) {
  program_.read_line();
}

RunningApp::~RunningApp() {
  program_.kill();
}

std::string SshdHost::missing() {
  if (::access("/usr/sbin/sshd", X_OK) != 0) return "there is no sshd; install openssh-server";
  // sshd refuses to run without it, and only root can make it.
  ::mkdir("/run/sshd", 0755);
  if (::access("/run/sshd", F_OK) != 0) return "sshd wants /run/sshd, which only root can make";
  return {};
}

SshdHost::SshdHost(const fs::path& directory, const std::string& shell) : directory_(directory) {
  make_directories(directory);
  make_directories(root());
  for (const char* name : {"host", "key", "wrong"})
    run_program({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", (directory / name).string()});
  fs::copy_file(directory / "key.pub", directory / "authorized");
  make_directories(directory / "bin");
  std::string path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
  if (!shell.empty()) {
    fs::create_symlink("/bin/" + shell, directory / "bin/sh");
    path = (directory / "bin").string() + ":" + path;
  }
  if (shell == "busybox") {
    const std::string names =
        "cat chmod cp dd df grep gzip head ln ls mkdir mv readlink rm rmdir setsid sha256sum sleep sync tail "
        "tar touch "
        "tr unzip wc";
    for (const std::string_view name : split_words(names))
      fs::create_symlink("/bin/busybox", directory / "bin" / name);
  }
  write_file_atomic(directory / "config",
                    "HostKey " + (directory / "host").string() + "\nAuthorizedKeysFile " +
                        (directory / "authorized").string() +
                        "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
                        "LogLevel VERBOSE\nMaxStartups 100\n"
                        // What the user of the test has in a ~/.bashrc is not tested.
                        "SetEnv HOME=" +
                        directory.string() + " PATH=" + path + "\n",
                    0600, false);
  program_.emplace(helper({"sshd", (directory / "config").string(), (directory / "log").string()}));
  port_ = std::to_string(port_of(program_->read_line()));
}

std::string SshdHost::address() const {
  return std::string(::getpwuid(::getuid())->pw_name) + "@127.0.0.1:" + port_;
}

std::string SshdHost::known() const {
  return "[127.0.0.1]:" + port_ + " " + read_file(directory_ / "host.pub").value_or("");
}

std::string SshdHost::log() const {
  return read_file(directory_ / "log").value_or("");
}

}  // namespace runner::test
