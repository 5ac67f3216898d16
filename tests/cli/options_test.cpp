#include "runner/cli/options.h"

#include <gtest/gtest.h>

#include "tests/support/golden.h"

namespace runner::cli {
namespace {

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), "runner");
  return parse_command_line(static_cast<int>(words.size()), words.data());
}

ExecOptions exec(std::vector<const char*> words) {
  words.insert(words.begin(), "exec");
  Command command = parse(std::move(words));
  if (const auto* error = std::get_if<UsageError>(&command)) ADD_FAILURE() << error->message;
  return std::get<ExecOptions>(command);
}

TEST(Options, OptionsTakeOneValueAndLeaveTheJobs) {
  const ExecOptions options =
      exec({"--var", "A=1", "build", "--var=B=x=y", "--manual", "deploy", "test 1/2"});
  EXPECT_EQ(options.jobs, (std::vector<std::string>{"build", "test 1/2"}));
  ASSERT_EQ(options.variables.size(), 2U);
  EXPECT_EQ(options.variables[0], std::make_pair(std::string("A"), std::string("1")));
  EXPECT_EQ(options.variables[1], std::make_pair(std::string("B"), std::string("x=y")));
  EXPECT_EQ(options.manual, std::vector<std::string>{"deploy"});
}

TEST(Options, ValuesAreTakenAsTheyAre) {
  const ExecOptions options =
      exec({"--var", "A=[a,b]", "--var", "B=", "[odd]", "build: [aws, eu]", "--manual", "[m]"});
  EXPECT_EQ(options.variables[0].second, "[a,b]");
  EXPECT_EQ(options.variables[1].second, "");
  EXPECT_EQ(options.jobs, (std::vector<std::string>{"[odd]", "build: [aws, eu]"}));
  EXPECT_EQ(options.manual, std::vector<std::string>{"[m]"});
}

TEST(Options, AServerIsReachedAtAWebAddress) {
  for (const char* good : {"https://ci.example.com", "http://10.0.0.1:8080", "https://example.com/ci/"}) {
    const Command command = parse({"serve", "--url", good});
    ASSERT_TRUE(std::holds_alternative<ServeOptions>(command)) << good;
    EXPECT_EQ(std::get<ServeOptions>(command).url, good);
  }
  for (const char* bad : {"", "ci.example.com", "ftp://x", "https://", "https:///x", "https://u:p@h",
                          "https://h/ x", "https://h/?q", "https://h/#f", "https://h/\"x"}) {
    EXPECT_TRUE(std::holds_alternative<UsageError>(parse({"serve", "--url", bad}))) << bad;
  }
}

TEST(Options, EverythingAfterTwoDashesIsAJob) {
  EXPECT_EQ(exec({"--", "--list", "-x"}).jobs, (std::vector<std::string>{"--list", "-x"}));
}

TEST(Options, SecretsMayComeFromTheEnvironment) {
  const ExecOptions options = exec({"--secret", "TOKEN", "--secret", "KEY=a=b"});
  ASSERT_EQ(options.secrets.size(), 2U);
  EXPECT_EQ(options.secrets[0].name, "TOKEN");
  EXPECT_FALSE(options.secrets[0].value.has_value());
  EXPECT_EQ(options.secrets[1].value, "a=b");
}

TEST(Options, ExecutionIsRead) {
  const ExecOptions options =
      exec({"-j",   "3",  "--timeout", "1h 30m",     "--executor", "shell",  "--tag",
            "v1",   "-C", "sub",       "--data=/d",  "--report",   "r.json", "--max-artifact-size",
            "2KiB", "-q", "--json",    "--no-color", "-f",         "ci.yml"});
  EXPECT_EQ(options.parallel, 3U);
  EXPECT_EQ(options.timeout, std::chrono::minutes(90));
  EXPECT_EQ(options.max_artifact_bytes, 2048U);
  EXPECT_EQ(options.executor, ExecutorChoice::shell);
  EXPECT_EQ(options.tag, "v1");
  EXPECT_EQ(options.directory, "sub");
  EXPECT_EQ(options.data, "/d");
  EXPECT_EQ(options.report, "r.json");
  EXPECT_EQ(options.file, "ci.yml");
  EXPECT_TRUE(options.quiet && options.json && options.no_color);
  EXPECT_FALSE(options.only_shows());
}

struct WrongCase {
  std::vector<const char*> words;
  std::string message, help;
};

