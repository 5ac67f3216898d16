// Variables of a project: their fields, who may what, and that values never come out.
#include "runner/storage/variable_table.h"

#include <nlohmann/json.hpp>

#include "runner/storage/event_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kList = "/api/v1/projects/shop/variables";
constexpr const char* kSecret = "s3cret-value";

class ApiVariableTest : public ApiTest {
 protected:
  static std::string path(const std::string& key, const std::string& scope = {}) {
    return std::string(kList) + "/" + key + (scope.empty() ? "" : "?environment_scope=" + scope);
  }
  Asked add(const std::string& fields, const std::string& who = "anna") {
    return ask("POST", kList, R"({"value":"s3cret-value",)" + fields + "}", who);
  }
  std::string value(const std::string& key, const std::string& scope = "*") {
    std::string text;
    store_->read([&](storage::Tx& tx) {
      storage::Variables variables(tx, sealer_);
      text = variables.open(variables.find(shop_, key, scope).value()).text();
    });
    return text;
  }
  std::vector<storage::LogRecord> events() {
    std::vector<storage::LogRecord> found;
    store_->read([&](storage::Tx& tx) { found = storage::EventLog(tx).after(0, 100); });
    return found;
  }
};

TEST_F(ApiVariableTest, AddedVariableIsShownWithoutItsValue) {
  const Asked added =
      add(R"("key":"PROD_KEY","variable_type":"file","environment_scope":"production","protected":true,)"
          R"("masked":true,"raw":true,"description":"of the host")");
  EXPECT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(
      added.json(),
      json::parse(R"({"key":"PROD_KEY","variable_type":"file","environment_scope":"production",)"
                  R"("protected":true,"masked":true,"raw":true,"description":"of the host","version":0,)"
                  R"("created_at":"2026-02-23T11:00:00.123Z","updated_at":"2026-02-23T11:00:00.123Z"})"));
  EXPECT_EQ(ask("GET", path("PROD_KEY"), "", "dora").json(), added.json());
  EXPECT_EQ(ask("GET", kList, "", "dora").json().at("items"), json::array({added.json()}));
  EXPECT_EQ(value("PROD_KEY", "production"), kSecret);
  const json plain = add(R"("key":"A")").json();
  EXPECT_EQ(plain.at("environment_scope"), "*");
  EXPECT_EQ(plain.at("variable_type"), "env_var");
  for (const char* flag : {"protected", "masked", "raw"}) EXPECT_EQ(plain.at(flag), false) << flag;
}

TEST_F(ApiVariableTest, DevelopersSetThemAndNobodySeesAValue) {
  add(R"("key":"A")");
  struct Case {
    const char *method, *who;
    std::string path, body;
    int status;
  };
  const std::string body = R"({"key":"B","value":"x"})", change = R"({"value":"y"})";
  const Case cases[] = {
      {"GET", "", kList, "", 401},
      {"GET", "vera", kList, "", 403},
      {"GET", "vera", path("A"), "", 403},
      {"GET", "dora", kList, "", 200},
      {"GET", "dora", path("A"), "", 200},
      {"POST", "vera", kList, body, 403},
      {"PUT", "vera", path("A"), change, 403},
      {"PUT", "vera", path("A"), R"({"masked":1})", 403},
      {"DELETE", "vera", path("A"), "", 403},
      {"POST", "dora", kList, body, 201},  // it reaches nothing protected
      {"POST", "anna", kList, body, 409},
      {"POST", "anna", "/api/v1/projects/nope/variables", body, 404},
      {"PUT", "anna", "/api/v1/projects/nope/variables/A", change, 404},
      {"PUT", "anna", path("A"), change, 200},
      {"PUT", "anna", path("NEW"), "{}", 422},
      {"PUT", "anna", path("NEW"), change, 200},
      {"PUT", "anna", path("NEW", "a%3Fb"), change, 422},
      {"PUT", "anna", path("1NEW"), change, 422},
      {"PUT", "anna", path("A") + "?scope=x", change, 422},
      {"GET", "anna", path("NONE"), "", 404},
      {"GET", "anna", path("A", "production"), "", 404},
      {"GET", "anna", path("%FF"), "", 404},
      {"DELETE", "anna", path("A", "production"), "", 404},
      {"DELETE", "anna", path("A"), "", 204},
      {"DELETE", "anna", path("A"), "", 404},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.method) + " " + each.path + " by " + each.who);
    const Asked asked = ask(each.method, each.path, each.body, each.who);
    EXPECT_EQ(asked.status, each.status) << asked.body;
  }
}

