#include "deployments/targets/ssh_client.h"

#include <sys/stat.h>

#include <algorithm>

#include "deployments/program.h"
#include "deployments/targets/ssh_answer.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;

/// A file name as the value of an option: ssh would expand and split it.
std::string option_path(const fs::path& path) {
  if (path.native().find_first_of("\"\\$\n") != std::string::npos)
    throw Error(ErrorCode::invalid_input,
                "ssh takes no file whose name holds quotes, backslashes or '$': " + in_quotes(path.native()));
  return '"' + replace_all(fs::absolute(path).native(), "%", "%%") + '"';
}

void check_key_file(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    throw_errno("cannot read the private key " + in_quotes(path.native()));
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077U) != 0)
    throw Error(ErrorCode::invalid_input,
                "the private key " + in_quotes(path.native()) + " may be read by others; 'chmod 600' it");
}

}  // namespace

SshClient::SshClient(const SshOptions& options)
    : user_(options.user), agent_(options.agent_socket), jump_(options.jump), connect_(options.connect) {
  for (const SshHost& host : options.hosts) hosts_.push_back(parse_ssh_address(host.address));
  fs::path identity = options.identity_file, known = options.known_hosts_file;
  if (!options.private_key.empty()) {
    identity = directory_.path() / "key";
    // OpenSSH refuses a key without an end of line.
    write_file_atomic(identity, options.private_key + (options.private_key.back() == '\n' ? "" : "\n"), 0600,
                      false);
  }
  if (!options.known_hosts.empty()) {
    known = directory_.path() / "known_hosts";
    write_file_atomic(known, options.known_hosts + "\n", 0600, false);
  }
  if (!identity.empty()) {
    check_key_file(identity);
    identity_ = option_path(identity);
  }
  known_hosts_ = option_path(known);
}

std::vector<std::string> SshClient::options_for(const SshAddress& address) const {
  std::vector<std::string> words = {"-F", "none", "-T"};
  const auto option = [&](const std::string& text) { words.insert(words.end(), {"-o", text}); };
  option("BatchMode=yes");
  option("StrictHostKeyChecking=yes");
  option("UserKnownHostsFile=" + known_hosts_);
  option("GlobalKnownHostsFile=/dev/null");
  option("UpdateHostKeys=no");
  option("PreferredAuthentications=publickey");
  option("LogLevel=ERROR");
  option("ConnectTimeout=" + std::to_string(std::max<long>(1, (connect_.count() + 999) / 1000)));
  option("ServerAliveInterval=5");
  option("ServerAliveCountMax=3");
  if (!identity_.empty()) {
    option("IdentitiesOnly=yes");
    option("IdentityFile=" + identity_);
    option("IdentityAgent=none");
  } else {
    option("IdentityAgent=" + option_path(agent_));
  }
  const std::string& user = address.user.empty() ? user_ : address.user;
  if (!user.empty()) words.insert(words.end(), {"-l", user});
  words.insert(words.end(), {"-p", std::to_string(address.port)});
  return words;
}

std::string SshClient::control_path(std::size_t host) const {
  return "ControlPath=" + option_path(directory_.path() / std::to_string(host));
}

std::vector<std::string> SshClient::command_line(std::size_t host) const {
  std::vector<std::string> words = options_for(hosts_[host]);
  words.insert(words.begin(), "ssh");
  if (!jump_.empty()) {
    // Not -J: that asks neither our known hosts nor our key for the host in between.
    const SshAddress between = parse_ssh_address(jump_);
    std::string command = "ssh";
    for (const std::string& word : options_for(between)) command += " " + shell_quote(word);
    command = replace_all(command, "%", "%%") + " -W '[%h]:%p' -- " + shell_quote(between.name);
    words.insert(words.end(), {"-o", "ProxyCommand=" + command});
  }
  words.insert(words.end(),
               {"-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", control_path(host)});
  words.insert(words.end(), {"--", hosts_[host].name, "exec sh -c " + shell_quote(ssh_script())});
  return words;
}

SshAnswer SshClient::call(std::size_t host, const SshCall& call, const std::stop_token& stop) const {
  const std::string text = call.request + assignment("verb", call.verb);
  std::string request = std::to_string(std::count(text.begin(), text.end(), '\n')) + "\n" + text;
  SshReply reply;
  ProgramRequest program;
  program.argv = command_line(host);
  program.timeout = call.timeout;
  program.input = [&](std::string& piece) {
    if (request.empty()) return call.data && call.data(piece);
    piece = std::move(request);
    request.clear();
    return true;
  };
  program.on_output = [&](std::string_view line) {
    reply.keep_output(line);
    if (call.on_output) call.on_output(line);
  };
  program.on_errors = [&](std::string_view line) { reply.add(line); };
  try {
    const ProgramEnd end = run_program(program, stop);
    if (!end.timed_out) reply.check(hosts_[host].unit, call.verb, end.code);
    return {std::move(reply.facts), end.timed_out};
  } catch (Error& error) {
    if (error.code() != ErrorCode::cancelled) error.add_context("host " + in_quotes(hosts_[host].unit));
    throw;
  }
}

void SshClient::disconnect(std::size_t host) const noexcept {
  try {
    ProgramRequest program;
    program.argv = {"ssh", "-F", "none", "-o", control_path(host), "-O", "exit", "--", hosts_[host].name};
    program.timeout = std::chrono::seconds(5);
    run_program(program, {});
  } catch (const std::exception&) {  // it ends by itself a minute later
  }
}

}  // namespace runner::deployments
