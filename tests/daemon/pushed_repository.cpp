#include "tests/daemon/pushed_repository.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "runner/base/digest.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::test {

using nlohmann::json;

namespace {

constexpr const char* kPipeline = R"yml(
stages: [build, test]
build:
  stage: build
  script: ['mkdir out', 'echo "made of $CI_COMMIT_SHA" > out/text', 'head -c 300000 /dev/zero > out/zeros']
  artifacts: {paths: [out]}
check:
  stage: test
  script: ['grep "made of $CI_COMMIT_SHA" out/text']
)yml";

}  // namespace

std::string artifact_text(const std::string& sha) {
  return "made of " + sha + "\n";
}

PushedRepository::PushedRepository() {
  init();
  write(".gitlab-ci.yml", kPipeline);
  // By HTTP nobody pushes to a repository that does not say so.
  run("git init -q --bare -b main shop.git && git -C shop.git config http.receivepack true", top());
  run("git remote add here " + shell_quote(path()));
}

std::string PushedRepository::push(const std::string& remote) {
  write("number", std::to_string(++pushes_));
  const std::string sha = commit("change " + std::to_string(pushes_));
  run("export GIT_SSH_COMMAND='ssh -F /dev/null -i " + (top() / "key").native() +
      " -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o "
      "LogLevel=ERROR'; "
      "git push -q " +
      remote + " main");
  return sha;
}

std::string PushedRepository::serve_http() {
  http_.emplace(std::vector<std::string>{"http", top().native(), (top() / "requests").native()});
  const std::string place = "127.0.0.1:" + http_->port() + "/auth/shop.git";
  run("git remote add http http://ann:s3cret%3A%C3%A4@" + place);
  return "http://" + place;
}

std::string PushedRepository::serve_ssh() {
  ssh_.emplace(*this);
  const std::string url = ssh_->url(path());
  run("git remote add ssh " + url);
  return url;
}

std::string PushedRepository::ssh_key() const {
  return read_file(top() / "key").value_or("");
}

void expect_green(const ServerProgram& server, const json& pipeline, const std::string& sha) {
  ASSERT_EQ(pipeline.at("status"), "success") << pipeline.dump(2);
  EXPECT_EQ(pipeline.at("sha"), sha);
  ASSERT_EQ(pipeline.at("jobs").size(), 2U);
  for (const json& job : pipeline.at("jobs")) EXPECT_EQ(job.at("status"), "success") << job.dump(2);
  const std::string path =
      "/jobs/" + std::to_string(pipeline.at("jobs").at(0).at("id").get<std::int64_t>()) + "/artifacts";
  json items;
  // It is packed once the job is green, and while others run.
  server.wait_until("the archive", [&] {
    items = server.get(path).at("items");
    return items.size() == 1;
  });
  EXPECT_EQ(items[0].at("kind"), "archive");
  const auto archive = server.ask("GET", "/api/v1" + path + "/archive");
  ASSERT_EQ(archive.status, 200);
  EXPECT_EQ(archive.body.size(), items[0].at("bytes").get<std::size_t>());
  EXPECT_EQ(sha256_hex(archive.body), items[0].at("sha256"));
  const TempDir dir("artifact-");
  write_file_atomic(dir.path() / "a.zip", archive.body, 0600, false);
  const std::string zip = shell_quote((dir.path() / "a.zip").native());
  EXPECT_EQ(http::testing::run_command("unzip -p " + zip + " out/text").output, artifact_text(sha));
  EXPECT_EQ(http::testing::run_command("unzip -p " + zip + " out/zeros | tr -d '\\0' | wc -c; unzip -Z1 " +
                                       zip + " | grep -c -v '/$'")
                .output,
            "0\n2\n");
}

}  // namespace runner::test
