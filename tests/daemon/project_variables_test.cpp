// Variables of a project on the whole program: who is given them, and where they are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "runner/base/base64.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/database/sqlite.h"
#include "runner/storage/data_key.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kSecret = "pr0d+s3cret/of~production=";
constexpr const char* kKeyFile = "-----BEGIN KEY-----\nc2VjcmV0IGtleSBvZiBwcm9k\n-----END KEY-----\n";
constexpr const char* kKeyLine = "c2VjcmV0IGtleSBvZiBwcm9k";

/// As it is, and as others write it.
std::vector<std::string> spellings(const std::string& secret) {
  std::vector<std::string> all{secret};
  // Of the three ways in which base64 may meet it, without what hangs on its neighbours.
  for (std::size_t shift = 0; shift < 3; ++shift) {
    const std::string encoded = to_base64(std::string(shift, 'x') + secret);
    all.push_back(encoded.substr(4, encoded.size() - 12));
  }
  std::string encoded, hex;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : secret) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~';
    const std::string digits{kDigits[byte >> 4U], kDigits[byte & 15U]};
    encoded += plain ? std::string(1, c) : "%" + digits;
    hex += to_lower(digits);
  }
  all.push_back(encoded);
  all.push_back(hex);
  return all;
}

class ProjectVariables : public testing::Test {
 protected:
  void begin(const std::string& pipeline) {
    repository_.write(".gitlab-ci.yml", pipeline);
    repository_.push("here");
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
  }
  json set(const std::string& key, const std::string& value, const std::string& scope = "*",
           json more = json::object()) {
    more["value"] = value;
    const auto answer = server_.ask(
        "PUT",
        "/api/v1/projects/shop/variables/" + key + "?environment_scope=" + replace_all(scope, "/", "%2F"),
        more);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body);
  }
  void run() { server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}}); }
  json job(const json& pipeline, const std::string& name) {
    json newest;
    for (const json& one : pipeline.at("jobs"))
      if (one.at("name") == name) newest = one;
    return newest;
  }
  std::string log(const json& pipeline, const std::string& name) {
    return server_.log_of(job(pipeline, name));
  }
  void wait_for_state(int id, const std::string& state) {
    server_.wait_until("deployment " + std::to_string(id) + " " + state, [&] {
      const auto answer = server_.ask("GET", "/api/v1/deployments/" + std::to_string(id));
      return answer.status == 200 && json::parse(answer.body).at("state") == state;
    });
  }
  /// Files below the data directory, processes of it, and answers of the API that have it in any spelling.
  std::vector<std::string> places_of(const std::string& secret) {
    std::vector<std::string> found;
    const auto look = [&](const std::string& place, const std::string& text) {
      for (const std::string& spelling : spellings(secret)) {
        if (text.find(spelling) != std::string::npos) found.push_back(place);
      }
    };
    std::error_code gone;
    for (auto entry = fs::recursive_directory_iterator(server_.data(), gone);
         entry != fs::recursive_directory_iterator(); entry.increment(gone)) {
      if (!entry->is_regular_file(gone)) continue;
      try {
        look(entry->path().native(), read_file(entry->path()).value_or(""));
      } catch (const std::exception&) {  // gone, or not ours
      }
    }
    for (const auto& entry : fs::directory_iterator("/proc")) {
      if (!parse_integer(entry.path().filename().native())) continue;
      for (const char* name : {"environ", "cmdline"}) {
        try {
          // Also of processes that are none of ours: nobody else has it.
          look((entry.path() / name).native(), read_proc(entry.path() / name));
        } catch (const std::exception&) {
        }
      }
    }
    for (const char* path : {"/projects/shop/variables", "/projects/shop", "/pipelines/1",
                             "/projects/shop/pipelines", "/deployments/1", "/projects/shop/environments",
                             "/projects/shop/environments/production/deployments"}) {
      look(path, server_.ask("GET", std::string("/api/v1") + path).body);
    }
    look("what the server said", server_.said());
    return found;
  }
  /// Plan and facts of the first pipeline. While nobody serves.
  std::string unsealed_plan() {
    const SystemClock clock;
    const auto store = storage::open_file_store(server_.data() / "runner.db", clock);
    const storage::Sealer sealer(storage::read_data_key(server_.data() / "secrets/data.key"));
    std::string text;
    store->read([&](storage::Tx& tx) {
      const auto frozen = storage::Pipelines(tx).frozen(1, sealer).value();
      text = std::string(frozen.plan.text()) + std::string(frozen.facts.text());
    });
    return text;
  }
  /// The kernel says that these have no size.
  static std::string read_proc(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
};

