#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPlain =
    R"({"key":"A","variable_type":"env_var","environment_scope":"*","protected":false,"masked":true,)"
    R"("raw":false,"description":"","version":0,"created_at":"2026-01-01T00:00:00.000Z",)"
    R"("updated_at":"2026-01-01T00:00:00.000Z"})";
constexpr const char* kFile =
    R"({"key":"KEY","variable_type":"file","environment_scope":"review/*","protected":true,"masked":true,)"
    R"("raw":true,"description":"of the host","version":3,"created_at":"2026-01-01T00:00:00.000Z",)"
    R"("updated_at":"2026-01-01T00:00:00.000Z"})";
constexpr const char* kPut = "PUT /projects/shop/variables/A";

struct VariableCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(VariableCommands, SetSendsTheValueFromWhereverItComes) {
  server.on(kPut, 200, kPlain);
  box.write("value", "from a file\n");
  struct Case {
    const char *words, *value;
  };
  const Case cases[] = {
      {"printf 's3cret-value\\n' | runner variable set shop A", "s3cret-value"},
      {"printf 's3cret-value\\r\\n' | runner variable set shop A --file -", "s3cret-value"},
      {"printf ' two\\nlines\\n\\n' | runner variable set shop A", " two\\nlines\\n"},
      {"runner variable set shop A --value 's3cret \"value\"' < /dev/null", "s3cret \\\"value\\\""},
      {"runner variable set shop A --file value < /dev/null", "from a file"},
      {"runner variable set shop A < /dev/null", ""},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.words);
    const Ended ended = box.run_bash(each.words);
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, "set 'A' of 'shop' for all jobs: masked\n");
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(server.last_body(),
              R"({"value":")" + std::string(each.value) + R"(","variable_type":"env_var","masked":true})");
    EXPECT_EQ(server.asked_what().back(), std::string(kPut) + "?environment_scope=*");
  }
}

TEST_F(VariableCommands, SetSendsWhatWasSaid) {
  server.on("PUT /projects/shop/variables/KEY", 200, kFile);
  const std::string set = "variable set shop KEY --type file --environment 'review/*' ";
  Ended ended = box.run_bash("printf 'a\\nkey\\n' | runner " + set +
                             "--protected --raw --no-mask --description 'of the host'");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.asked_what().back(), "PUT /projects/shop/variables/KEY?environment_scope=review/*");
  EXPECT_EQ(ended.out, "set 'KEY' of 'shop' for jobs of 'review/*': file, masked, protected, raw\n");
  EXPECT_EQ(server.last_body(),
            R"({"value":"a\nkey\n","variable_type":"file","masked":false,"protected":true,"raw":true,)"
            R"("description":"of the host"})");
  ended = box.run_bash("echo x | runner " + set + "--no-protected --no-raw --json");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr(R"("environment_scope":"review/*")"));
  EXPECT_EQ(server.last_body(),
            R"({"value":"x\n","variable_type":"file","masked":true,"protected":false,"raw":false})");
}

TEST_F(VariableCommands, ADollarThatMeansSomethingIsSaid) {
  server.on(kPut, 200, kPlain);
  const Ended ended = box.run({"variable", "set", "shop", "A", "--value", "pa$word12"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.err, HasSubstr("--raw leaves it as it is"));
  EXPECT_THAT(ended.err, Not(HasSubstr("pa$word12")));
}

TEST_F(VariableCommands, ARefusalNamesTheMend) {
  server.on(kPut, [](const http::Request&) {
    return http::text_response(
        422,
        R"({"title":"Unprocessable","status":422,"detail":"a field is wrong","errors":[{"field":"value",)"
        R"("message":"cannot be masked: give it more, or set it without masking: --no-mask"}]})",
        "application/problem+json");
  });
  const Ended ended = box.run({"variable", "set", "shop", "A", "--value", "short"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--no-mask"));
}

TEST_F(VariableCommands, ListShowsAllButValues) {
  server.on_each(
      "GET /projects/shop/variables",
      {R"({"items":[)" + std::string(kPlain) + "," + kFile +
       R"(,{"key":"B","environment_scope":"production","variable_type":"env_var"}],"next":null})"});
  EXPECT_EQ(box.run({"variable", "list", "shop"}).out,
            "KEY  ENVIRONMENT  HOW                           DESCRIPTION\n"
            "A    *            masked\n"
            "KEY  review/*     file, masked, protected, raw  of the host\n"
            "B    production   plain\n");
  EXPECT_EQ(box.run({"variable", "list", "shop", "-q"}).out, "A\nKEY\nB\n");
  EXPECT_EQ(box.run({"variable", "list", "shop", "--json"}).out.substr(0, 2), "[{");
  server.on("GET /projects/docs/variables", 200, R"({"items":[],"next":null})");
  EXPECT_EQ(box.run({"variable", "list", "docs"}).err,
            "runner: there are no variables; 'runner variable set' makes one\n");
}

TEST_F(VariableCommands, RemoveNamesAScopeOnlyWhenOneIsSaid) {
  const auto gone = [](const http::Request&) {
    http::Response response;
    response.status = 204;
    return response;
  };
  server.on("DELETE /projects/shop/variables/A", gone);
  EXPECT_EQ(box.run({"variable", "remove", "shop", "A"}).out, "removed 'A' of 'shop'\n");
  EXPECT_EQ(box.run({"variable", "remove", "shop", "A", "--environment", "review/*", "--json"}).out,
            "{\"removed\":\"A\"}\n");
  EXPECT_THAT(server.asked_what(),
              ElementsAre("DELETE /projects/shop/variables/A",
                          "DELETE /projects/shop/variables/A?environment_scope=review/*"));
  EXPECT_EQ(box.run({"variable", "remove", "shop", "B"}).code, 1);
}

TEST_F(VariableCommands, WrongLinesAreRefusedBeforeTheServerIsAsked) {
  box.write("binary", std::string("a\0b", 3));
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"variable", "set"}, "no project given"},
      {{"variable", "set", "shop"}, "no key given"},
      {{"variable", "set", "shop", "A", "s3cret"}, "a value is given by standard input"},
      {{"variable", "set", "shop", "A", "--value", ""}, "'--value' got an empty value"},
      {{"variable", "set", "shop", "A", "--environment", ""}, "'--environment' got an empty value"},
      {{"variable", "set", "shop", "A", "--value", "x", "--file", "x"}, "exclude each other"},
      {{"variable", "set", "shop", "A", "--protected", "--no-protected"}, "exclude each other"},
      {{"variable", "set", "shop", "A", "--raw", "--no-raw"}, "exclude each other"},
      {{"variable", "set", "shop", "A", "--value", "x", "--type", "text"}, "allowed are env_var and file"},
      {{"variable", "set", "shop", "A", "--file", "none"}, "there is no file 'none'"},
      {{"variable", "set", "shop", "A", "--file", "binary"}, "is no text; encode it"},
      {{"variable", "list"}, "no project given"},
      {{"variable", "list", "shop", "A"}, "unexpected argument 'A'"},
      {{"variable", "remove", "shop"}, "'runner variable list shop' shows"},
      {{"variable", "sett"}, "did you mean 'set'?"},
  };
  for (const auto& [words, says] : cases) {
    SCOPED_TRACE(says);
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_THAT(ended.err, HasSubstr(says));
    EXPECT_THAT(ended.err, Not(HasSubstr("s3cret")));
  }
  EXPECT_TRUE(server.asked().empty());
}

TEST_F(VariableCommands, HelpSaysWhoSeesAValueOnTheCommandLine) {
  EXPECT_THAT(box.run({"variable", "set", "--help"}).out, HasSubstr("in the list of"));
}

}  // namespace
}  // namespace runner::cli
