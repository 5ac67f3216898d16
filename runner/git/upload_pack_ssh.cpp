// git-upload-pack over ssh, by OpenSSH's client as git itself does it: ssh(1), ssh_config(5).
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/ssh_process.h"
#include "runner/git/upload_pack.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;

constexpr int kOwnFailure = 255;  // exit status of ssh when it is not that of the server's command

struct Meaning {
  std::string_view said;  // lower case
  ErrorCode code;
  const char* mend;
};

/// What ssh says of itself. The first that fits counts.
constexpr Meaning kOwnMeanings[] = {
    {"host identification has changed", ErrorCode::invalid_input,
     "the host key has changed: somebody may be in between. If the server's operator confirms the new key, "
     "replace its line in the known hosts"},
    {"host key is known", ErrorCode::invalid_input,
     "compare what 'ssh-keyscan' prints with what the server's operator publishes, and add it to the known "
     "hosts"},
    {"host key verification failed", ErrorCode::invalid_input,
     "compare what 'ssh-keyscan' prints with what the server's operator publishes, and add it to the known "
     "hosts"},
    {"revoked", ErrorCode::invalid_input, "the host key is marked as revoked in the known hosts"},
    {"load key", ErrorCode::invalid_input,
     "check the private key: OpenSSH's format or PEM, and without a passphrase"},
    {"permission denied", ErrorCode::invalid_input,
     "the server refuses the key: check that its public half is registered there, that it has no passphrase, "
     "and the user name"},
    {"no matching", ErrorCode::invalid_input,
     "the server and ssh have no method in common: renew the server"},
    {"could not resolve", ErrorCode::unavailable, "check the address and the name service"},
    {"timed out", ErrorCode::timeout, "the server cannot be reached: check the address and the network"},
    {"connect to host", ErrorCode::unavailable,
     "the server cannot be reached: check the address and the network"},
};
/// What servers say of repositories, and forges also where ssh fails.
constexpr Meaning kServerMeanings[] = {
    {"not a git repository", ErrorCode::not_found, ""},
    {"does not appear to be", ErrorCode::not_found, ""},
    {"not found", ErrorCode::not_found, ""},
    {"does not exist", ErrorCode::not_found, ""},
    {"could not be found", ErrorCode::not_found, ""},
    {"no such", ErrorCode::not_found, ""},
    {"denied", ErrorCode::invalid_input, ""},
    {"not allowed", ErrorCode::invalid_input, ""},
    {"unauthorized", ErrorCode::invalid_input, ""},
};

template <std::size_t Count>
const Meaning* meaning_of(const Meaning (&all)[Count], std::string_view said) {
  const auto* found = std::find_if(all, all + Count, [&](const Meaning& meaning) {
    return said.find(meaning.said) != std::string_view::npos;
  });
  return found == all + Count ? nullptr : found;
}

/// A file name as the value of an option: ssh would expand and split it.
std::string option_path(const fs::path& path) {
  if (path.native().find_first_of("\"\\$\n") != std::string::npos)
    throw Error(ErrorCode::invalid_input,
                "ssh takes no file whose name holds quotes, backslashes or '$': " + in_quotes(path.native()));
  return '"' + replace_all(fs::absolute(path).native(), "%", "%%") + '"';
}

void check_name(std::string_view name, std::string_view what, std::string_view others) {
  const bool good =
      !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != std::string_view::npos;
      });
  if (!good)
    throw Error(ErrorCode::invalid_input, "the " + std::string(what) + " " + in_quotes(to_utf8(name)) +
                                              " is not safe to give to ssh; use letters, digits and '" +
                                              std::string(others) + "'");
}

void check_key_file(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    throw_errno("cannot read the private key " + in_quotes(path.native()));
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077U) != 0) {
    throw Error(ErrorCode::invalid_input,
                "the private key " + in_quotes(path.native()) + " may be read by others; 'chmod 600' it");
  }
}

/// As git quotes: also servers that are no shell understand it.
std::string quoted_path(std::string_view path) {
  return "'" + replace_all(replace_all(path, "'", "'\\''"), "!", "'\\!'") + "'";
}

