#include "registry/challenge.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "registry/url.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::string_view kClient = "runner";
constexpr std::size_t kLongestToken = 256U << 10U;
constexpr std::int64_t kLongestLifetime = 86'400;

/// Reads one field from left to right.
class FieldReader {
 public:
  explicit FieldReader(std::string_view rest) : rest_(rest) {}

  void read(std::vector<Challenge>& into) {
    const std::size_t first = into.size();
    for (;;) {
      skip(" \t,");
      const std::string name = to_lower(token());
      if (name.empty()) return;
      skip(" \t");
      if (!rest_.starts_with('=')) {
        into.push_back({name, {}});
        continue;
      }
      if (into.size() == first) return;  // a parameter of nothing
      rest_.remove_prefix(1);
      skip(" \t");
      const std::optional<std::string> text = value();
      if (!text) return;
      into.back().parameters[name] = *text;
    }
  }

 private:
  void skip(std::string_view characters) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
  }
  std::string token() {
    const std::string_view found = rest_.substr(0, rest_.find_first_of(" \t,=\""));
    rest_.remove_prefix(found.size());
    return std::string(found);
  }
  std::optional<std::string> value() {
    if (!rest_.starts_with('"')) return token();
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      text += rest_[i];
    }
    return std::nullopt;  // it has no end
  }

  std::string_view rest_;
};

/// As it goes into a field: one word.
bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= kLongestToken &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? "" : found->second;
}

std::vector<Challenge> parse_challenges(const std::vector<std::string>& fields) {
  std::vector<Challenge> all;
  for (const std::string& field : fields) FieldReader(field).read(all);
  return all;
}

std::optional<Challenge> choose_challenge(const std::vector<std::string>& fields) {
  const std::vector<Challenge> all = parse_challenges(fields);
  for (const Challenge& one : all) {
    if (one.scheme == "bearer" && !one.parameter("realm").empty()) return one;
  }
  const auto basic =
      std::find_if(all.begin(), all.end(), [](const Challenge& one) { return one.scheme == "basic"; });
  return basic == all.end() ? std::nullopt : std::optional(*basic);
}

HttpRequest token_request(const Challenge& challenge, const std::vector<std::string>& scopes,
                          const std::optional<Login>& login) {
  HttpRequest request;
  Url url = parse_url(challenge.parameter("realm"));
  const std::string service = challenge.parameter("service");
  if (login && !login->identity_token.empty()) {
    request.method = "POST";
    request.fields = {"Content-Type: application/x-www-form-urlencoded", "Accept: application/json"};
    request.body = "grant_type=refresh_token&client_id=" + std::string(kClient) +
                   "&service=" + percent_encode(service) + "&scope=" + percent_encode(join(scopes, " ")) +
                   "&refresh_token=" + percent_encode(login->identity_token);
  } else {
    request.fields = {"Accept: application/json"};
    if (!service.empty()) url = with_parameter(url, "service", service);
    for (const std::string& scope : scopes) url = with_parameter(url, "scope", scope);
    url = with_parameter(url, "client_id", kClient);
    if (login) {
      url = with_parameter(url, "account", login->username);
      request.user = login->username;
      request.password = login->password;
    }
  }
  request.url = url.text();
  return request;
}

std::optional<TokenAnswer> parse_token(std::string_view text) {
  const auto all = nlohmann::json::parse(text, nullptr, false);
  if (!all.is_object()) return std::nullopt;
  TokenAnswer answer;
  for (const char* name : {"access_token", "token"}) {
    if (const auto found = all.find(name); found != all.end() && found->is_string())
      answer.token = found->get<std::string>();
  }
  if (!is_token(answer.token)) return std::nullopt;
  if (const auto found = all.find("expires_in"); found != all.end() && found->is_number_integer()) {
    answer.lifetime =
        std::chrono::seconds(std::clamp(found->get<std::int64_t>(), std::int64_t{60}, kLongestLifetime));
  }
  return answer;
}

}  // namespace runner::registry