TEST(Options, WrongCommandLinesSayTheMend) {
  const std::vector<WrongCase> cases{
      {{"exce"}, "unknown command 'exce'", "did you mean 'exec'?"},
      {{"--frob"}, "unknown option '--frob'", "'runner --help' tells more"},
      {{"exec", "--reprot", "x"}, "unknown option '--reprot'", "did you mean '--report'?"},
      {{"exec", "--reprot=x"}, "unknown option '--reprot'", "did you mean '--report'?"},
      {{"exec", "-z"}, "unknown option '-z'", ""},
      {{"exec", "--file"}, "option '--file' needs a value", "'runner exec --help' lists what there is"},
      {{"exec", "--var", "1A=x"}, "'--var 1A=x' is no assignment", "write --var NAME=VALUE"},
      {{"exec", "--var", "A"}, "'--var A' is no assignment", "write --var NAME=VALUE"},
      {{"exec", "--secret", "my password=x"}, "'--secret' got no variable name", "write --secret NAME"},
      {{"exec", "--jobs", "many"}, "'--jobs many' is no number of jobs", "write a number from 1 to 10000"},
      {{"exec", "--jobs", "0"}, "'--jobs 0' is no number of jobs", "write a number from 1 to 10000"},
      {{"exec", "--timeout", "soon"}, "'--timeout soon' is no duration", "write it like 90s, 30m or 1h 30m"},
      {{"exec", "--max-artifact-size", "much"},
       "'--max-artifact-size much' is no size",
       "write it like 500MB or 2 GiB"},
      {{"exec", "--executor", "ssh"}, "unknown executor 'ssh'", "allowed are auto, shell and container"},
      {{"exec", "--list", "--plan"}, "'--list', '--plan' and '--explain' exclude each other", ""},
      {{"exec", "--tag", "a", "--branch", "b"}, "'--branch' and '--tag' exclude each other", ""},
      {{"exec", "--commit", ""}, "'--commit' got an empty value", "is the variable it comes from set?"},
      {{"exec", "--branch", ""}, "'--branch' got an empty value", "is the variable it comes from set?"},
      {{"cache", "list", "--data", ""}, "'--data' got an empty value", ""},
      {{"exec", "--source", "psuh"}, "unknown source 'psuh'", "did you mean 'push'?"},
      {{"exec", "--source", "frobnication"},
       "unknown source 'frobnication'",
       "usual are push, web, schedule, api, trigger and merge_request_event"},
      {{"lint", "a", "b"}, "unexpected argument 'b'", "'runner lint --help' lists what there is"},
      {{"version", "x"}, "unexpected argument 'x'", "'runner version --help' lists what there is"},
      {{"completion", "csh"}, "unknown shell 'csh'", "allowed are bash, zsh and fish"},
      {{"completion"}, "no shell named", "write bash, zsh or fish"},
      {{"cache", "lsit"}, "unknown cache command 'lsit'", "did you mean 'list'?"},
      {{"cache", "frobnicate"},
       "unknown cache command 'frobnicate'",
       "'runner cache --help' lists the commands"},
      {{"cache", "--json"}, "unknown option '--json'", "'runner cache --help' lists the commands"},
      {{"cache list"}, "unknown command 'cache list'", ""},
      {{"cache", "list", "--al"}, "unknown option '--al'", "did you mean '--all'?"},
      {{"cache", "list", "x"}, "unexpected argument 'x'", "'runner cache list --help' lists what there is"},
      {{"cache", "list", "--all", "--scope", "x"}, "'--all' and '--scope' exclude each other", ""},
      {{"cache", "show"}, "no key given", ""},
      {{"cache", "show", "a", "b"}, "unexpected argument 'b'", ""},
      {{"cache", "remove", "a", "--all"}, "'--all' and keys exclude each other", ""},
      {{"cache", "gc", "--budget", "much"}, "'--budget much' is no size", "write it like 500MB, 5GiB or 0"},
      {{"cache", "gc", "--older-than", "x"}, "'--older-than x' is no duration", ""},
      {{"cache", "explain", "--tag", "a", "--branch", "b"}, "'--branch' and '--tag' exclude each other", ""},
      {{"help", "cache", "lsit"}, "unknown cache command 'lsit'", "did you mean 'list'?"},
      {{"help", "lint", "x"}, "unexpected argument 'x'", "'runner help --help' lists what there is"},
      {{"help", "lnit"}, "unknown command 'lnit'", "did you mean 'lint'?"},
  };
  for (const WrongCase& wrong : cases) {
    const Command command = parse(wrong.words);
    const auto* error = std::get_if<UsageError>(&command);
    ASSERT_NE(error, nullptr) << wrong.message;
    EXPECT_EQ(error->message, wrong.message);
    if (wrong.help.empty()) continue;
    EXPECT_EQ(error->help, wrong.help) << wrong.message;
  }
}

