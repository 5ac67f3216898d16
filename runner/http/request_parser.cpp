#include "runner/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>

#include "runner/base/text.h"

namespace runner::http {
namespace {

namespace beast = boost::beast;
namespace beast_http = boost::beast::http;

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Puts what Beast calls out into our own types.
class Sink final : public beast_http::basic_parser<true> {
 public:
  Sink(std::uint32_t max_head_bytes, std::size_t max_fields) : max_fields_(max_fields) {
    header_limit(max_head_bytes);
    body_limit(boost::none);  // the connection counts: it knows the route
  }

  RequestHead head;
  bool head_done = false;
  std::size_t fields = 0;
  std::string body;

 private:
  using Error = beast::error_code;
  using Text = beast::string_view;

  void on_request_impl(beast_http::verb, Text method, Text target, int version, Error&) override {
    head.method.assign(method.data(), method.size());
    head.target.assign(target.data(), target.size());
    head.minor = version % 10;
  }
  void on_response_impl(int, Text, int, Error&) override {}
  void on_field_impl(beast_http::field, Text name, Text value, Error&) override {
    if (head_done) return;  // trailers are dropped: nobody may change a field after it was judged
    if (++fields > max_fields_) return;  // judge() refuses it
    head.headers.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  void on_header_impl(Error&) override {
    head_done = true;
    if (const auto length = content_length()) head.content_length = *length;
    head.chunked = chunked();
    head.keep_alive = keep_alive();
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(Text bytes, Error&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  /// A line end in a quoted extension ends the line for some, and not for others.
  void on_chunk_header_impl(std::uint64_t, Text extensions, Error& error) override {
    const bool plain = std::none_of(extensions.begin(), extensions.end(), is_control);
    if (!plain) error = beast_http::error::bad_chunk_extension;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text bytes, Error&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Error&) override {}

  std::size_t max_fields_;
};

/// Where the head ends, just behind its empty line; npos when it does not yet. Lines that end with LF alone
/// count here, so that they are refused at once and not waited for.
std::size_t end_of_head(std::string_view bytes) {
  for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    const std::string_view next = bytes.substr(at + 1, 2);
    if (next.starts_with('\n')) return at + 2;
    if (next == "\r\n") return at + 3;
  }
  return std::string_view::npos;
}

/// A line of the head that begins with a blank belongs to the one before (obs-fold, RFC 9112, section 5.2);
/// or to nobody, when that is the request line. Servers do not agree on what it means.
bool has_folded_line(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

bool begins_a_method(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

}  // namespace

struct RequestParser::Impl {
  Impl(std::size_t bytes, std::size_t fields) : max_head_bytes(bytes), max_fields(fields) { renew(); }

  void renew() { sink = std::make_unique<Sink>(static_cast<std::uint32_t>(max_head_bytes), max_fields); }

  Step fail(int status, std::string text) {
    error_status = status;
    error_text = std::move(text);
    return Step::error;
  }

  /// What Beast lets pass and must not be, as it decides where this request ends: two servers in a row that
  /// read it differently are how requests are smuggled (RFC 9112, section 11.2).
  Step judge() {
    const RequestHead& head = sink->head;
    if (sink->fields > max_fields)
      return fail(431, "the request has more than " + std::to_string(max_fields) + " fields");
    if (head.headers.count("Transfer-Encoding") != 0) {
      const std::string* coding = head.headers.find("Transfer-Encoding");
      if (head.minor == 0) return fail(400, "HTTP/1.0 has no Transfer-Encoding");
      if (!head.chunked || head.headers.count("Transfer-Encoding") != 1 ||
          to_lower(trim(*coding)) != "chunked")
        return fail(501, "the only Transfer-Encoding that is understood is 'chunked'");
    }
    if (head.headers.count("Content-Length") > 1) return fail(400, "there is more than one Content-Length");
    // Beast takes lists, "3, 3".
    if (const std::string* length = head.headers.find("Content-Length");
        length != nullptr && !is_number(*length))
      return fail(400, "a Content-Length is one number");
    const std::size_t hosts = head.headers.count("Host");
    if (hosts > 1 || (hosts == 0 && head.minor == 1))
      return fail(400, "a request has exactly one field 'Host'");
    return Step::head;
  }

  Step feed_head(std::string_view bytes, std::size_t& consumed) {
    // An empty line may stand before a request (RFC 9112, section 2.2).
    while (consumed < bytes.size() && (bytes[consumed] == '\r' || bytes[consumed] == '\n')) ++consumed;
    bytes.remove_prefix(consumed);
    if (bytes.empty()) return Step::need_more;
    if (!begins_a_method(bytes.front())) return fail(400, "this is no HTTP request");
    // Beast sees whole heads only: fed in pieces, it counts its limit anew for each of them.
    const std::size_t end = end_of_head(bytes.substr(0, max_head_bytes));
    if (end == std::string_view::npos) {
      if (bytes.size() < max_head_bytes) return Step::need_more;
      const std::string limit = " is longer than " + format_bytes(max_head_bytes);
      return bytes.find('\n') == std::string_view::npos ? fail(414, "the request line" + limit)
                                                        : fail(431, "the head of the request" + limit);
    }
    if (has_folded_line(bytes.substr(0, end))) return fail(400, "a line of the head begins with a blank");
    beast::error_code error;
    std::size_t done = 0;
    while (!error && !sink->head_done)
      done += sink->put(boost::asio::buffer(bytes.data() + done, end - done), error);
    consumed += done;
    // Beast calls a lone line feed behind the version a bad version too.
    if (error == beast_http::error::bad_version &&
        bytes.substr(0, bytes.find('\n')).find(" HTTP/1.") == std::string_view::npos)
      return fail(505, "HTTP/1.0 and HTTP/1.1 are spoken here");
    if (error) return fail(400, "the head of the request is malformed: " + error.message());
    return judge();
  }

  Step feed_body(std::string_view bytes, std::size_t& consumed) {
    if (bytes.empty()) return Step::need_more;
    const std::size_t before = sink->body.size();
    beast::error_code error;
    consumed = sink->put(boost::asio::buffer(bytes.data(), bytes.size()), error);
    if (error == beast_http::error::need_more) {
      if (consumed == 0 && bytes.size() >= max_head_bytes)
        return fail(400, "the head or the trailer of a chunk is longer than " + format_bytes(max_head_bytes));
      return consumed == 0 ? Step::need_more : Step::body;
    }
    if (error) return fail(400, "the body of the request is malformed: " + error.message());
    if (sink->is_done()) return Step::complete;
    return sink->body.size() != before || consumed != 0 ? Step::body : Step::need_more;
  }

  std::size_t max_head_bytes;
  std::size_t max_fields;
  std::unique_ptr<Sink> sink;
  int error_status = 400;
  std::string error_text;
};

RequestParser::RequestParser(std::size_t max_head_bytes, std::size_t max_fields)
    : impl_(std::make_unique<Impl>(max_head_bytes, max_fields)) {}
RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::feed(std::string_view bytes, std::size_t& consumed) {
  consumed = 0;
  if (!impl_->sink->head_done) return impl_->feed_head(bytes, consumed);
  return impl_->sink->is_done() ? Step::complete : impl_->feed_body(bytes, consumed);
}

const RequestHead& RequestParser::head() const noexcept {
  return impl_->sink->head;
}

RequestHead RequestParser::take_head() noexcept {
  return std::move(impl_->sink->head);
}

std::string RequestParser::take_body() noexcept {
  return std::exchange(impl_->sink->body, {});
}

std::size_t RequestParser::body_bytes() const noexcept {
  return impl_->sink->body.size();
}

int RequestParser::error_status() const noexcept {
  return impl_->error_status;
}

const std::string& RequestParser::error_text() const noexcept {
  return impl_->error_text;
}

void RequestParser::reset() {
  impl_->renew();
}

}  // namespace runner::http
