// Configuration files: what is read, and what is said of wrong ones.
#include "runner/daemon/config_file.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/support/source_dir.h"

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const TimePoint kNow{std::chrono::sys_days{std::chrono::March / 10 / 2026}};
constexpr const char* kKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END-----\n";

class ConfigFileTest : public testing::Test {
 public:
  void write(const std::string& name, std::string_view content, unsigned mode = 0600) const {
    write_file_atomic(dir.path() / name, content, mode);
  }
  ConfigReading read(std::string_view text) {
    write("config.yaml", text);
    return read_config(
        dir.path() / "config.yaml",
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = environment.find(name);
          return found == environment.end() ? std::nullopt : std::optional(found->second);
        },
        kNow);
  }
  /// The lines without the directory.
  std::vector<std::string> complaints(std::string_view text) {
    const ConfigReading reading = read(text);
    EXPECT_EQ(reading.config.has_value(), !reading.diagnostics.has_errors());
    std::vector<std::string> lines = reading.lines();
    for (std::string& line : lines) line = replace_all(line, dir.path().native() + "/", "");
    return lines;
  }
  ConfigFile good(std::string_view text) {
    ConfigReading reading = read(text);
    EXPECT_THAT(reading.lines(), IsEmpty());
    return reading.config.value();
  }

  TempDir dir{"config-test-"};
  std::map<std::string, std::string> environment;
};

TEST_F(ConfigFileTest, EverythingIsRead) {
  write("shop.token", "glpat-1\n");
  write("shop.hook", "h00k");
  write("tools.key", kKey);
  environment["DOCS_TOKEN"] = "t0ken";
  const ConfigFile config = good(R"yml(
listen: 0.0.0.0:9000
tls: {certificate: server.pem, key: /etc/ssl/server.key}
data: /srv/runner
jobs: 8
executor: shell
timeout: 30m
log_level: debug
poll_interval: 2m
projects:
  - name: shop
    url: https://git.example.com/team/shop.git
    branches: [main, 'release/*']
    tags: v*
    pipeline_file: ci/all.yml
    poll_interval: never
    paused: yes
    username: ci
    token_file: shop.token
    webhook_secret_file: shop.hook
    schedules:
      - {name: nightly, cron: '0 3 * * *', timezone: Europe/Zurich, ref: main, active: false, variables: {FULL: 1, A: b}}
      - {name: weekly, cron: '@weekly'}
  - {name: tools, url: 'git@git.example.com:team/tools.git', ssh_key_file: tools.key}
  - {name: docs, url: 'https://git.example.com/docs.git', token_env: DOCS_TOKEN}
)yml");
  EXPECT_EQ(config.path, dir.path() / "config.yaml");
  EXPECT_EQ(config.server.listen->host, "0.0.0.0");
  EXPECT_EQ(config.server.listen->port, 9000);
  EXPECT_EQ(config.server.certificate, dir.path() / "server.pem") << "relative to the file";
  EXPECT_EQ(config.server.key, "/etc/ssl/server.key");
  EXPECT_EQ(config.server.data, "/srv/runner");
  EXPECT_EQ(config.server.jobs, 8U);
  EXPECT_EQ(config.server.shell_only, true);
  EXPECT_EQ(config.server.timeout, std::chrono::minutes(30));
  EXPECT_EQ(config.server.log_level, "debug");
  ASSERT_EQ(config.projects.size(), 3U);
  const ConfigProject& shop = config.projects[0];
  EXPECT_EQ(shop.record.name, "shop");
  EXPECT_EQ(shop.record.url, "https://git.example.com/team/shop.git");
  EXPECT_THAT(shop.record.branches, ElementsAre("main", "release/*"));
  EXPECT_THAT(shop.record.tags, ElementsAre("v*"));
  EXPECT_EQ(shop.record.pipeline_file, "ci/all.yml");
  EXPECT_EQ(shop.record.poll_interval.count(), 0);
  EXPECT_TRUE(shop.record.paused);
  EXPECT_EQ(shop.username, "ci");
  EXPECT_EQ(shop.token, "glpat-1");
  EXPECT_EQ(shop.webhook_secret, "h00k");
  ASSERT_EQ(shop.schedules.size(), 2U);
  EXPECT_EQ(shop.schedules[0].time_zone, "Europe/Zurich");
  EXPECT_EQ(shop.schedules[0].ref, "main");
  EXPECT_FALSE(shop.schedules[0].active);
  EXPECT_THAT(shop.schedules[0].variables, ElementsAre(Pair("A", "b"), Pair("FULL", "1")));
  EXPECT_EQ(shop.schedules[1].time_zone, "UTC");
  EXPECT_EQ(config.projects[1].ssh_key, kKey);
  EXPECT_EQ(config.projects[1].record.poll_interval, std::chrono::minutes(2)) << "the file's default";
  EXPECT_THAT(config.projects[1].record.branches, ElementsAre("develop", "main"));
  EXPECT_EQ(config.projects[2].token, "t0ken");
  EXPECT_THAT(config.secret_variables, ElementsAre("DOCS_TOKEN"));
}

