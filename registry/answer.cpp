#include "registry/answer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "registry/retry.h"
#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kMostExplained = 64U << 10U;
constexpr std::size_t kMostSaid = 300;

/// "CODE: message" of {"errors": [...]} as registries say it, "error_description" of token servers.
std::string text_of(const std::string& body) {
  const auto all = nlohmann::json::parse(body, nullptr, false);
  if (!all.is_object()) return {};
  const auto text = [](const nlohmann::json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (const auto errors = all.find("errors");
      errors != all.end() && errors->is_array() && !errors->empty() && errors->front().is_object()) {
    const std::string code = text(errors->front(), "code"), message = text(errors->front(), "message");
    return message.empty() ? code : code + (code.empty() ? "" : ": ") + message;
  }
  for (const char* name : {"error_description", "details", "message", "error"}) {
    if (std::string found = text(all, name); !found.empty()) return found;
  }
  return {};
}

struct Meaning {
  long status;
  ErrorCode code;
  const char* with_login;
  const char* without;  // nullptr: the same
};

constexpr Meaning kMeanings[] = {
    {401, ErrorCode::invalid_input,
     "it refuses the login; check the user name and the password, and whether the token has expired",
     "it wants a login; give one in DOCKER_AUTH_CONFIG, or with 'docker login'"},
    {403, ErrorCode::invalid_input, "that is not allowed; check what the login may do there",
     "that is not allowed to strangers; give a login in DOCKER_AUTH_CONFIG, or with 'docker login'"},
    {404, ErrorCode::not_found, "there is no such thing, or it is hidden from this login; check the name",
     "there is no such thing, or it is hidden from strangers; check the name, or give a login"},
    {405, ErrorCode::invalid_input, "the registry does not do that; look at its set-up", nullptr},
    {407, ErrorCode::invalid_input,
     "the proxy wants credentials; put them into the variable http_proxy or https_proxy", nullptr},
    {408, ErrorCode::unavailable, "it took too long; look at the network", nullptr},
    {413, ErrorCode::invalid_input, "that is too big for it; have its limit raised", nullptr},
    {429, ErrorCode::unavailable, "it is asked too often; ask it less often",
     "it is asked too often; give a login, as strangers may ask less, or ask it less often"},
};

}  // namespace

Answer::Answer(HttpRequest request, Url url, Grant grant, const Waits& waits, const std::stop_token& stop)
    : patience_(std::make_unique<Patience>(waits, stop)), url_(std::move(url)), grant_(std::move(grant)) {
  request.url = request.url.empty() ? url_.text() : request.url;
  if (!grant_.field.empty()) request.fields.push_back(grant_.field);
  transfer_ = std::make_unique<HttpTransfer>(std::move(request), *patience_);
  head_ = transfer_->head();
}

std::string Answer::field(const std::string& name) const {
  const auto found = head_.fields.find(name);
  return found == head_.fields.end() ? "" : found->second;
}

Url Answer::location() const {
  const std::string where = field("location");
  if (where.empty())
    throw Error(ErrorCode::unavailable,
                "the registry answers " + std::to_string(head_.status) +
                    " and does not say where it goes on; look at its set-up, and at proxies before it");
  return resolve_url(url_, where);
}

std::string Answer::body(std::size_t most) {
  std::string all;
  std::array<char, 16U << 10U> piece{};
  while (const std::size_t got = read_some(piece.data(), piece.size())) {
    if (got > most - all.size())
      throw Error(ErrorCode::invalid_input,
                  "the registry sends more than " + format_bytes(most) + ", the limit; check the address");
    all.append(piece.data(), got);
  }
  return all;
}

std::string Answer::begin_of_body() {
  std::string text;
  try {
    std::array<char, 4096> piece{};
    while (text.size() < kMostExplained) {
      const std::size_t got = read_some(piece.data(), piece.size());
      if (got == 0) break;
      text.append(piece.data(), got);
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;  // else what came is enough
  }
  return text;
}

void Answer::drain() {
  static_cast<void>(begin_of_body());
}

std::string Answer::said() {
  std::string text = text_of(begin_of_body());
  for (const std::string& secret : grant_.secrets) {
    if (!secret.empty()) text = replace_all(text, secret, "***");
  }
  return text.empty() ? text : " (" + harmless(strip_ansi(text), kMostSaid) + ")";
}

void Answer::refuse() {
  const std::string why = said();
  const std::string answer = shown(url_.host) + " answers " + std::to_string(head_.status) + why + ": ";
  const long status = head_.status;
  const auto* found = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                   [&](const Meaning& meaning) { return meaning.status == status; });
  if (found == std::end(kMeanings)) {
    if (status >= 500)
      throw Temporary(answer + "it is ill; look at its log, or try again later",
                      std::chrono::seconds(head_.retry_after));
    if (status >= 300 && status < 400)
      throw Error(ErrorCode::unavailable,
                  answer + "it redirects a request that may not follow; check the name");
    if (status == 400 && why.find("DIGEST_INVALID") != std::string::npos)
      throw Error(ErrorCode::corrupt, answer + "what arrived there has another digest; try again");
    throw Error(ErrorCode::invalid_input, answer + "it does not take that; check the name, and what it is");
  }
  const char* mend = grant_.has_login || found->without == nullptr ? found->with_login : found->without;
  if (found->code == ErrorCode::unavailable)
    throw Temporary(answer + mend, std::chrono::seconds(head_.retry_after));
  throw Error(found->code, answer + mend);
}

}  // namespace runner::registry
