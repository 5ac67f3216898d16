#include "registry/login_json.h"

#include <nlohmann/json.hpp>

#include "registry/shown.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestJson = 1U << 20U;
constexpr std::string_view kTokenUser = "<token>";  // its password is an identity token

class FileReader {
 public:
  explicit FileReader(LoginFile& file) : file_(file) {}

  void read(std::string_view text) {
    if (text.size() > kLongestJson) refuse("it is longer than " + format_bytes(kLongestJson));
    const json all = json::parse(text, nullptr, false);
    if (all.is_discarded()) refuse("it is no JSON");
    if (!all.is_object()) refuse("it is no object of JSON");
    if (all.contains("auths")) {
      if (!all["auths"].is_object()) refuse("'auths' is no object");
      for (const auto& [key, value] : all["auths"].items()) take(key, value);
    }
    if (all.contains("credHelpers")) {
      if (!all["credHelpers"].is_object()) refuse("'credHelpers' is no object");
      for (const auto& [key, value] : all["credHelpers"].items()) {
        if (!value.is_string()) refuse("the helper of " + shown(key) + " is no text");
        file_.helpers[place_of(key)] = value.get<std::string>();
      }
    }
    if (all.contains("credsStore")) {
      if (!all["credsStore"].is_string()) refuse("'credsStore' is no text");
      file_.store = all["credsStore"].get<std::string>();
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::invalid_input, "cannot read the logins of " + file_.place + ": " + why +
                                              "; it must be as 'docker login' writes it");
  }
  /// "https://host/v1/" as Docker writes it stands for the host; "host/path" of Podman for what is below.
  static std::string place_of(std::string_view key) {
    const std::size_t scheme = key.find("://");
    const bool is_url = scheme != std::string_view::npos;
    if (is_url) key.remove_prefix(scheme + 3);
    while (key.ends_with('/')) key.remove_suffix(1);
    const std::size_t slash = key.find('/');
    std::string host = known_host(key.substr(0, slash));
    if (is_url || slash == std::string_view::npos) return host;
    const std::string_view path = key.substr(slash);
    return path == "/v1" || path == "/v2" ? host : host + std::string(path);
  }

  std::string text_of(const json& entry, const std::string& key, const char* name) const {
    const auto found = entry.find(name);
    if (found == entry.end() || found->is_null()) return {};
    if (!found->is_string()) refuse("'" + std::string(name) + "' of " + shown(key) + " is no text");
    return found->get<std::string>();
  }

  void take(const std::string& key, const json& entry) {
    if (!entry.is_object()) refuse(shown(key) + " is no object");
    Login login;
    login.username = text_of(entry, key, "username");
    login.password = text_of(entry, key, "password");
    login.identity_token = text_of(entry, key, "identitytoken");
    if (const std::string auth = text_of(entry, key, "auth"); !auth.empty()) {
      const std::optional<std::string> both = from_base64(trim(auth));
      const std::size_t colon = both ? both->find(':') : std::string::npos;
      if (colon == std::string::npos || colon == 0)
        refuse("'auth' of " + shown(key) + " is not the base64 of USER:PASSWORD");
      login.username = both->substr(0, colon);
      login.password = both->substr(colon + 1);
      // Docker has written such ends.
      while (login.password.ends_with('\0')) login.password.pop_back();
    }
    if (login == Login{}) return;  // a mark of Docker's that a store has it
    if (place_of(key).empty()) refuse(shown(key) + " names no host");
    file_.logins[place_of(key)] = std::move(login);
  }

  LoginFile& file_;
};

}  // namespace

std::string known_host(std::string_view host) {
  if (host == "index.docker.io" || host == "registry-1.docker.io") return "docker.io";
  return to_lower(host);
}

LoginFile parse_logins(std::string_view text, std::string place, LoginTrust trust) {
  LoginFile file;
  file.place = std::move(place);
  file.trust = trust;
  FileReader(file).read(text);
  return file;
}

std::optional<Login> parse_helper_answer(std::string_view text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object()) return std::nullopt;
  const auto user = all.find("Username"), secret = all.find("Secret");
  if (user == all.end() || secret == all.end() || !user->is_string() || !secret->is_string())
    return std::nullopt;
  Login login;
  login.username = user->get<std::string>();
  if (login.username == kTokenUser) {
    login.username.clear();
    login.identity_token = secret->get<std::string>();
  } else {
    login.password = secret->get<std::string>();
  }
  return login;
}

std::string registry_auth_header(const std::optional<Login>& login, std::string_view host) {
  json body = json::object();
  if (login) {
    // The hub is known to engines by its old address.
    body["serveraddress"] = host == "docker.io" ? "https://index.docker.io/v1/" : std::string(host);
    if (!login->identity_token.empty()) {
      body["identitytoken"] = login->identity_token;
    } else {
      body["username"] = login->username;
      body["password"] = login->password;
    }
  }
  return to_base64_url(body.dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace runner::registry