TEST_F(ApiVariableTest, WrongFieldsAreNamedWithTheMend) {
  struct Case {
    std::string body, field, message;
  };
  const Case cases[] = {
      {"{}", "key", "needed"},
      {R"({"key":"A"})", "value", "needed"},
      {R"({"key":"A-B","value":"x"})", "key", "letters, digits and '_'"},
      {R"({"key":"A","value":5})", "value", "must be a text"},
      {R"({"key":"A","value":"a\u0000b"})", "value", "zero byte"},
      {R"({"key":"A","value":")" + std::string((64U << 10U) + 1, 'x') + R"("})", "value",
       "may have 65536 bytes, and has 65537"},
      {R"({"key":"A","value":"x","variable_type":"text"})", "variable_type", "'env_var' or 'file'"},
      {R"({"key":"A","value":"x","environment_scope":""})", "environment_scope", "'review/*'"},
      {R"({"key":"A","value":"x","environment":"production"})", "environment", "no such field"},
      {R"({"key":"A","value":"x","protected":"yes"})", "protected", "true or false"},
      {R"({"key":"A","value":"x","hidden":true})", "hidden", "no such field"},
      {R"({"key":"A","value":"s3cretX","masked":true})", "value", "--no-mask"},
      {R"({"key":"A","value":"s3cret s3cret","masked":true})", "value", "has blanks"},
      {R"({"key":"A","value":"s3cret12\ns3cret12","masked":true})", "value", "of the type file"},
      {R"({"key":"A","value":"a\nb","masked":true,"variable_type":"file"})", "value", "no line of it"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.body.substr(0, 80));
    const Asked asked = ask("POST", kList, each.body);
    EXPECT_EQ(asked.status, 422);
    EXPECT_THAT(asked.fields(), Contains(each.field));
    EXPECT_THAT(asked.body, HasSubstr(each.message));
    EXPECT_THAT(asked.body, Not(HasSubstr("s3cret")));
  }
  EXPECT_THAT(ask("GET", kList).json().at("items"), IsEmpty());
  // The largest there may be, each byte of it escaped.
  std::string largest;
  for (std::size_t i = 0; i < 64U << 10U; ++i) largest += "\\u0001";
  EXPECT_EQ(ask("PUT", path("A"), R"({"value":")" + largest + R"("})").status, 200);
}

