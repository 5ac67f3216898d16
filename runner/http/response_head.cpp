#include "runner/http/response_head.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::http {
namespace {

/// These say how the message lies on the connection, which is not for handlers to decide.
constexpr std::array<std::string_view, 6> kOwn = {"connection",        "content-length", "date",
                                                  "transfer-encoding", "x-request-id",   "keep-alive"};

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::optional<std::uint64_t> length_of(const Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) return text->size();
  if (const auto* file = std::get_if<FileBody>(&body)) return file->length;
  return {};
}

}  // namespace

Framing frame(const Response& response, Framing framing) {
  const bool stream = std::holds_alternative<StreamBody>(response.body);
  framing.has_body = !framing.head_only && response.status != 204 && response.status != 304;
  framing.chunked = stream && !framing.http_1_0;
  if (stream && framing.http_1_0) framing.keep_alive = false;
  return framing;
}

std::string format_head(const Response& response, const Framing& framing, std::string_view request_id,
                        std::string_view date) {
  if (response.status < 200 || response.status > 599)
    throw Error(ErrorCode::internal,
                "an answer has the status " + std::to_string(response.status) + ", not 200 to 599");
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason_phrase(response.status)).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (std::find(kOwn.begin(), kOwn.end(), to_lower(name)) != kOwn.end()) continue;
    if (!is_token(name) || !is_value(value))
      throw Error(ErrorCode::internal, "an answer has a malformed field " + in_quotes(name));
    append_field(head, name, value);
  }
  append_field(head, "Date", date);
  append_field(head, "X-Request-Id", request_id);
  const auto length = length_of(response.body);
  if (length && response.status != 204 && response.status != 304)
    append_field(head, "Content-Length", std::to_string(*length));
  if (framing.chunked && response.status != 204 && response.status != 304)
    append_field(head, "Transfer-Encoding", "chunked");
  if (!framing.keep_alive) append_field(head, "Connection", "close");
  if (framing.keep_alive && framing.http_1_0) append_field(head, "Connection", "keep-alive");
  head += "\r\n";
  return head;
}

std::string format_chunk(std::string_view bytes) {
  if (bytes.empty()) return "0\r\n\r\n";
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16);
  std::string chunk;
  chunk.reserve(bytes.size() + size.size() + 4);
  chunk.append(size.data(), end.ptr).append("\r\n").append(bytes).append("\r\n");
  return chunk;
}

bool is_request_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace runner::http
