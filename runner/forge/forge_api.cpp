#include "runner/forge/forge_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::forge {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestSaid = 200;
constexpr std::size_t kLongestRef = 255;  // of GitLab

/// What is of use to a person who may look: the log of a job, the pipeline.
std::string target_of(const CommitStatus& status, std::string_view server) {
  if (server.empty()) return {};
  std::string target(server);
  while (target.ends_with('/')) target.pop_back();
  if (status.job) return target + "/api/v1/jobs/" + std::to_string(*status.job) + "/log";
  return target + "/api/v1/pipelines/" + std::to_string(status.pipeline);
}

/// What the forge said, in a line for people.
std::string said(const ForgeAnswer& answer, std::string_view secret) {
  std::string text;
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_object()) {
    for (const char* name : {"message", "error_description", "error"}) {
      const auto found = body.find(name);
      if (found == body.end()) continue;
      text = found->is_string() ? found->get<std::string>()
                                : found->dump(-1, ' ', false, json::error_handler_t::replace);
      break;
    }
  }
  if (!secret.empty()) text = replace_all(text, secret, "***");
  text = to_utf8(text.substr(0, kLongestSaid));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

std::string rights_of(ForgeKind kind) {
  if (kind == ForgeKind::github)
    return "'repo:status', or of a fine-grained token 'Commit statuses: read and write'";
  if (kind == ForgeKind::gitlab) return "the scope 'api' and at least the role Developer";
  return "'write:repository'";
}

std::string mend_of(const ForgePlace& place, long status) {
  switch (status) {
    case 401:
      return "the token is not taken; give a new one with '--forge-token-file'";
    case 403:
      return "the token may not do this; it needs " + rights_of(place.kind);
    case 404:
    case 410:
      return "there is no such repository or commit at " + place.api +
             ", or the token may not see it (it needs " + rights_of(place.kind) +
             "); the repository is called " + in_quotes(place.repository) + ", see '--forge-repository'";
    default:
      break;
  }
  if (status >= 300 && status < 400)
    return "the repository or the API is elsewhere now; change the project's URL, or '--forge-api'";
  return "the forge does not take it";
}

std::chrono::seconds until(const ForgeAnswer& answer, const char* field, TimePoint now) {
  const auto found = answer.fields.find(field);
  const auto second = found == answer.fields.end() ? std::nullopt : parse_integer(found->second);
  if (!second || *second <= 0) return std::chrono::seconds(0);
  const auto at = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  // One more: seconds of two clocks.
  return std::chrono::seconds(*second > at ? *second - at + 1 : 1);
}

bool is_spent(const ForgeAnswer& answer) {
  for (const char* field : {"x-ratelimit-remaining", "ratelimit-remaining"}) {
    const auto found = answer.fields.find(field);
    if (found != answer.fields.end() && found->second == "0") return true;
  }
  return false;
}

}  // namespace

std::string encode_parts(const std::string& repository) {
  std::string path;
  for (const std::string_view part : split(std::string_view(repository), '/'))
    path += (path.empty() ? "" : "/") + percent_encode(part);
  return path;
}

std::vector<std::string> request_fields(ForgeKind kind, std::string_view token) {
  const std::string secret(token);
  if (kind == ForgeKind::github) {
    return {"Accept: application/vnd.github+json", "X-GitHub-Api-Version: 2022-11-28",
            "Authorization: Bearer " + secret};
  }
  // What GitLab takes so is any token of a person, project or group, and those of OAuth.
  if (kind == ForgeKind::gitlab) return {"Accept: application/json", "Authorization: Bearer " + secret};
  return {"Accept: application/json", "Authorization: token " + secret};
}

ForgeRequest status_request(const ForgePlace& place, const CommitStatus& status, std::string_view token,
                            std::string_view server) {
  ForgeRequest request;
  request.post = true;
  request.fields = request_fields(place.kind, token);
  request.fields.emplace_back("Content-Type: application/json");
  json body{{"state", std::string(state_of(place.kind, status))}, {"description", status.description}};
  if (const std::string target = target_of(status, server); !target.empty()) body["target_url"] = target;
  if (place.kind == ForgeKind::gitlab) {
    request.url = place.api + "/projects/" + percent_encode(place.repository) + "/statuses/" + status.sha;
    body["name"] = status.name;
    if (!status.ref.empty() && status.ref.size() <= kLongestRef) body["ref"] = status.ref;
  } else {
    request.url = place.api + "/repos/" + encode_parts(place.repository) + "/statuses/" + status.sha;
    body["context"] = status.name;
  }
  request.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return request;
}

Verdict judge(const ForgePlace& place, const ForgeAnswer& answer, std::string_view secret, TimePoint now) {
  Verdict verdict;
  const long status = answer.status;
  // GitLab tells states apart by what may follow what: this one it has already.
  const bool known = place.kind == ForgeKind::gitlab && status == 400 &&
                     answer.body.find("Cannot transition status") != std::string::npos;
  if ((status >= 200 && status < 300) || known) {
    verdict.kind = Verdict::Kind::taken;
    return verdict;
  }
  const bool limited =
      status == 429 || (status == 403 && (is_spent(answer) || answer.retry_after.count() > 0));
  std::string what = "HTTP " + std::to_string(status);
  if (const std::string message = said(answer, secret); !message.empty()) what += " (" + message + ")";
  if (limited || status >= 500 || status == 408 || status == 425 || status < 200) {
    verdict.whole_project = true;
    verdict.wait = answer.retry_after;
    for (const char* field : {"x-ratelimit-reset", "ratelimit-reset"}) {
      if (limited && verdict.wait.count() == 0) verdict.wait = until(answer, field, now);
    }
    verdict.why = what + (limited ? ": the forge is asked too often" : ": the forge is ill");
    return verdict;
  }
  verdict.kind = Verdict::Kind::refused;
  verdict.whole_project = status == 401 || status == 403;
  verdict.why = what + ": " + mend_of(place, status);
  return verdict;
}

}  // namespace runner::forge