TEST_F(ApiVariableTest, ChangesKeepWhatIsNotGiven) {
  add(R"("key":"A","environment_scope":"review/*","protected":true,"description":"old")");
  const std::string one = path("A", "review%2F*");
  Asked changed = ask("PUT", one, R"({"value":"another"})");
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(changed.json().at("protected"), true) << "a new value is not for more jobs than the old one";
  EXPECT_EQ(changed.json().at("description"), "old");
  EXPECT_EQ(changed.json().at("version"), 1);
  EXPECT_EQ(value("A", "review/*"), "another");
  changed = ask("PUT", one, R"({"masked":true})");
  EXPECT_EQ(changed.status, 422) << "what is there is too short for that";
  EXPECT_THAT(changed.fields(), Contains("value"));
  changed = ask("PUT", one, R"({"protected":false,"description":null,"version":1})");
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_EQ(changed.json().at("description"), "");
  EXPECT_EQ(value("A", "review/*"), "another");
  changed = ask("PUT", one, R"({"value":"late","version":1})");
  EXPECT_EQ(changed.status, 409);
  EXPECT_THAT(changed.body, HasSubstr("its version is 2"));
  EXPECT_EQ(value("A", "review/*"), "another");
}

TEST_F(ApiVariableTest, OfSeveralScopesOneHasToBeSaid) {
  add(R"("key":"A")");
  EXPECT_EQ(ask("GET", path("A")).status, 200);
  EXPECT_EQ(ask("PUT", path("A", "production"), R"({"value":"of production"})").status, 200);
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    const Asked asked = ask(method, path("A"), method == std::string("PUT") ? R"({"value":"x"})" : "");
    EXPECT_EQ(asked.status, 409);
    EXPECT_THAT(asked.body, HasSubstr("one of '*', 'production'"));
  }
  EXPECT_EQ(ask("GET", path("A", "production")).json().at("environment_scope"), "production");
  EXPECT_EQ(ask("DELETE", path("A", "*")).status, 204);
  EXPECT_EQ(value("A", "production"), "of production");
}

TEST_F(ApiVariableTest, ListsGoOnPageByPage) {
  for (const char* key : {"B_A", "A1", "A", "Ab"}) add(R"("key":")" + std::string(key) + R"(")");
  add(R"("key":"A","environment_scope":"production")");
  std::vector<std::string> names;
  std::string cursor;
  do {
    const json page = ask("GET", std::string(kList) + "?limit=2" + cursor).json();
    for (const json& item : page.at("items"))
      names.push_back(item.at("key").get<std::string>() + " " +
                      item.at("environment_scope").get<std::string>());
    cursor = page.at("next").is_null() ? "" : "&cursor=" + page.at("next").get<std::string>();
  } while (!cursor.empty());
  EXPECT_THAT(names, ::testing::ElementsAre("A *", "A production", "A1 *", "Ab *", "B_A *"));
}

TEST_F(ApiVariableTest, NoAnswerAndNoEventHasAValue) {
  std::string all = add(R"("key":"A","masked":true)").body;
  all += add(R"("key":"A","masked":true)").body;
  all += ask("PUT", path("A"), R"({"value":"s3cret-value2","description":"x"})").body;
  all += ask("PUT", path("A"), R"({"value":"s3cret value"})").body;
  all += ask("PUT", path("A"), R"({"valeu":"s3cret-value"})").body;
  for (const char* who : {"vera", "dora", "anna"}) {
    for (const std::string& each : {std::string(kList), path("A")}) all += ask("GET", each, "", who).body;
  }
  all += ask("GET", "/api/v1/projects/shop").body;
  all += ask("DELETE", path("A")).body;
  std::vector<std::string> kinds;
  for (const storage::LogRecord& event : events()) {
    kinds.push_back(event.kind);
    all += event.payload;
    EXPECT_EQ(json::parse(event.payload), json::parse(R"({"key":"A","environment_scope":"*","by":"anna"})"));
  }
  EXPECT_THAT(all, Not(HasSubstr("s3cret")));
  EXPECT_THAT(kinds, ::testing::ElementsAre("variable.created", "variable.changed", "variable.removed"));
}

TEST_F(ApiVariableTest, AProjectHasNoMoreThanItMay) {
  store_->write([&](storage::Tx& tx) {
    storage::Variables variables(tx, sealer_);
    for (std::size_t i = 0; i < storage::kMostVariables; ++i) {
      storage::VariableRecord variable;
      variable.project = shop_;
      variable.key = "A" + std::to_string(i);
      variables.insert(variable, "");
    }
  });
  const Asked asked = add(R"("key":"B")");
  EXPECT_EQ(asked.status, 409);
  EXPECT_THAT(asked.body, HasSubstr("remove those that nothing uses"));
}

}  // namespace
}  // namespace runner::api