TEST_F(ProjectVariables, OfAProtectedEnvironmentAreNowhereBeforeItsApprovalAndMaskedAfterIt) {
  const fs::path top = repository_.top(), hold = top / "hold", jobs = server_.data() / "jobs";
  write_file_atomic(hold, "", 0644, false);
  begin(
      "stages: [build, deploy]\n"
      "variables: {TOKEN: of the file}\n"
      "build: {stage: build, environment: staging, script: ['echo \"TOKEN=$TOKEN KEY=${PROD_KEY-none}\"']}\n"
      "verify:\n"
      "  {stage: build, environment: {name: production, action: verify},\n"
      "   script: ['echo \"TOKEN=$TOKEN KEY=${PROD_KEY-none}\"']}\n"
      "deploy:\n"
      "  stage: deploy\n"
      "  environment: production\n"
      "  script:\n"
      "    - echo \"TOKEN=$TOKEN.\"\n"
      "    - printf '%s' \"$TOKEN\" > " +
      (top / "token").native() +
      "\n"
      "    - cat \"$PROD_KEY\"\n"
      "    - cat \"$PROD_KEY\" > " +
      (top / "key").native() +
      "\n"
      "    - while [ -e " +
      hold.native() + " ]; do sleep 0.05; done\n");
  server_.api(
      "PUT", "/projects/shop/environments/production",
      {{"protection",
        {{"approvals", {{"rules", {{{"name", "peers"}, {"count", 1}, {"who", {"role:developer"}}}}}}}}}});
  server_.api("POST", "/users", {{"name", "ben"}, {"role", "developer"}});
  const std::string token = server_.api("POST", "/users/ben/tokens", {{"name", "test"}}).at("token");
  set("TOKEN", kSecret, "production", {{"masked", true}});
  set("PROD_KEY", kKeyFile, "prod*", {{"masked", true}, {"variable_type", "file"}});
  set("TOKEN", "for everybody else", "*", {{"raw", true}});
  run();
  wait_for_state(1, "waiting_approval");
  server_.kill();
  // Nor for who has the key.
  const std::string plan = unsealed_plan();
  EXPECT_THAT(plan, HasSubstr("for everybody else")) << "one looks in the right place";
  EXPECT_THAT(plan, Not(HasSubstr(kSecret)));
  EXPECT_THAT(plan, Not(HasSubstr(kKeyLine)));
  server_.start();
  wait_for_state(1, "waiting_approval");
  for (const std::string& secret : {std::string(kSecret), std::string(kKeyLine)})
    EXPECT_THAT(places_of(secret), IsEmpty());
  const json waits = server_.pipelines().at(0);
  EXPECT_THAT(log(waits, "build"), HasSubstr("TOKEN=for everybody else KEY=none\n"));
  EXPECT_THAT(log(waits, "verify"), HasSubstr("TOKEN=for everybody else KEY=none\n"))
      << "it passes no gate, so that it gets nothing of what is behind it";

  auto client = http::testing::Client::tcp(server_.port());
  client.send(
      request_text("POST", "/api/v1/deployments/1/approve", "Authorization: Bearer " + token + "\r\n", "{}"));
  EXPECT_EQ(client.read_answer().status, 200);
  server_.wait_until("the job has them", [&] { return read_file(top / "key") == kKeyFile; });
  EXPECT_THAT(places_of(kSecret), Contains(EndsWith("/environ"))) << "one looks in the right places";
  EXPECT_THAT(places_of(kKeyLine), Contains(EndsWith("/files/PROD_KEY")));
  for (const std::string& secret : {std::string(kSecret), std::string(kKeyLine)})
    EXPECT_THAT(places_of(secret), Each(AnyOf(EndsWith("/environ"), StartsWith(jobs.native()))));
  fs::remove(hold);
  const json ended = server_.wait_for(1).front();
  const std::string said = log(ended, "deploy");
  EXPECT_EQ(ended.at("status"), "success") << said;
  EXPECT_THAT(said, HasSubstr("TOKEN=[MASKED].\n"));
  EXPECT_THAT(said, Not(HasSubstr(kSecret)));
  EXPECT_THAT(said, Not(HasSubstr(kKeyLine)));
  EXPECT_EQ(read_file(top / "token"), kSecret);
  EXPECT_EQ(read_file(top / "key"), kKeyFile);
  server_.wait_until("nothing is left of the job",
                     [&] { return places_of(kSecret).empty() && places_of(kKeyLine).empty(); });
}

