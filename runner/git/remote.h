#pragma once
// Repositories of other machines: who we are, whom we trust, how long we wait, and what refs there are.
// Of the user's own set-up nothing is taken unless `own_ssh` says so: no agent, no ~/.ssh, no netrc, no
// credential helper, no ~/.gitconfig, no prompt. Of the environment only http_proxy, https_proxy, all_proxy,
// no_proxy, GIT_SSL_CAINFO, SSL_CERT_FILE and SSL_CERT_DIR count. docs/remotes.md is for those who set it up.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace runner::git {

enum class HostKeyPolicy : std::uint8_t {
  strict,      // a host that is not known is refused
  accept_new,  // its key is added to the known hosts; one that has changed is refused even so
};

struct RemoteAccess {
  /// A path, file://, http(s)://, ssh:// or host:path. User and password in it are used when `secret` is
  /// empty; they are never shown or kept.
  std::string url;
  /// For http(s): sent with the first request, to this server only. For ssh the user, when the URL has none.
  std::string username, secret;

  /// For ssh: a private key without a passphrase, readable by its owner only.
  std::filesystem::path key_file;
  /// As OpenSSH writes it; no other file counts.
  std::filesystem::path known_hosts;
  HostKeyPolicy host_keys = HostKeyPolicy::strict;
  /// ssh as whoever runs us set it up: configuration, agent, keys and known hosts, besides what is given
  /// here. For commands that people run on their own machine.
  bool own_ssh = false;

  /// PEM file of the only authorities that may have signed the server's certificate. Empty: this machine's.
  std::filesystem::path authorities;
};

/// Of one list_refs() or fetch().
struct RemoteLimits {
  std::chrono::milliseconds connect{30'000};   // look-up of the name, all addresses, TLS
  std::chrono::milliseconds stall{60'000};     // no byte came or went
  std::chrono::milliseconds total{3'600'000};  // for the whole
  std::uint64_t ref_bytes = 128ULL << 20U;     // of the list of refs
  std::uint64_t pack_bytes = 8ULL << 30U;      // of what is fetched
};

struct RemoteRef {
  std::string name;    // "refs/heads/main"
  std::string id;      // 40 hex digits; of an annotated tag: of the tag itself
  std::string peeled;  // what an annotated tag stands for; "" for all else

  bool operator==(const RemoteRef&) const = default;
};

struct RemoteRefs {
  std::vector<RemoteRef> refs;  // all, sorted by name; without HEAD
  std::string default_branch;   // "main"; "" when it is unknown
};

/// What `git ls-remote` shows: one question, no fetch. Connections of http are kept for the thread's next
/// question. Blocks on the network until `limits` or `stop`. Any thread.
/// Throws Error, with the URL (never with credentials), the reason and how to mend it: not_found (no such
/// repository, or it is hidden from us), invalid_input (credentials, host key, certificate, the URL or the
/// kind of repository: trying again is of no use), unavailable (network, or the server is ill), timeout,
/// cancelled.
RemoteRefs list_refs(const RemoteAccess& access, const RemoteLimits& limits,
                     const std::stop_token& stop = {});

}  // namespace runner::git
