#include "tests/support/real_engine.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "runner/base/error.h"
#include "tests/support/source_dir.h"

namespace runner::test {
namespace {

std::map<std::string, std::unique_ptr<RealEngine>>& shared_engines() {
  static std::map<std::string, std::unique_ptr<RealEngine>> engines;
  return engines;
}

std::string script(const std::string& name) {
  return (source_dir() / "tests/support" / name).native();
}

}  // namespace

std::string RealEngine::missing(const std::string& kind) {
  if (::geteuid() != 0) return "needs root";
  const std::vector<std::string> programs =
      kind == "docker" ? std::vector<std::string>{"dockerd", "iptables"}
                       : std::vector<std::string>{"podman", "runc", "conmon", "iptables"};
  for (const std::string& program : programs)
    if (!has_program(program)) return "needs " + program;
  return ::access("/bin/busybox", X_OK) == 0 ? "" : "needs busybox-static";
}

RealEngine::RealEngine(std::string kind) : kind_(std::move(kind)), dir_("runner-" + kind_ + "-") {
  program_ = std::make_unique<ChildProgram>(std::vector<std::string>{
      "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "python3",
      script("real_engine.py"), kind_, dir_.path().native()});
  program_->read_line();
}

RealEngine& RealEngine::shared(const std::string& kind) {
  auto& engine = shared_engines()[kind];
  if (!engine) engine = std::make_unique<RealEngine>(kind);
  return *engine;
}

void RealEngine::end_shared() {
  shared_engines().clear();
}

std::filesystem::path RealEngine::image_file(const std::string& name, const std::string& config,
                                             const std::vector<std::string>& sources) const {
  const auto file = dir_.path() / "image.tar";
  std::vector<std::string> argv = {"python3", script("busybox_image.py"), file.native(), name, config};
  argv.insert(argv.end(), sources.begin(), sources.end());
  run_program(argv);
  return file;
}

void RealEngine::load(const std::string& name, const std::string& config,
                      const std::vector<std::string>& sources) {
  if (std::find(loaded_.begin(), loaded_.end(), name) != loaded_.end()) return;
  const auto file = image_file(name, config, sources);
  run_program({"curl", "-sf", "-o", "/dev/null", "--unix-socket", socket().native(), "-X", "POST", "-H",
               "Content-Type: application/x-tar", "--data-binary", "@" + file.native(),
               "http://engine/images/load"});
  loaded_.push_back(name);
}

void RealEngine::forget_images() {
  const auto ask = [&](const char* method, const std::string& target) {
    run_program({"curl", "-sf", "-o", "/dev/null", "--unix-socket", socket().native(), "-X", method,
                 "http://engine" + target});
  };
  if (kind_ == "docker") {
    ask("POST", "/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D");
    ask("POST", "/build/prune?all=true");
  } else {
    ask("DELETE", "/v4.0.0/libpod/images/remove?all=true&force=true");
  }
  loaded_.clear();
}

std::string RealEngine::start_registry(const std::string& user, const std::string& password) {
  program_->write_line(user.empty() ? "registry" : "registry " + user + " " + password);
  return "127.0.0.1:" + program_->read_line();
}

RealEngine::TlsRegistry RealEngine::start_tls_registry(const std::string& user, const std::string& password) {
  program_->write_line("tls-registry " + user + " " + password);
  const std::string said = program_->read_line();
  const std::size_t blank = said.find(' ');
  return {"localhost:" + said.substr(0, blank), said.substr(blank + 1)};
}

std::vector<std::string> RealEngine::in_network() const {
  const auto process = read_file(dir_.path() / "process");
  return {"nsenter", "--net=/proc/" + process.value_or("self") + "/ns/net", "--"};
}

void RealEngine::hold_registry(const std::string& address) {
  program_->write_line("hold " + address.substr(address.rfind(':') + 1));
  program_->read_line();
}

void RealEngine::release_registry(const std::string& address) {
  program_->write_line("release " + address.substr(address.rfind(':') + 1));
  program_->read_line();
}

std::string RealEngine::start_silence() {
  program_->write_line("silence");
  return "127.0.0.1:" + program_->read_line();
}

void RealEngine::kill() {
  program_->write_line("kill");
  program_->read_line();
}

void RealEngine::start() {
  program_->write_line("start");
  program_->read_line();
}

}  // namespace runner::test
