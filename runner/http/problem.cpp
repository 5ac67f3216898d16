#include "runner/http/problem.h"

#include <algorithm>
#include <array>

#include "runner/base/text.h"

namespace runner::http {
namespace {

constexpr std::string_view kInside = "something failed inside the server; its log tells more of this request";

Problem describe(const Error& error) {
  const bool ours = !error.system();  // the text was written for people, not for operators of this machine
  switch (error.code()) {
    case ErrorCode::invalid_input:
      return ours ? Problem{.status = 400, .detail = error.what()}
                  : Problem{.status = 500, .detail = std::string(kInside)};
    case ErrorCode::not_found:
      return ours ? Problem{.status = 404, .detail = error.what()}
                  : Problem{.status = 500, .detail = std::string(kInside)};
    case ErrorCode::conflict:
      return ours ? Problem{.status = 409, .detail = error.what()}
                  : Problem{.status = 500, .detail = std::string(kInside)};
    case ErrorCode::unavailable:
    case ErrorCode::cancelled:
      return {.status = 503, .detail = "the server cannot do this now; try again later"};
    case ErrorCode::timeout:
      return {.status = 504, .detail = "something that the server waits for took too long"};
    case ErrorCode::corrupt:
    case ErrorCode::internal:
      break;
  }
  return {.status = 500, .detail = std::string(kInside)};
}

void append_member(std::string& json, std::string_view name, std::string_view value) {
  json += json.empty() ? "{" : ",";
  json += json_text(name);
  json += ":";
  json += value;
}

}  // namespace

std::string json_text(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : to_utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (c == '\n') {
      json += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      json += "\\u00";
      json += kHex[byte >> 4U];
      json += kHex[byte & 0xfU];
    } else {
      json += c;
    }
  }
  json += '"';
  return json;
}

Response problem_response(const Request& request, const Problem& problem) {
  static constexpr std::array<std::string_view, 5> kOwn = {"type", "title", "status", "detail", "instance"};
  std::string json;
  append_member(json, "type", json_text(problem.type));
  append_member(json, "title",
                json_text(problem.title.empty() ? reason_phrase(problem.status) : problem.title));
  append_member(json, "status", std::to_string(problem.status));
  if (!problem.detail.empty()) append_member(json, "detail", json_text(problem.detail));
  append_member(json, "instance", json_text(request.id));
  for (const auto& [name, value] : problem.members) {
    if (std::find(kOwn.begin(), kOwn.end(), name) == kOwn.end()) append_member(json, name, value);
  }
  json += "}\n";
  Response response = text_response(problem.status, std::move(json), "application/problem+json");
  response.headers.add("Cache-Control", "no-store");
  return response;
}

Response problem_of(const Request& request, const Error& error, std::chrono::seconds retry_after) {
  const Problem problem = describe(error);
  Response response = problem_response(request, problem);
  if (problem.status == 503) response.headers.add("Retry-After", std::to_string(retry_after.count()));
  return response;
}

}  // namespace runner::http
