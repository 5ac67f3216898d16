#include "registry/logins.h"

#include "registry/credential_helper.h"
#include "registry/login_json.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::uint64_t kLongestFile = 1U << 20U;

/// The login of the longest key that is `name` or a directory above it.
const Login* longest_match(const LoginFile& file, std::string name) {
  for (;;) {
    if (const auto found = file.logins.find(name); found != file.logins.end()) return &found->second;
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) return nullptr;
    name.resize(slash);
  }
}

std::optional<Login> find_in(const LoginFile& file, const Reference& image,
                             std::chrono::milliseconds helper_time, const std::stop_token& stop) {
  const std::string host = known_host(image.host);
  const bool may_run = file.trust == LoginTrust::owner;
  if (const auto helper = file.helpers.find(host); may_run && helper != file.helpers.end())
    return ask_helper(helper->second, host, helper_time, stop);
  if (const Login* login = longest_match(file, host + '/' + image.path)) return *login;
  if (may_run && !file.store.empty()) return ask_helper(file.store, host, helper_time, stop);
  return std::nullopt;
}

}  // namespace

std::optional<LoginFile> read_logins(const std::filesystem::path& file, LoginTrust trust) {
  const std::optional<std::string> text = read_file(file, kLongestFile);
  if (!text) return std::nullopt;
  return parse_logins(*text, in_quotes(file.string()), trust);
}

LoginFile single_login(std::string_view host, Login login, std::string place) {
  LoginFile file;
  file.place = std::move(place);
  file.logins[known_host(host)] = std::move(login);
  return file;
}

std::optional<Login> Logins::find(const Reference& image, const std::stop_token& stop) const {
  for (const LoginFile& file : files_) {
    try {
      if (std::optional<Login> login = find_in(file, image, helper_time, stop)) return login;
    } catch (Error& error) {
      error.add_context("while looking for a login for " + in_quotes(image.host) + " in " + file.place);
      throw;
    }
  }
  return std::nullopt;
}

std::vector<std::string> Logins::remarks() const {
  std::vector<std::string> all;
  for (const LoginFile& file : files_) {
    if (file.trust == LoginTrust::owner || (file.store.empty() && file.helpers.empty())) continue;
    all.push_back(file.place +
                  " names programs that keep logins (credsStore, credHelpers); they are not run for a job, "
                  "put the login itself into 'auths'");
  }
  return all;
}

}  // namespace runner::registry
