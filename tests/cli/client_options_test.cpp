#include "runner/cli/client_options.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "runner");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

template <typename Options>
Options read(std::vector<const char*> words) {
  const Command command = parse(std::move(words));
  if (const auto* error = std::get_if<UsageError>(&command)) ADD_FAILURE() << error->message;
  return std::get<Options>(command);
}

TEST(ClientOptions, WordsAndValuesAreRead) {
  const auto add =
      read<ProjectOptions>({"project", "add", "site", "https://x", "--poll", "1h 30m", "--branch", "a",
                            "--branch=b", "--server", "http://s", "--data", "d", "--json"});
  EXPECT_EQ(add.action, ProjectAction::add);
  EXPECT_EQ(add.name, "site");
  EXPECT_EQ(add.url, "https://x");
  EXPECT_EQ(add.poll, std::chrono::minutes(90));
  EXPECT_EQ(add.branches, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(add.common.server.url, "http://s");
  EXPECT_EQ(add.common.server.data, "d");
  EXPECT_TRUE(add.common.json);
  EXPECT_EQ(read<ProjectOptions>({"project", "set", "site", "--poll", "never"}).poll,
            std::chrono::seconds(0));
  EXPECT_EQ(read<ProjectOptions>({"project", "set", "site", "--resume"}).paused, false);

  const auto run =
      read<PipelineOptions>({"pipeline", "run", "site", "--wait", "--ref", "v1", "--var", "A=b=c"});
  EXPECT_TRUE(run.wait);
  EXPECT_EQ(run.ref, "v1");
  EXPECT_EQ(run.variables.front(), std::make_pair(std::string("A"), std::string("b=c")));
  EXPECT_EQ(read<PipelineOptions>({"pipeline", "watch", "7"}).id, 7);
  EXPECT_EQ(read<PipelineOptions>({"pipeline", "list"}).limit, 20U);

  const auto log = read<RemoteJobOptions>({"job", "log", "-f", "812"});
  EXPECT_TRUE(log.follow);
  EXPECT_EQ(log.id, 812);
  EXPECT_EQ(read<AccountOptions>({"token", "create", "--name", "n", "--expires-in", "9"}).expires_in_days, 9);
  EXPECT_EQ(read<AccountOptions>({"user", "set", "ann", "--enable"}).disabled, false);

  const auto artifact = read<ArtifactOptions>({"artifact", "download", "--job-id", "8", "--kind", "reports"});
  EXPECT_EQ(artifact.job_id, 8);
  EXPECT_EQ(artifact.kind, "reports");
}

TEST(ClientOptions, WrongCommandLinesSayWhatIsWrong) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases{
      {{"project", "add"}, "no name of a project given"},
      {{"project", "add", "a"}, "no URL of the repository given"},
      {{"project", "add", "a", "b", "c"}, "unexpected argument 'c'"},
      {{"project", "show", "a", "b"}, "unexpected argument 'b'"},
      {{"project", "set", "a"}, "no change given"},
      {{"project", "set", "a", "--pause", "--resume"}, "'--pause' and '--resume' exclude each other"},
      {{"project", "set", "a", "--poll", "soon"}, "'--poll soon' is no time between two looks"},
      {{"project", "set", "a", "--poll", "0"}, "'--poll 0' is no time between two looks"},
      {{"project", "set", "a", "--token-file", "x", "--ssh-key-file", "y"},
       "'--token-file' and '--ssh-key-file' exclude each other"},
      {{"project", "set", "a", "--token-file", "x", "--no-credential"},
       "'--no-credential' excludes '--token-file' and '--ssh-key-file'"},
      {{"project", "set", "a", "--webhook-secret-file", "x", "--no-webhook-secret"},
       "'--no-webhook-secret' and '--webhook-secret-file' exclude each other"},
      {{"project", "add", "a", "b", "--token-file", "-", "--webhook-secret-file", "-"},
       "standard input cannot be two secrets"},
      {{"project", "set", "a", "--priority", "101"}, "'--priority 101' is no priority"},
      {{"project", "add", "a", "b", "--priority", "-101"}, "'--priority -101' is no priority"},
      {{"project", "show", "a", "--priority", "1"}, "unknown option '--priority'"},
      {{"pipeline", "run", "a", "--priority", "high"}, "'--priority high' is no priority"},
      {{"project", "list", "--token", "x"}, "unknown option '--token'"},
      {{"pipeline", "run"}, "no project given"},
      {{"pipeline", "run", "a", "--var", "1=2"}, "'--var 1=2' is no assignment"},
      {{"pipeline", "show"}, "no id given"},
      {{"pipeline", "show", "seven"}, "'seven' is no id"},
      {{"pipeline", "show", "0"}, "'0' is no id"},
      {{"pipeline", "show", "-7"}, "unknown option '-7'"},
      {{"pipeline", "list", "--limit", "0"}, "'--limit 0' is no number of pipelines"},
      {{"job", "log"}, "no id given"},
      {{"job", "lgo", "1"}, "unknown job command 'lgo'"},
      {{"token", "create"}, "no name of the token given"},
      {{"token", "create", "--name", "n", "--role", "root"}, "unknown role 'root'"},
      {{"token", "create", "--name", "n", "--expires-in", "soon"},
       "'--expires-in soon' is no number of days"},
      {{"token", "revoke", "rnr_abc"}, "'rnr_abc' is no id"},
      {{"user", "add", "ann"}, "no role given"},
      {{"user", "add", "--role", "admin"}, "no name of a user given"},
      {{"user", "set", "ann"}, "no change given"},
      {{"user", "set", "ann", "--enable", "--disable"}, "'--disable' and '--enable' exclude each other"},
      {{"artifact", "list", "--job-id", "x"}, "'--job-id x' is no id of a job"},
      {{"artifact", "list", "--job-id", "1", "--all"}, "'--job-id' and '--all' exclude each other"},
      {{"artifact", "download", "--job-id", "1", "build"},
       "'--job-id' names the job already, 'build' is one too many"},
      {{"artifact", "download", "--job-id", "1", "--kind", "logs"}, "unknown kind 'logs'"},
      {{"artifact", "download", "build", "--kind", "reports"}, "'--kind' needs '--job-id'"},
  };
  for (const auto& [words, message] : cases) {
    const Command command = parse(words);
    const auto* error = std::get_if<UsageError>(&command);
    ASSERT_NE(error, nullptr) << message;
    EXPECT_EQ(error->message, message);
  }
}

}  // namespace
}  // namespace runner::cli