TEST_F(ProjectVariables, ForAllJobsCountInRulesAndProtectedOnesOnlyOnProtectedRefs) {
  begin(
      "variables: {A: of the file}\n"
      "show:\n"
      "  rules: [{if: '$A == \"of the project\"'}]\n"
      "  script: ['echo \"A=$A P=${P-none} D=$D R=$R\"']\n");
  set("A", "of the project");
  set("P", "s3cret-of-the-ref", "*", {{"protected", true}, {"masked", true}});
  set("D", "a $A");
  set("R", "a $A", "*", {{"raw", true}});
  server_.api("PATCH", "/projects/shop", {{"branches", {"main"}}});
  run();
  EXPECT_THAT(log(server_.wait_for(1).front(), "show"),
              HasSubstr("A=of the project P=[MASKED] D=a of the project R=a $A\n"));
  server_.api("PATCH", "/projects/shop", {{"branches", {"m*"}}});
  server_.api("POST", "/projects/shop/pipelines",
              json{{"ref", "main"}, {"variables", {{"D", "of who asks"}}}});
  EXPECT_THAT(log(server_.wait_for(2).back(), "show"),
              HasSubstr("A=of the project P=none D=of who asks R=a $A\n"));
}

TEST_F(ProjectVariables, AreMaskedInWhatIsSaidOfAWrongFile) {
  begin("deploy: {environment: 'a:$A', script: ['true']}\n");
  set("A", "s3cret-value", "*", {{"masked", true}});
  const auto answer = server_.ask("POST", "/api/v1/projects/shop/pipelines", json{{"ref", "main"}});
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr("invalid environment name 'a:[MASKED]'"));
  EXPECT_THAT(answer.body, Not(HasSubstr("s3cret")));
}

TEST_F(ProjectVariables, OfAnEnvironmentTheMostSpecificCountsWhenTheJobStarts) {
  const fs::path hold = repository_.top() / "hold";
  write_file_atomic(hold, "", 0644, false);
  begin("wait: {stage: build, script: ['while [ -e " + hold.native() +
        " ]; do sleep 0.05; done']}\n"
        "review: {stage: test, environment: review/one, script: ['echo \"A=$A B=$B C=${C-none}\"']}\n");
  set("A", "of all");
  set("A", "of review", "review/*");
  set("A", "of one", "review/one");
  set("A", "of others", "review/other");
  set("B", "before", "review/*");
  set("C", "of production", "production");
  run();
  server_.wait_until("the pipeline is made", [&] { return !server_.pipelines().empty(); });
  set("B", "after", "review/*");
  fs::remove(hold);
  EXPECT_THAT(log(server_.wait_for(1).front(), "review"), HasSubstr("A=of one B=after C=none\n"));
}

TEST_F(ProjectVariables, ThatDoNotOpenFailTheJobWithTheReason) {
  begin("deploy: {environment: staging, script: ['true']}\n");
  set("A", "s3cret-value", "staging");
  server_.stop();
  // As somebody does who can write the database and wants what is not for them.
  const auto database = database::open_sqlite_file(server_.data() / "runner.db", database::Durability::full);
  const auto tx = database->begin(database::TxMode::write);
  tx->script("UPDATE variables SET scope = 'stag*'");
  tx->commit();
  server_.start();
  run();
  const json ended = server_.wait_for(1).front();
  EXPECT_EQ(ended.at("status"), "failed");
  EXPECT_THAT(job(ended, "deploy").at("reason").get<std::string>(),
              HasSubstr("cannot give the job variable 'A' for the scope 'stag*': "));
  EXPECT_THAT(server_.command("variable list shop").output, HasSubstr("stag*"));
}

}  // namespace
}  // namespace runner::test