TEST(Options, CommandsOfTwoWordsAreRead) {
  const auto cache = [](std::vector<const char*> words) {
    words.insert(words.begin(), "cache");
    return std::get<CacheOptions>(parse(std::move(words)));
  };
  const CacheOptions list = cache({"list", "--all", "--json", "--no-color", "-C", "x", "--data", "d"});
  EXPECT_EQ(list.action, CacheAction::list);
  EXPECT_TRUE(list.all && list.common.json && list.common.no_color);
  EXPECT_EQ(list.common.directory, "x");
  EXPECT_EQ(list.common.data, "d");
  EXPECT_EQ(cache({"remove", "a", "--scope", "/p", "--", "--all"}).names,
            (std::vector<std::string>{"a", "--all"}));
  const CacheOptions collect = cache({"gc", "--budget", "2KiB", "--older-than=7d", "--dry-run"});
  EXPECT_EQ(collect.action, CacheAction::collect);
  EXPECT_EQ(collect.budget, 2048U);
  EXPECT_EQ(collect.older_than, std::chrono::hours(7 * 24));
  EXPECT_TRUE(collect.dry_run);
  EXPECT_TRUE(cache({"verify", "--content"}).content);
  const CacheOptions explain = cache({"explain", "test", "--branch", "topic", "--var", "A=b", "-f", "x.yml"});
  EXPECT_EQ(explain.names, std::vector<std::string>{"test"});
  EXPECT_EQ(explain.pipeline.branch, "topic");
  EXPECT_EQ(explain.pipeline.file, "x.yml");
  EXPECT_EQ(explain.pipeline.variables.size(), 1U);
}

TEST(Options, HelpIsAsWritten) {
  const auto text = [](std::vector<const char*> words) {
    return std::get<HelpText>(parse(std::move(words))).text;
  };
  EXPECT_EQ(test::compare_golden("cli/golden/help.txt", text({})), "");
  EXPECT_EQ(text({"--help"}), text({}));
  EXPECT_EQ(text({"help"}), text({}));
  EXPECT_EQ(test::compare_golden("cli/golden/help_exec.txt", text({"help", "exec"})), "");
  EXPECT_EQ(text({"exec", "-h"}), text({"help", "exec"}));
  EXPECT_EQ(text({"exec", "job", "--frob", "--help"}), text({"help", "exec"}));
  EXPECT_EQ(test::compare_golden("cli/golden/help_lint.txt", text({"lint", "--help"})), "");
  EXPECT_EQ(test::compare_golden("cli/golden/help_cache.txt", text({"cache", "--help"})), "");
  EXPECT_EQ(text({"cache"}), text({"cache", "-h"}));
  EXPECT_EQ(text({"help", "cache"}), text({"cache", "-h"}));
  EXPECT_EQ(test::compare_golden("cli/golden/help_cache_gc.txt", text({"cache", "gc", "--help"})), "");
  EXPECT_EQ(text({"help", "cache", "gc"}), text({"cache", "gc", "--frob", "-h"}));
}

void expect_fits(const std::vector<const char*>& words) {
  const std::string text = std::get<HelpText>(parse(words)).text;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = text.find('\n', start);
    ASSERT_NE(end, std::string::npos) << "last line has no end";
    EXPECT_LE(end - start, 116U) << text.substr(start, end - start);
    start = end + 1;
  }
}

TEST(Options, LinesOfTheHelpFitAScreen) {
  for (const CommandInfo& command : describe_commands()) {
    expect_fits({"help", command.name.c_str()});
    for (const CommandInfo& member : command.commands) {
      expect_fits({"help", command.name.c_str(), member.name.c_str()});
    }
  }
}

void expect_described(const std::vector<CommandInfo>& commands) {
  for (const CommandInfo& command : commands) {
    EXPECT_FALSE(command.help.empty());
    for (const OptionInfo& option : command.options)
      EXPECT_FALSE(option.help.empty()) << option.names.front();
    expect_described(command.commands);
  }
}

TEST(Options, EveryOptionIsDescribed) {
  expect_described(describe_commands());
}

}  // namespace
}  // namespace runner::cli