TEST_F(ConfigFileTest, AnEmptyFileSaysNothing) {
  for (const char* text : {"", "# nothing\n", "projects:\n", "projects: []\n"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(good(text).projects, IsEmpty());
  }
}

TEST_F(ConfigFileTest, TheExampleIsRightAsItIsAndWithAllItShows) {
  const std::string example = read_file(test::source_dir() / "packaging/config/config.yaml").value();
  EXPECT_THAT(good(example).projects, IsEmpty());
  std::string shown;
  for (const std::string_view line : split(example, '\n')) {
    const bool setting = line.size() > 1 && line[0] == '#' && (line[1] != ' ' || line.starts_with("#  "));
    shown += std::string(setting ? line.substr(1) : line) + "\n";
  }
  write("shop.token", "t");
  write("shop.hook", "h");
  write("tools.key", kKey);
  const ConfigFile config = good(shown);
  EXPECT_EQ(config.projects.size(), 2U);
  EXPECT_EQ(config.server.jobs, 4U);
}

TEST_F(ConfigFileTest, WhatIsWrongIsNamedWithItsPlaceAndTheMend) {
  write("empty", " \n");
  write("two", "a\nb\n");
  write("token", "t");
  write("key", "no key\n");
  const std::string project = "projects:\n  - name: shop\n    url: https://h/s\n";
  const auto with = [&](const std::string& line) { return project + "    " + line + "\n"; };
  const std::pair<std::string, const char*> cases[] = {
      {"lisen: 80\n", "config.yaml:1:1: there is no key 'lisen'; did you mean 'listen'?"},
      {"zzz: 1\n", "config.yaml:1:1: there is no key 'zzz'; there are data, executor, jobs, listen"},
      {"- a\n", "config.yaml:1:1: expected keys with values, got a list"},
      {"text\n", "config.yaml:1:1: expected keys with values, got a string"},
      {"jobs: many\n", "config.yaml:1:7: 'jobs' must be a whole number from 1 to 10000, and is a string"},
      {"jobs: 0\n", "config.yaml:1:7: 'jobs' must be a whole number from 1 to 10000, and is 0"},
      {"listen: nowhere\n",
       "config.yaml:1:9: 'listen' must be an address with a port: 'nowhere' is none; write it like"},
      {"listen: 99999\n", "config.yaml:1:9: 'listen' must be an address with a port"},
      {"listen: [a]\n", "config.yaml:1:9: 'listen' must be an address with a port"},
      {"executor: docker\n", "config.yaml:1:11: 'executor' cannot be 'docker'; allowed are auto, shell"},
      {"log_level: wran\n", "config.yaml:1:12: 'log_level' cannot be 'wran'; did you mean 'warn'?"},
      {"timeout: soon\n",
       "config.yaml:1:10: 'timeout': 'soon' is no duration of a second or more; write it like 30s"},
      {"timeout: never\n", "config.yaml:1:10: 'timeout': 'never' is no duration"},
      {"timeout: [1]\n", "config.yaml:1:10: 'timeout' must be a duration, and is a list"},
      {"tls: {certificate: a}\n", "config.yaml:1:6: tls: 'key' is missing; it goes with 'certificate'"},
      {"tls: yes\n", "config.yaml:1:6: tls: expected keys with values, got a boolean"},
      {"data: ''\n", "config.yaml:1:7: 'data' may not be empty"},
      {"jobs: 1\njobs: 2\n", "config.yaml:2:1: "},
      {"jobs: [1\n", "config.yaml:"},
      {"a: &a [*a]\n", "config.yaml:"},
      {"---\njobs: 1\n---\njobs: 2\n", "there is a second document; remove the line '---'"},
      {"projects: shop\n", "config.yaml:1:11: 'projects' must be a list, and is a string"},
      {"projects:\n  shop: {}\n", "config.yaml:2:3: 'projects' must be a list, and is a mapping"},
      {"projects: [shop]\n", "config.yaml:1:12: project: expected keys with values, got a string"},
      {"projects: [{url: 'https://h/s'}]\n",
       "config.yaml:1:12: project: 'name' is missing; such as 'name: shop'"},
      {"projects: [{name: shop}]\n", "config.yaml:1:12: project 'shop': 'url' is missing; such as"},
      {"projects: [{name: Shop, url: 'https://h/s'}]\n",
       "config.yaml:1:19: project 'Shop': 'name' cannot be this"},
      {"projects: [{name: 7, url: 'https://h/s'}]\n",
       "'name' must be a text (write quotes around it), and is "},
      {"projects: [{name: a, url: 'ftp://h/s'}]\n",
       "config.yaml:1:27: project 'a': 'url' has the scheme 'ftp'"},
      {"projects: [{name: a, url: 'https://u:p@h/s'}]\n", "'url' holds a user or a password"},
      {project + "  - name: shop\n    url: https://h/t\n",
       "config.yaml:4:11: there are two projects 'shop'; rename"},
      {with("branchs: [main]"),
       "config.yaml:4:5: project 'shop': there is no key 'branchs'; did you mean 'branches'?"},
      {with("branches: {a: b}"),
       "config.yaml:4:15: project 'shop': 'branches' must be a list of texts, and is a mapping"},
      {with("branches: [1]"), "'branches' must be a text (write quotes around it)"},
      {with("tags: ['']"), "'tags': a pattern may not be empty"},
      {with("pipeline_file: ../x"),
       "config.yaml:4:20: project 'shop': 'pipeline_file' may not have '.', '..'"},
      {with("poll_interval: 0"),
       "'poll_interval': '0' is no duration of a second or more; write it like 30s, 5m or 1h, or 'never'"},
      {with("paused: maybe"),
       "config.yaml:4:13: project 'shop': 'paused' must be true or false, and is a string"},
      {with("token: glpat"),
       "config.yaml:4:12: project 'shop': secrets are not written here, where others may read them; put it "
       "into a file of its own and name that with 'token_file'"},
      {with("ssh_key: |\n      -----BEGIN"), "secrets are not written here"},
      {with("webhook_secret: x"), "'webhook_secret_file'"},
      {with("token_file: nowhere"),
       "config.yaml:4:17: project 'shop': 'token_file': there is no file 'nowhere'"},
      {with("token_file: empty"), "'token_file': 'empty' holds no secret: it is empty"},
      {with("token_file: two"), "'token_file': 'two' holds more than a line"},
      {with("token_file: ."), "'token_file': "},
      {with("token_env: NOT_THERE"),
       "config.yaml:4:16: project 'shop': 'token_env': there is no environment variable 'NOT_THERE'; set it "
       "for the server"},
      {with("token_file: token\n    token_env: X"), "'token_file' and 'token_env' exclude each other"},
      {with("token_file: token\n    ssh_key_file: key"),
       "config.yaml:5:19: project 'shop': a project has a token or a key, not both"},
      {with("ssh_key_file: key"), "what 'ssh_key_file' names must be the text of a private key"},
      {with("username: ci"),
       "config.yaml:4:15: project 'shop': 'username' goes with a token or a key, and there is none"},
      {with("schedules: [{cron: '@daily'}]"),
       "config.yaml:4:17: project 'shop', schedule: 'name' is missing"},
      {with("schedules: [{name: n}]"), "project 'shop', schedule 'n': 'cron' is missing; such as"},
      {with("schedules: [{name: n, cron: '0 3 * *'}]"),
       "config.yaml:4:33: project 'shop', schedule 'n': 'cron': "},
      {with("schedules: [{name: n, cron: '@daily', timezone: Europe/Zurch}]"),
       "'timezone': there is no time zone 'Europe/Zurch'; did you mean 'Europe/Zurich'?"},
      {with("schedules: [{name: n, cron: '@daily', variables: {1A: x}}]"), "no variable can be called '1A'"},
      {with("schedules: [{name: n, cron: '@daily', variables: {A: [x]}}]"),
       "'A' must be a text, and is a list"},
      {with("schedules: [{name: n, cron: '@daily'}, {name: n, cron: '@daily'}]"),
       "there are two schedules 'n'"},
      {with("schedules: [{name: n, cron: '@daily', refs: x}]"),
       "there is no key 'refs'; did you mean 'ref'?"},
  };
  for (const auto& [text, says] : cases) {
    SCOPED_TRACE(text);
    const std::vector<std::string> lines = complaints(text);
    ASSERT_FALSE(lines.empty());
    EXPECT_THAT(lines, testing::Contains(HasSubstr(says)));
  }
}

TEST_F(ConfigFileTest, AllThatIsWrongIsSaidAtOnceAndInOrder) {
  EXPECT_THAT(complaints("jobs: 0\nexecutor: x\nprojects: [{name: a}]\nmore: 1\n"),
              ElementsAre(HasSubstr(":1:7:"), HasSubstr(":2:11:"), HasSubstr(":3:12:"), HasSubstr(":4:1:")));
}

TEST_F(ConfigFileTest, ASecretThatEverybodyReadsIsWarnedOf) {
  write("token", "s3cret", 0644);
  const ConfigReading reading = read("projects:\n  - {name: shop, url: 'https://h/s', token_file: token}\n");
  ASSERT_TRUE(reading.config);
  EXPECT_EQ(reading.config->projects[0].token, "s3cret");
  ASSERT_EQ(reading.lines().size(), 1U);
  EXPECT_THAT(reading.lines()[0], HasSubstr(":2:50: everybody on this machine can read"));
}

TEST_F(ConfigFileTest, NoMessageHasASecret) {
  write("two", "s3cret\ns3cret\n");
  environment["KEY"] = "s3cret";
  for (const std::string line : {"token_file: two", "ssh_key_env: KEY", "token: s3cret"}) {
    for (const std::string& said :
         complaints("projects:\n  - name: shop\n    url: https://h/s\n    " + line + "\n"))
      EXPECT_THAT(said, testing::Not(HasSubstr("s3cret"))) << line;
  }
}

TEST_F(ConfigFileTest, AFileThatIsNotThereIsNamed) {
  try {
    read_config(dir.path() / "nowhere.yaml", process_environment(), kNow);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    EXPECT_THAT(error.what(), HasSubstr("nowhere.yaml"));
  }
}

}  // namespace
}  // namespace runner::daemon