std::vector<std::string> command_line(const RemoteUrl& url, const RemoteAccess& access,
                                      const RemoteLimits& limits) {
  const std::string user = !url.user.empty() ? url.user : access.username;
  check_name(url.host, "host", ".-_:");
  if (!user.empty()) check_name(user, "user", ".-_@+");
  std::vector<std::string> words = {"ssh", "-T"};
  const auto option = [&](const std::string& text) { words.insert(words.end(), {"-o", text}); };
  if (!access.own_ssh) {
    if (access.key_file.empty())
      throw Error(ErrorCode::invalid_input,
                  "ssh needs a private key; give one to the project, and its public half to the server");
    if (access.host_keys == HostKeyPolicy::accept_new && access.known_hosts.empty())
      throw Error(ErrorCode::invalid_input,
                  "there is no file to remember host keys in; name the known hosts");
    words.insert(words.end(), {"-F", "none"});
    option("IdentityAgent=none");
    option("GlobalKnownHostsFile=/dev/null");
    option("PreferredAuthentications=publickey");
  }
  if (!access.key_file.empty()) {
    check_key_file(access.key_file);
    option("IdentitiesOnly=yes");
    option("IdentityFile=" + option_path(access.key_file));
  }
  if (!access.own_ssh || !access.known_hosts.empty()) {
    option("UserKnownHostsFile=" +
           (access.known_hosts.empty() ? "/dev/null" : option_path(access.known_hosts)));
    option(std::string("StrictHostKeyChecking=") +
           (access.host_keys == HostKeyPolicy::strict ? "yes" : "accept-new"));
  }
  option("BatchMode=yes");
  option("LogLevel=ERROR");
  option("UpdateHostKeys=no");
  option("ControlMaster=no");
  option("ConnectTimeout=" + std::to_string(std::max<long>(1, (limits.connect.count() + 999) / 1000)));
  option("ServerAliveInterval=" + std::to_string(std::max<long>(1, limits.stall.count() / 4000)));
  if (!user.empty() || !access.own_ssh) words.insert(words.end(), {"-l", user.empty() ? "git" : user});
  if (url.port != 22 || !access.own_ssh) words.insert(words.end(), {"-p", std::to_string(url.port)});
  words.insert(words.end(), {"--", url.host, "git-upload-pack " + quoted_path(url.path)});
  return words;
}

class SshUploadPack : public UploadPack {
 public:
  SshUploadPack(const RemoteUrl& url, const RemoteAccess& access, Patience& patience)
      : words_(command_line(url, access, patience.limits())), patience_(patience) {}

  void start() override { process_.emplace(words_, patience_); }
  void send(std::string_view bytes) override { process_->write_all(bytes); }
  std::size_t read_some(char* buffer, std::size_t size) override { return process_->read_some(buffer, size); }
  bool is_stateless() const noexcept override { return false; }

  void explain_end() override {
    const int status = process_->wait_status();
    const std::string said = mask_urls(strip_ansi(to_utf8(trim(process_->said()))));
    const std::string lower = to_lower(said);
    const std::string text = said.empty() ? "it gave no reason" : said;
    if (status == kOwnFailure) {
      const Meaning* own = meaning_of(kOwnMeanings, lower);
      if (own != nullptr) throw Error(own->code, "ssh says: " + text + "; " + own->mend);
    }
    const Meaning* server = meaning_of(kServerMeanings, lower);
    if (server != nullptr && server->code == ErrorCode::not_found) {
      throw Error(ErrorCode::not_found, "the server has no such repository, or hides it from this key: " +
                                            text + "; check the path and what the key may read");
    }
    if (server != nullptr)
      throw Error(server->code, "the server refuses: " + text + "; check what the key may read there");
    if (status == 0) return;
    throw Error(ErrorCode::unavailable,
                "ssh ended with status " + std::to_string(status) + ": " + text +
                    "; it may be tried again, look at the network and the server's log");
  }

 private:
  std::vector<std::string> words_;
  Patience& patience_;
  std::optional<SshProcess> process_;
};

}  // namespace

std::unique_ptr<UploadPack> make_ssh_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                                 Patience& patience) {
  return std::make_unique<SshUploadPack>(url, access, patience);
}

}  // namespace runner::git
