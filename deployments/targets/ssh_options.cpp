#include "deployments/targets/ssh_options.h"

#include <algorithm>
#include <set>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw Error(ErrorCode::invalid_input, text);
}

void check_word(std::string_view what, std::string_view text, std::string_view others) {
  const bool good =
      !text.empty() && text.front() != '-' && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
      });
  if (!good)
    refuse("the " + std::string(what) + " " + in_quotes(to_utf8(text)) +
           " is not safe to give to ssh; use letters, digits and '" + std::string(others) + "'");
}

void check_root(const std::string& root) {
  if (root.size() < 2 || root.front() != '/' || root.find_first_of("\n\r") != std::string::npos ||
      root.find('\0') != std::string::npos)
    refuse("the root on a host is an absolute path below '/', such as /srv/shop, not " +
           in_quotes(to_utf8(root)));
  for (const std::string_view part : split(root, '/'))
    if (part == "..") refuse("the root on a host may not hold '..': " + in_quotes(to_utf8(root)));
}

void check_service(const SshOptions& options) {
  const bool any = !options.start.empty() || !options.stop.empty() || !options.status.empty();
  const bool all = !options.start.empty() && !options.stop.empty() && !options.status.empty();
  if (!options.service.empty()) {
    if (any) refuse("give either 'service' or the commands 'start', 'stop' and 'status', not both");
    check_word("service", replace_all(options.service, "%slot", "slot"), "@.-_:\\");
  } else if (!all) {
    refuse("a host needs to know what to start: give 'service', or all of 'start', 'stop' and 'status'");
  }
  for (const std::string* command : {&options.start, &options.stop, &options.status})
    if (command->find('\0') != std::string::npos) refuse("a command may hold no zero byte");
}

}  // namespace

SshAddress parse_ssh_address(const std::string& text) {
  SshAddress address;
  std::string_view rest = text;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    address.user = rest.substr(0, at);
    check_word("user", address.user, ".-_@+");
    rest.remove_prefix(at + 1);
  }
  std::string_view port;
  const bool in_brackets = !rest.empty() && rest.front() == '[';
  if (const std::size_t end = rest.find(']'); in_brackets && end != std::string_view::npos) {
    address.name = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
    if (!port.empty() && port.front() != ':')
      refuse("after the ']' of a host comes ':PORT': " + in_quotes(to_utf8(text)));
    if (!port.empty()) port.remove_prefix(1);
  } else if (const std::size_t colon = rest.rfind(':');
             colon != std::string_view::npos && rest.find(':') == colon) {
    address.name = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  } else {
    address.name = rest;
  }
  check_word("host", address.name, ".-_:");
  const auto number = port.empty() ? std::optional<std::int64_t>(22) : parse_integer(port);
  if (!number || *number < 1 || *number > 65535)
    refuse("the port of a host is 1 to 65535, not " + in_quotes(to_utf8(port)));
  address.port = static_cast<std::uint16_t>(*number);
  address.unit = address.name + (address.port == 22 ? "" : ":" + std::to_string(address.port));
  return address;
}

void check_ssh_options(const SshOptions& options) {
  if (options.hosts.empty()) refuse("there is no host to deploy to; name some in 'hosts'");
  std::set<std::string> units;
  for (const SshHost& host : options.hosts) {
    const SshAddress address = parse_ssh_address(host.address);
    if (!units.insert(address.unit).second) refuse("the host " + in_quotes(address.unit) + " is named twice");
    check_root(host.root.empty() ? options.root : host.root);
  }
  if (!options.user.empty()) check_word("user", options.user, ".-_@+");
  if (!options.jump.empty()) static_cast<void>(parse_ssh_address(options.jump));
  if (options.known_hosts.empty() && options.known_hosts_file.empty())
    refuse(
        "the hosts' keys are not known; give 'known_hosts' what 'ssh-keyscan' prints, once it was compared");
  if (options.private_key.empty() && options.identity_file.empty() && options.agent_socket.empty())
    refuse("ssh needs a private key; give 'key', and its public half to the hosts");
  check_service(options);
}

}  // namespace runner::deployments
