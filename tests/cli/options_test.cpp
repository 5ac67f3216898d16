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
      exec({"-j", "3", "--timeout", "1h 30m", "--executor", "shell", "--tag", "v1", "-C", "sub", "--data=/d",
            "--report", "r.json", "-q", "--json", "--no-color", "-f", "ci.yml"});
  EXPECT_EQ(options.parallel, 3U);
  EXPECT_EQ(options.timeout, std::chrono::minutes(90));
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
      {{"exec", "--executor", "ssh"}, "unknown executor 'ssh'", "allowed are auto, shell and container"},
      {{"exec", "--list", "--plan"}, "'--list', '--plan' and '--explain' exclude each other", ""},
      {{"exec", "--tag", "a", "--branch", "b"}, "'--branch' and '--tag' exclude each other", ""},
      {{"lint", "a", "b"}, "unexpected argument 'b'", "'runner lint --help' lists what there is"},
      {{"version", "x"}, "unexpected argument 'x'", "'runner version --help' lists what there is"},
      {{"completion", "csh"}, "unknown shell 'csh'", "allowed are bash, zsh and fish"},
      {{"completion"}, "no shell named", "write bash, zsh or fish"},
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
}

TEST(Options, LinesOfTheHelpFitAScreen) {
  for (const char* command : {"exec", "lint", "version", "completion", "help"}) {
    std::string text = std::get<HelpText>(parse({"help", command})).text;
    std::size_t start = 0;
    while (start < text.size()) {
      const std::size_t end = text.find('\n', start);
      ASSERT_NE(end, std::string::npos) << "last line has no end";
      EXPECT_LE(end - start, 116U) << text.substr(start, end - start);
      start = end + 1;
    }
  }
}

TEST(Options, EveryOptionIsDescribed) {
  for (const CommandInfo& command : describe_commands()) {
    EXPECT_FALSE(command.help.empty());
    for (const OptionInfo& option : command.options)
      EXPECT_FALSE(option.help.empty()) << option.names.front();
  }
}

}  // namespace
}  // namespace runner::cli
