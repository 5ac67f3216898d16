#include "runner/http/prepare.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/http/problem.h"
#include "runner/http/range.h"

namespace runner::http {
namespace {

std::string hex(std::uint64_t number) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  do text.insert(text.begin(), kDigits[number & 0xfU]);
  while ((number >>= 4U) != 0);
  return text;
}

/// Opens what is to be sent, and looks at it. Throws Error.
struct stat open_file(FileBody& file) {
  if (!file.fd) {
    // A pipe of that name must not hold up the thread.
    file.fd.reset(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file.fd) throw_errno("cannot open " + in_quotes(file.path.string()));
  }
  struct stat about {};
  if (::fstat(file.fd.get(), &about) != 0) throw_errno("cannot look at " + in_quotes(file.path.string()));
  if (!S_ISREG(about.st_mode))
    throw Error(ErrorCode::internal,
                "cannot send " + in_quotes(file.path.string()) + ": it is no regular file");
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (file.offset > size || file.length.value_or(0) > size - file.offset)
    throw Error(ErrorCode::corrupt, "cannot send " + in_quotes(file.path.string()) + ": it has " +
                                        format_bytes(size) + ", less than what was asked of it");
  if (!file.length) file.length = size - file.offset;
  return about;
}

Validators validators_of(const Response& response) {
  Validators validators;
  if (const std::string* etag = response.headers.find("ETag")) validators.etag = *etag;
  if (const std::string* modified = response.headers.find("Last-Modified"))
    validators.modified = parse_http_date(*modified);
  return validators;
}

void make_empty(Response& response, int status) {
  response.status = status;
  response.body = std::string();
  if (status == 304) response.headers.erase("Content-Type");
}

Response prepare_file(const Request& request, Response response) {
  auto& file = std::get<FileBody>(response.body);
  const struct stat about = open_file(file);
  if (response.headers.find("ETag") == nullptr) {
    const auto nanoseconds = static_cast<std::uint64_t>(about.st_mtim.tv_sec) * 1'000'000'000U +
                             static_cast<std::uint64_t>(about.st_mtim.tv_nsec);
    // The offset too: parts of one file are different things.
    response.headers.add("ETag", '"' + hex(static_cast<std::uint64_t>(about.st_size)) + '-' +
                                     hex(nanoseconds) + '-' + hex(file.offset) + '"');
  }
  if (response.headers.find("Last-Modified") == nullptr)
    response.headers.add("Last-Modified", format_http_date(about.st_mtim.tv_sec));
  if (response.status != 200 || (request.method != "GET" && request.method != "HEAD")) return response;
  response.headers.set("Accept-Ranges", "bytes");
  const Validators validators = validators_of(response);
  if (is_not_modified(request.headers, validators)) {
    make_empty(response, 304);
    return response;
  }
  if (request.method != "GET") return response;  // ranges are for GET alone (RFC 9110, section 14.2)
  const std::uint64_t size = *file.length;
  const RangeChoice choice = range_of(request.headers, validators, size);
  if (choice.kind == RangeKind::unsatisfiable) {
    Response refusal = problem_response(
        request,
        {.status = 416, .detail = "there are " + std::to_string(size) + " bytes, none of them in the range"});
    refusal.headers.add("Content-Range", "bytes */" + std::to_string(size));
    return refusal;
  }
  if (choice.kind == RangeKind::part) {
    response.status = 206;
    response.headers.set("Content-Range", "bytes " + std::to_string(choice.part.offset) + '-' +
                                              std::to_string(choice.part.offset + choice.part.length - 1) +
                                              '/' + std::to_string(size));
    file.offset += choice.part.offset;
    file.length = choice.part.length;
  }
  return response;
}

}  // namespace

Response prepare(const Request& request, Response response) {
  if (!std::holds_alternative<FileBody>(response.body)) {
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (reading && response.status == 200 && std::holds_alternative<std::string>(response.body) &&
        response.headers.find("ETag") != nullptr && is_not_modified(request.headers, validators_of(response)))
      make_empty(response, 304);
    return response;
  }
  try {
    return prepare_file(request, std::move(response));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found)
      return problem_response(request, {.status = 404, .detail = "this file is gone"});
    log_error("http", "request " + in_quotes(request.id) + ": " + error.what());
    return problem_of(request, error);
  }
}

}  // namespace runner::http
