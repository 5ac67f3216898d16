#include "runner/http/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace runner::http {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Request request() {
  Request request;
  request.id = "r1";
  return request;
}

std::string text(const Response& response) {
  return std::get<std::string>(response.body);
}

TEST(Problem, IsJsonWithTheMembersOfTheStandard) {
  const Response response =
      problem_response(request(), {.status = 409,
                                   .detail = "name \"a\\b\"\n is taken",
                                   .members = {{"field", json_text("name")}, {"n", "[1,2]"}}});
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(*response.headers.find("content-type"), "application/problem+json");
  EXPECT_EQ(text(response),
            R"({"type":"about:blank","title":"Conflict","status":409,"detail":"name \"a\\b\"\n is taken",)"
            R"("instance":"r1","field":"name","n":[1,2]})"
            "\n");
}

TEST(Problem, KeepsItsOwnMembers) {
  const Response response = problem_response(request(), {.status = 422,
                                                         .title = "No",
                                                         .type = "https://x/y",
                                                         .members = {{"status", "200"}, {"instance", "1"}}});
  EXPECT_EQ(text(response), R"({"type":"https://x/y","title":"No","status":422,"instance":"r1"})"
                            "\n");
}

TEST(Problem, EscapesControlBytesAndBrokenText) {
  EXPECT_EQ(json_text(std::string_view("\t\0\x7f\xff", 4)), R"("\u0009\u0000\u007f)"
                                                            "\xEF\xBF\xBD"
                                                            "\"");
}

struct Mapped {
  ErrorCode code;
  int status;
  bool told;  // the text goes to the client
};

TEST(Problem, MapsEachErrorCode) {
  const Mapped all[] = {{ErrorCode::invalid_input, 400, true}, {ErrorCode::not_found, 404, true},
                        {ErrorCode::conflict, 409, true},      {ErrorCode::unavailable, 503, false},
                        {ErrorCode::timeout, 504, false},      {ErrorCode::cancelled, 503, false},
                        {ErrorCode::corrupt, 500, false},      {ErrorCode::internal, 500, false}};
  for (const Mapped& mapped : all) {
    const Response response = problem_of(request(), Error(mapped.code, "the text"), std::chrono::seconds(7));
    EXPECT_EQ(response.status, mapped.status) << to_string(mapped.code);
    EXPECT_EQ(text(response).find("the text") != std::string::npos, mapped.told) << to_string(mapped.code);
    const std::string* retry = response.headers.find("Retry-After");
    EXPECT_EQ(retry == nullptr ? "" : *retry, mapped.status == 503 ? "7" : "") << to_string(mapped.code);
  }
}

TEST(Problem, HidesWhatASystemCallSaid) {
  const Error missing(std::error_code(ENOENT, std::generic_category()), "cannot open '/var/lib/key'");
  ASSERT_EQ(missing.code(), ErrorCode::not_found);
  const Response response = problem_of(request(), missing);
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(text(response), Not(HasSubstr("/var/lib")));
  const Error full(std::error_code(ENOSPC, std::generic_category()), "cannot write '/var/lib/key'");
  EXPECT_EQ(problem_of(request(), full).status, 503);
}

}  // namespace
}  // namespace runner::http
