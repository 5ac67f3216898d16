#include "deployments/targets/compose_program.h"

#include <deque>

#include "deployments/program.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

// A busy machine needs a minute to start it.
constexpr std::chrono::minutes kLongest{10};
constexpr std::chrono::minutes kLook{2};
constexpr std::size_t kLastWords = 4;

// Standard input ends when we do.
constexpr const char* kWatched = R"sh(
exec 4<&0 </dev/null
(
  while IFS= read -r _ <&4; do :; done
  kill -KILL 0
) >/dev/null 2>&1 &
watcher=$!
"$@" 4<&-
code=$?
kill -KILL "$watcher"
exit "$code"
)sh";

constexpr int kNoProgram = 127;

std::map<std::string, std::string> environment_of(const ComposeCall& call) {
  std::map<std::string, std::string> environment = call.variables;
  // What is said to it by arguments is not said by variables, too.
  for (const char* name : {"COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY",
                           "DOCKER_CERT_PATH", "COMPOSE_DOCKER_CLI_BUILD"})
    environment.erase(name);
  const char* path = std::getenv("PATH");
  environment["PATH"] = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  environment["HOME"] = call.home.native();
  environment["DOCKER_CONFIG"] = call.home.native();
  environment["DOCKER_HOST"] = "unix://" + call.socket.native();
  environment["COMPOSE_HTTP_TIMEOUT"] = "300";
  environment["COMPOSE_IGNORE_ORPHANS"] = "true";  // commands, and services that other jobs deploy
  return environment;
}

ProgramRequest watched(std::vector<std::string> words,
                       const std::map<std::string, std::string>& environment) {
  ProgramRequest request;
  request.argv = {"sh", "-c", kWatched, "sh"};
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  request.environment = environment;
  request.timeout = kLongest;
  return request;
}

bool has_plugin(const std::map<std::string, std::string>& environment, const std::stop_token& stop) {
  ProgramRequest request = watched({"docker", "compose", "version"}, environment);
  request.timeout = kLook;
  return run_program(request, stop).code == 0;
}

}  // namespace

std::string run_compose(const ComposeCall& call, const std::stop_token& stop) {
  const std::map<std::string, std::string> environment = environment_of(call);
  std::vector<std::string> words = {"-p", call.project, "-f", call.file.native()};
  words.insert(words.end(), call.words.begin(), call.words.end());
  std::string output;
  std::deque<std::string> last;
  const auto run = [&](std::vector<std::string> program) {
    last.clear();
    program.insert(program.end(), words.begin(), words.end());
    ProgramRequest request = watched(std::move(program), environment);
    request.on_output = [&](std::string_view line) { (output += line) += '\n'; };
    request.on_errors = [&](std::string_view line) {
      const std::string text = to_utf8(strip_ansi(line));
      if (trim(text).empty()) return;
      last.push_back(text);
      if (last.size() > kLastWords) last.pop_front();
      if (call.on_line) call.on_line(text);
    };
    return run_program(request, stop);
  };
  ProgramEnd end = run({"docker-compose"});
  if (end.code == kNoProgram) {
    if (!has_plugin(environment, stop))
      throw Error(ErrorCode::not_found,
                  "neither 'docker-compose' nor 'docker compose' is there; install one of them (Debian: "
                  "docker-compose) on the machine that runs the job");
    end = run({"docker", "compose"});
  }
  const std::string named = "docker-compose " + call.words.front();
  if (end.timed_out)
    throw Error(ErrorCode::timeout, in_quotes(named) + " took longer than " + format_duration(kLongest));
  if (end.code == 0) return output;
  const std::vector<std::string> said(last.begin(), last.end());
  throw Error(ErrorCode::invalid_input, in_quotes(named) + " ended with exit code " +
                                            std::to_string(end.code) +
                                            (said.empty() ? std::string() : ": " + join(said, "; ")));
}

}  // namespace runner::deployments
