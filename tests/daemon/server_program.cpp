#include "tests/daemon/server_program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::test {

using http::testing::Answer;
using http::testing::Client;
using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{10};

/// "" when the process is gone.
std::string command_line(const std::filesystem::path& process) {
  try {
    return read_file(process / "cmdline").value_or("");
  } catch (const std::exception&) {
    return {};
  }
}

bool is_over(const json& pipeline) {
  const std::string status = pipeline.at("status");
  return status == "success" || status == "failed" || status == "canceled" || status == "skipped";
}

}  // namespace

std::string request_text(const std::string& method, const std::string& path, const std::string& fields,
                         std::string_view body) {
  std::string text = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields;
  if (to_lower(fields).find("content-length") == std::string::npos)
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append("\r\n").append(body);
}

ServerProgram::ServerProgram(std::filesystem::path data)
    : data_(std::move(data)), err_(data_.native() + ".err") {}

ServerProgram::~ServerProgram() {
  if (running()) kill();
  // Jobs outlive their server; not their test.
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = parse_integer(entry.path().filename().native());
    if (pid && *pid != ::getpid() && command_line(entry.path()).find(data_.native()) != std::string::npos)
      ::kill(static_cast<pid_t>(*pid), SIGKILL);
  }
}

std::string ServerProgram::said() const {
  return read_file(err_).value_or("");
}

void ServerProgram::spawn() {
  std::vector<std::string> words = {RUNNER_BINARY,  "serve",    "--data",
                                    data_.native(), "--listen", "127.0.0.1:0"};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw_errno("cannot fork");
  if (pid_ > 0) return;
  // Not the test's own: whoever waits for the end of that would wait for all that this leaves behind.
  ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  ::dup2(::open(err_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO);
  for (std::string& variable : environment) ::putenv(variable.data());
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

void ServerProgram::start() {
  constexpr std::string_view kServing = "runner: serving on 127.0.0.1:";
  const std::size_t before = said().size();
  spawn();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const std::string text = said().substr(before);
    const std::size_t at = text.find(kServing);
    if (at != std::string::npos && text.find('\n', at) != std::string::npos) {
      port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + at + kServing.size()));
      return;
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("the server ended: " + said());
    }
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it never serves: " + said());
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

ProgramEnd ServerProgram::start_in_vain() {
  spawn();
  return wait();
}

ProgramEnd ServerProgram::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), said()};
}

ProgramEnd ServerProgram::stop() {
  ::kill(pid_, SIGTERM);
  return wait();
}

void ServerProgram::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}

Answer ServerProgram::ask(const std::string& method, const std::string& path) const {
  return ask(method, path, nullptr);
}

Answer ServerProgram::ask(const std::string& method, const std::string& path, const json& body) const {
  Client client = Client::unix_socket(data_ / "runner.sock");
  const bool has_body = !body.is_null();
  client.send(request_text(method, path, has_body ? "Content-Type: application/json\r\n" : "",
                           has_body ? body.dump() : std::string()));
  return client.read_answer();
}

json ServerProgram::api(const std::string& method, const std::string& path) const {
  return api(method, path, nullptr);
}

json ServerProgram::api(const std::string& method, const std::string& path, const json& body) const {
  const Answer answer = ask(method, "/api/v1" + path, body);
  if (answer.status < 200 || answer.status > 299)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(answer.status) + " " + answer.body);
  return answer.body.empty() ? json() : json::parse(answer.body);
}

json ServerProgram::get(const std::string& path) const {
  return api("GET", path);
}

std::vector<json> ServerProgram::list(const std::string& path) const {
  const std::string base = path + (path.find('?') == std::string::npos ? "?" : "&") + "limit=100";
  std::vector<json> items;
  for (std::string cursor;;) {
    const json page = get(base + cursor);
    items.insert(items.end(), page.at("items").begin(), page.at("items").end());
    if (page.at("next").is_null()) return items;
    cursor = "&cursor=" + page.at("next").get<std::string>();
  }
}

http::testing::Ran ServerProgram::command(const std::string& words) const {
  return http::testing::run_command("env RUNNER_DATA=" + shell_quote(data_.native()) + " " +
                                    shell_quote(RUNNER_BINARY) + " " + words);
}

double ServerProgram::metric(const std::string& sample) const {
  const std::string text = "\n" + ask("GET", "/metrics").body;
  const std::size_t at = text.find("\n" + sample + " ");
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + sample.size() + 2, nullptr);
}

std::vector<json> ServerProgram::pipelines() const {
  std::vector<json> found;
  for (const json& project : list("/projects")) {
    for (const json& one : list("/projects/" + project.at("name").get<std::string>() + "/pipelines"))
      found.push_back(get("/pipelines/" + std::to_string(one.at("id").get<std::int64_t>())));
  }
  std::sort(found.begin(), found.end(), [](const json& a, const json& b) { return a.at("id") < b.at("id"); });
  return found;
}

void ServerProgram::wait_until(const std::string& what, const std::function<bool()>& is_so) const {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("it never came to that: " + what + "\n" + ask("GET", "/healthz").body +
                               said());
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

std::vector<json> ServerProgram::wait_for(std::size_t count) const {
  std::vector<json> found;
  wait_until(std::to_string(count) + " pipelines that are over", [&] {
    found = pipelines();
    return found.size() >= count && std::all_of(found.begin(), found.end(), is_over);
  });
  return found;
}

std::string ServerProgram::log_of(const json& job) const {
  return ask("GET", "/api/v1/jobs/" + std::to_string(job.at("id").get<std::int64_t>()) + "/log").body;
}

}  // namespace runner::test
