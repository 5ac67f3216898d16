// What is said of wrong configuration files.
#include <gmock/gmock.h>

#include "tests/daemon/config_reader.h"

namespace runner::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigWrongTest : public ConfigReader {};

TEST_F(ConfigWrongTest, WhatIsWrongIsNamedWithItsPlaceAndTheMend) {
  write("empty", " \n");
  write("two", "a\nb\n");
  write("token", "t");
  write("key", "no key\n");
  const std::string project = "projects:\n  - name: shop\n    url: https://h/s\n";
  const auto with = [&](const std::string& line) { return project + "    " + line + "\n"; };
  const std::pair<std::string, const char*> cases[] = {
      {"lisen: 80\n", "config.yaml:1:1: there is no key 'lisen'; did you mean 'listen'?"},
      {"zzz: 1\n",
       "config.yaml:1:1: there is no key 'zzz'; there are containers, data, executor, executors, jobs, "
       "keep_logs, listen, "},
      {"- a\n", "config.yaml:1:1: expected keys with values, got a list"},
      {"text\n", "config.yaml:1:1: expected keys with values, got a string"},
      {"jobs: many\n", "config.yaml:1:7: 'jobs' must be a whole number from 1 to 10000, and is a string"},
      {"executors: 2\n",
       "config.yaml:1:12: 'executors' must be names with what they may do: {shell: {jobs: 2}}, and is an "
       "integer"},
      {"executors: {shell: 2}\n",
       "config.yaml:1:20: executors: 'shell' must be a mapping like {jobs: 2}, and is an integer"},
      {"executors: {shell: {jobs: 0}}\n",
       "config.yaml:1:27: executor 'shell': 'jobs' must be a whole number from 1 to 10000, and is 0"},
      {"executors: {shel: {jobs: 1}}\n",
       "config.yaml:1:13: executors: there is no key 'shel'; did you mean 'shell'?"},
      {"containers: docker\n",
       "config.yaml:1:13: 'containers' must be a mapping like {pull_policy: if-not-present}, and is a "
       "string"},
      {"containers: {pull_policy: sometimes}\n",
       "config.yaml:1:27: containers: 'pull_policy' cannot be 'sometimes'; allowed are always, "
       "if-not-present, "
       "never"},
      {"containers: {allowed_pull_policies: [always, daily]}\n",
       "config.yaml:1:37: containers: 'allowed_pull_policies': 'daily' is no pull policy; there are always, "
       "if-not-present "
       "and never"},
      {"containers: {allowed_pull_policies: []}\n",
       "config.yaml:1:37: containers: 'allowed_pull_policies' names none; name one or more"},
      {"containers: {memory: much}\n",
       "config.yaml:1:22: containers: 'memory': 'much' is no size; write it like 512MB or 2 GiB"},
      {"containers: {image_budget: 20 apples}\n",
       "config.yaml:1:28: containers: 'image_budget': '20 apples' is no size; write it like 512MB or 2 GiB"},
      {"containers: {cpus: 0}\n",
       "config.yaml:1:20: containers: 'cpus' must be a number of processors; write it like 2 or 0.5"},
      {"containers: {engine: ''}\n", "config.yaml:1:22: containers: 'engine' may not be empty"},
      {"containers: {ulimits: {nofiles: 1}}\n",
       "config.yaml:1:24: ulimits: there is no key 'nofiles'; did you mean 'nofile'?"},
      {"containers: {privilged: true}\n",
       "config.yaml:1:14: containers: there is no key 'privilged'; did you mean 'privileged'?"},
      {"jobs: 0\n", "config.yaml:1:7: 'jobs' must be a whole number from 1 to 10000, and is 0"},
      {"listen: nowhere\n",
       "config.yaml:1:9: 'listen' must be an address with a port: 'nowhere' is none; write it like"},
      {"listen: 99999\n", "config.yaml:1:9: 'listen' must be an address with a port"},
      {"listen: [a]\n", "config.yaml:1:9: 'listen' must be an address with a port"},
      {"url: ci.example.com\n",
       "config.yaml:1:6: 'url': 'ci.example.com' is no address of a web server; write it like https://"},
      {"url: [a]\n", "config.yaml:1:6: 'url' must be a text, and is a list"},
      {"keep_logs: soon\n",
       "config.yaml:1:12: 'keep_logs': 'soon' is not a time to keep logs for; write it like 90d, or "
       "'forever'"},
      {"keep_logs: 90\n", "config.yaml:1:12: 'keep_logs': '90' is not a time to keep logs for"},
      {"keep_logs: [1]\n", "config.yaml:1:12: 'keep_logs' must be a time to keep logs for, and is a list"},
      {"log_format: jsno\n", "config.yaml:1:13: 'log_format' cannot be 'jsno'; did you mean 'json'?"},
      {"log_file: ''\n", "config.yaml:1:11: 'log_file' may not be empty"},
      {"log_file: x\nlog_max_size: 1k\n",
       "config.yaml:2:15: 'log_max_size': '1k' is not the size of a log; write it like 64M; the least is 1M"},
      {"log_file: x\nlog_keep: -1\n",
       "config.yaml:2:11: 'log_keep' must be a whole number from 0 to 10000, and is -1"},
      {"log_max_size: 64M\n",
       "config.yaml:1:15: 'log_max_size' is for a file, and there is none; add 'log_file', or leave it out"},
      {"log_keep: 3\n", "config.yaml:1:11: 'log_keep' is for a file, and there is none"},
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
      {with("forge: githib"),
       "config.yaml:4:12: project 'shop': 'forge' cannot be 'githib'; did you mean 'github'?"},
      {with("forge: bitbucket"),
       "project 'shop': 'forge' cannot be 'bitbucket'; allowed are auto, github, gitlab, gitea, none"},
      {with("forge_api: git.example.com"),
       "config.yaml:4:16: project 'shop': 'forge_api' must be the address of an API, such as"},
      {with("forge_repository: shop"),
       "config.yaml:4:23: project 'shop': 'forge_repository' must be the name of a repository with its "
       "owner"},
      {with("forge_token: x"), "put it into a file of its own and name that with 'forge_token_file'"},
      {with("forge_token_env: NOT_THERE"),
       "config.yaml:4:22: project 'shop': 'forge_token_env': there is no environment variable 'NOT_THERE'"},
      {with("merge_request: on"),
       "config.yaml:4:5: project 'shop': there is no key 'merge_request'; did you mean 'merge_requests'?"},
      {with("merge_requests: maybe"), "'merge_requests' must be true or false, and is a string"},
      {with("priority: 101"),
       "config.yaml:4:15: project 'shop': 'priority' must be a whole number from -100 to 100, and is 101"},
      {with("priority: high"), "'priority' must be a whole number from -100 to 100, and is a string"},
      {with("resource_groups: [a]"),
       "config.yaml:4:22: project 'shop': 'resource_groups' must be names with process modes, and is a list"},
      {with("resource_groups: {bench: oldest}"),
       "config.yaml:4:30: project 'shop': 'bench' cannot be 'oldest'; allowed are unordered, oldest_first"},
      {with("resource_groups: {bench: newest_frist}"),
       "'bench' cannot be 'newest_frist'; did you mean 'newest_first'?"},
      {with("resource_groups: {bench: [x]}"), "'bench' must be a process mode, and is a list"},
      {with("resource_groups: {'': unordered}"), "'resource_groups': a name must have 1 to 255 bytes"},
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

TEST_F(ConfigWrongTest, AllThatIsWrongIsSaidAtOnceAndInOrder) {
  EXPECT_THAT(complaints("jobs: 0\nexecutor: x\nprojects: [{name: a}]\nmore: 1\n"),
              ElementsAre(HasSubstr(":1:7:"), HasSubstr(":2:11:"), HasSubstr(":3:12:"), HasSubstr(":4:1:")));
}

TEST_F(ConfigWrongTest, ASecretThatEverybodyReadsIsWarnedOf) {
  write("token", "s3cret", 0644);
  const ConfigReading reading = read("projects:\n  - {name: shop, url: 'https://h/s', token_file: token}\n");
  ASSERT_TRUE(reading.config);
  EXPECT_EQ(reading.config->projects[0].token, "s3cret");
  ASSERT_EQ(reading.lines().size(), 1U);
  EXPECT_THAT(reading.lines()[0], HasSubstr(":2:50: everybody on this machine can read"));
}

TEST_F(ConfigWrongTest, NoMessageHasASecret) {
  write("two", "s3cret\ns3cret\n");
  environment["KEY"] = "s3cret";
  for (const std::string line : {"token_file: two", "ssh_key_env: KEY", "token: s3cret"}) {
    for (const std::string& said :
         complaints("projects:\n  - name: shop\n    url: https://h/s\n    " + line + "\n"))
      EXPECT_THAT(said, testing::Not(HasSubstr("s3cret"))) << line;
  }
}

}  // namespace
}  // namespace runner::daemon
