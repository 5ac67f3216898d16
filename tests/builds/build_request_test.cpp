// What a build is told goes through a file and comes back whole.
#include "builds/build_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::builds {
namespace {

BuildRequest full() {
  BuildRequest request;
  request.workspace = "/builds/shop";
  request.context = "web";
  request.dockerfile = "build/Dockerfile";
  request.target = "final";
  request.args = {{"VERSION", "1.2"}, {"BYTES", "\xff\xfe \n\""}};
  request.secrets = {{"token", std::string("a\0b", 3)}};
  request.platforms = {"linux/amd64", "linux/arm64"};
  request.tags = {"registry.example/shop:main", "registry.example/shop:1"};
  request.push = true;
  request.cache = {false, {"registry.example/shop:main"}, "registry.example/shop/cache"};
  request.rebuild = true;
  request.labels = {{"team", "web"}};
  request.revision = "0123";
  request.source = "https://git.example/shop";
  request.version = "main";
  request.created = 1700000000;
  request.engine = EngineKind::podman;
  request.socket = "/run/podman/podman.sock";
  request.auth_configs = {R"({"auths": {}})", "not even JSON \xff"};
  request.auth_files = {"/root/.docker/config.json"};
  request.authorities = {{"registry.example", "/etc/ca.pem"}};
  request.insecure = {"127.0.0.1:5000"};
  request.memory = "/data/images";
  request.context_key = "tree";
  request.environment = {{"HOME", "/root"}};
  return request;
}

TEST(BuildRequestFile, ComesBackWholeAndIsGone) {
  const TempDir dir;
  write_build_request(dir.path(), full());
  struct stat facts {};
  ASSERT_EQ(::stat((dir.path() / "request").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U) << "it holds secrets";
  EXPECT_EQ(take_build_request(dir.path()), full());
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "request"));
  try {
    take_build_request(dir.path());
    FAIL() << "it was read twice";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

TEST(BuildRequestFile, WhatIsDamagedIsRefused) {
  const TempDir dir;
  for (const char* text : {"", "{}", "[]", R"({"workspace": 1})"}) {
    write_file_atomic(dir.path() / "request", text, 0600, false);
    try {
      take_build_request(dir.path());
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << text;
    }
  }
}

TEST(BuildRequestFile, AVerdictComesBack) {
  const TempDir dir;
  EXPECT_EQ(read_build_verdict(dir.path()), std::nullopt);
  for (const BuildExit exit : {BuildExit::failed, BuildExit::invalid, BuildExit::machinery}) {
    const BuildVerdict verdict{exit, "the engine is gone"};
    write_build_verdict(dir.path(), verdict);
    EXPECT_EQ(read_build_verdict(dir.path()), verdict);
  }
  write_file_atomic(dir.path() / "verdict", R"({"class": "no such", "message": ""})", 0600, false);
  EXPECT_THROW(read_build_verdict(dir.path()), Error);
}

TEST(BuildRequestFile, OutputsAreADotenvReport) {
  const TempDir dir;
  write_build_outputs(dir.path(), {"r.example/shop@sha256:aa", "sha256:aa", "r.example/shop:main", "0f"});
  EXPECT_EQ(read_file(dir.path() / kOutputsFile),
            "IMAGE=r.example/shop@sha256:aa\nIMAGE_DIGEST=sha256:aa\nIMAGE_TAG=r.example/shop:main\n"
            "IMAGE_KEY=0f\n");
}

}  // namespace
}  // namespace runner::builds
