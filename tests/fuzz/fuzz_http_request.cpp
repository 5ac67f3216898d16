// What a client sends on one connection. It must be read the same whether it comes at once or byte by byte:
// where one request ends and the next begins is all that keeps them apart.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runner/http/request_parser.h"
#include "runner/http/target.h"
#include "tests/fuzz/check.h"

namespace {

using namespace runner::http;
using runner::test::promise;

constexpr std::size_t kHeadBytes = 512;
constexpr std::size_t kFields = 8;

struct Reading {
  std::vector<std::string> requests;
  int refused = 0;

  friend bool operator==(const Reading&, const Reading&) = default;
};

bool is_plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

std::string describe(const RequestHead& head, const std::string& body) {
  std::string text = head.method + ' ' + head.target + ' ' + std::to_string(head.minor);
  std::size_t fields = 0;
  for (const auto& [name, value] : head.headers) {
    promise(!name.empty() && is_plain(name) && is_plain(value), "fields are whole lines");
    text += '\n' + name + ": " + value;
    ++fields;
  }
  promise(fields <= kFields, "no more fields than allowed");
  promise(!(head.chunked && head.content_length), "a body has one length");
  promise(!head.content_length || body.size() == *head.content_length, "a body is as long as was said");
  return text + "\n\n" + body;
}

/// `at_once`: how many bytes the connection gives beyond those that were not taken.
Reading read(std::string_view input, std::size_t at_once) {
  RequestParser parser(kHeadBytes, kFields);
  Reading reading;
  RequestHead head;
  std::size_t begin = 0;
  std::size_t end = 0;
  for (;;) {
    std::size_t consumed = 0;
    const RequestParser::Step step = parser.feed(input.substr(begin, end - begin), consumed);
    promise(consumed <= end - begin, "no more is taken than there is");
    begin += consumed;
    switch (step) {
      case RequestParser::Step::need_more:
        if (end == input.size()) return reading;
        promise(end - begin < kHeadBytes, "a full buffer is enough");
        end = std::min({input.size(), end + at_once, begin + kHeadBytes});
        break;
      case RequestParser::Step::head:
        head = parser.take_head();
        break;
      case RequestParser::Step::body:
        promise(parser.body_bytes() <= input.size(), "a body is a part of what came");
        break;
      case RequestParser::Step::complete:
        reading.requests.push_back(describe(head, parser.take_body()));
        parser.reset();
        break;
      case RequestParser::Step::error:
        reading.refused = parser.error_status();
        promise(reading.refused >= 400 && reading.refused <= 599 && !parser.error_text().empty(),
                "a refusal says why");
        return reading;
    }
  }
}

void check_target(std::string_view text) {
  promise(
      loggable(text).find('=') == std::string::npos || text.substr(0, text.find('?')).find('=') != text.npos,
      "values of the query are not logged");
  const auto target = parse_target(text);
  if (!target) return;
  for (const std::string& segment : target->segments) {
    const std::string path = '/' + segment + '/';
    promise(path.find("/../") == path.npos && path.find("/./") == path.npos, "no way up is left in a path");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 8192) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Reading whole = read(input, kHeadBytes);
  promise(read(input, 1) == whole, "pieces make no difference");
  promise(read(input, 7) == whole, "pieces make no difference");
  check_target(input.substr(0, input.find('\n')));
  for (const std::string& request : whole.requests) {
    const std::size_t begin = request.find(' ') + 1;
    check_target(std::string_view(request).substr(begin, request.find(' ', begin) - begin));
  }
  return 0;
}
