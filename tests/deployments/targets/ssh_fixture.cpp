#include "tests/deployments/targets/ssh_fixture.h"

#include <cstdio>
#include <sstream>

#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::deployments {

namespace fs = std::filesystem;

Fence fence_of(std::uint64_t token, const std::string& deployment, const std::string& environment) {
  return {environment, token, deployment};
}

void SshTest::SetUp() {
  if (const std::string why = test::SshdHost::missing(); !why.empty()) GTEST_SKIP() << why;
  add_host();
}

void SshTest::TearDown() {
  // What was started is not ours to wait for, but is of this directory.
  shell("for p in /proc/[0-9]*; do case $(readlink $p/cwd 2>/dev/null) in " +
        shell_quote(top.path().string()) + "/*) kill -9 ${p#/proc/} 2>/dev/null;; esac; done; :");
}

test::SshdHost& SshTest::add_host(const std::string& with_shell) {
  hosts.push_back(
      std::make_unique<test::SshdHost>(top.path() / ("host" + std::to_string(made_++)), with_shell));
  units.push_back("127.0.0.1:" + hosts.back()->port());
  return *hosts.back();
}

SshOptions SshTest::options() const {
  SshOptions options;
  for (const auto& host : hosts) {
    options.hosts.push_back({host->address(), host->root().string(), {}});
    options.known_hosts += host->known();
  }
  // All hosts let the first one's key in.
  options.private_key = read_file(hosts[0]->key()).value_or("");
  options.ports = {{Slot::single, 8000}, {Slot::blue, 8001}, {Slot::green, 8002}};
  options.start =
      "sleep 600 & echo $! > \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\"; "
      "echo \"$RUNNER_SLOT $RUNNER_RELEASE $RUNNER_PORT $PWD\" >> \"$RUNNER_ROOT/shared/started\"";
  options.stop =
      "test $RUNNER_FORCE = 1 && s=KILL || s=TERM; kill -$s $(cat \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\")";
  // What has ended is a zombie until somebody waits for it.
  options.status =
      "p=$(cat \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\") && grep -q 'State:.[RSD]' /proc/$p/status";
  return options;
}

std::unique_ptr<SshTarget> SshTest::claimed(std::uint64_t token, const std::string& deployment) const {
  auto one = target();
  for (const std::string& unit : units)
    one->claim(unit, fence_of(token, deployment), std::chrono::seconds(5), {});
  return one;
}

ReleaseFile SshTest::file_of(const std::string& path, const fs::path& local) const {
  return {path, local, sha256_hex(read_file(local).value_or(""))};
}

Release SshTest::release(const std::string& name, const std::string& kind) const {
  const fs::path tree = top.path() / ("tree-" + name), archive = top.path() / (name + "." + kind);
  make_directories(tree / "bin");
  write_file_atomic(tree / "version", name + "\n", 0644, false);
  write_file_atomic(tree / "bin/run", "#!/bin/sh\n", 0755, false);
  write_file_atomic(top.path() / (name + ".env"), "NAME=" + name + "\n", 0644, false);
  const std::map<std::string, std::string> makes = {
      {"tar", "tar -cf"}, {"tar.gz", "tar -czf"}, {"tar.zst", "tar --zstd -cf"}, {"zip", "bsdtar -a -cf"}};
  shell("cd " + shell_quote(tree.string()) + " && " + makes.at(kind) + " " + shell_quote(archive.string()) +
        " .");
  Release release;
  release.id = sha256_hex(name).substr(0, 12);
  release.artifact = file_of("shop." + kind, archive);
  release.config = {file_of("etc/shop.env", top.path() / (name + ".env"))};
  return release;
}

std::string SshTest::shell(const std::string& command) const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string text;
  for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace runner::deployments
