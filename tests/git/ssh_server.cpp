#include "tests/git/ssh_server.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace runner::git::testing {

std::string SshServer::missing() {
  if (::access("/usr/sbin/sshd", X_OK) != 0) return "there is no sshd; install openssh-server";
  // sshd refuses to run without it, and only root can make it.
  ::mkdir("/run/sshd", 0755);
  if (::access("/run/sshd", F_OK) != 0) return "sshd wants /run/sshd, which only root can make";
  return {};
}

SshServer::SshServer(const GitFixture& fixture) : fixture_(fixture) {
  const std::filesystem::path& top = fixture.top();
  fixture.run(
      "ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ecdsa -N '' -f other_host && "
      "ssh-keygen -q -t ed25519 -N '' -f wrong",
      top);
  make_key("key", "-t ed25519 -N ''");
  write_file_atomic(top / "config",
                    "HostKey " + (top / "host").string() + "\nAuthorizedKeysFile " +
                        (top / "authorized").string() +
                        "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
                        "AcceptEnv GIT_PROTOCOL\nLogLevel VERBOSE\n",
                    0600, false);
  server_.emplace(std::vector<std::string>{"ssh", (top / "config").string(), (top / "log").string()});
}

void SshServer::make_key(const std::string& name, const std::string& options, bool authorized) const {
  fixture_.run("ssh-keygen -q " + options + " -f '" + name + "'", fixture_.top());
  if (!authorized) return;
  fixture_.run(
      "echo \"restrict,command=\\\"git-shell -c \\\\\\\"\\$SSH_ORIGINAL_COMMAND\\\\\\\"\\\" $(cat '" + name +
          ".pub')\" >> authorized",
      fixture_.top());
}

std::string SshServer::known() const {
  return "[127.0.0.1]:" + port() + " " + read_file(fixture_.top() / "host.pub").value_or("");
}

std::string SshServer::url(const std::filesystem::path& repository) const {
  return "ssh://" + std::string(::getpwuid(::getuid())->pw_name) + "@127.0.0.1:" + port() +
         repository.string();
}

}  // namespace runner::git::testing
