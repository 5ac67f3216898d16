// By which inputs an image is known, and how engines are told to build it.
#include "builds/input_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builds/build_log.h"
#include "builds/image_build.h"
#include "builds/image_builder.h"
#include "builds/oci_labels.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

BuildInputs inputs() {
  BuildInputs all;
  all.context = "c";
  all.dockerfile = "d";
  all.target = "t";
  all.args = {{"V", argument_digest("V", "1")}};
  all.platforms = {"linux/amd64"};
  all.bases = {{"debian:12", "sha256:aaaaaaaaaaaaaaaa"}};
  return all;
}

TEST(InputKey, IsOfEveryInput) {
  const std::string key = input_key(inputs());
  EXPECT_EQ(key.size(), 64U);
  EXPECT_EQ(key_tag(key), "runner-" + key.substr(0, 32));
  std::vector<BuildInputs> others(6, inputs());
  others[0].context = "x";
  others[1].dockerfile = "x";
  others[2].target = "x";
  others[3].args["V"] = argument_digest("V", "2");
  others[4].platforms = {"linux/arm64"};
  others[5].bases["debian:12"] = "sha256:b";
  for (const BuildInputs& other : others) EXPECT_NE(input_key(other), key);
  EXPECT_EQ(input_key(inputs()), key);
  EXPECT_EQ(parse_inputs(inputs_text(inputs())), inputs());
  for (const char* text : {"", "{}", "[]", "null", R"({"version": 2})", R"({"version": 1, "context": 1})"})
    EXPECT_EQ(parse_inputs(text), std::nullopt) << text;
}

TEST(InputKey, WhatChangedIsSaid) {
  EXPECT_THAT(changed_inputs(inputs(), inputs()), IsEmpty());
  BuildInputs now = inputs();
  now.context = "x";
  now.dockerfile = "x";
  now.target = "u";
  now.args = {{"V", argument_digest("V", "2")}, {"W", "w"}};
  now.platforms = {};
  now.bases = {{"debian:12", "sha256:bbbbbbbbbbbbbbbb"}, {"tools", "sha256:c"}};
  EXPECT_THAT(
      changed_inputs(inputs(), now),
      ElementsAre("the Dockerfile changed", "the context changed", "the target changed: 't' -> 'u'",
                  "the platforms changed: linux/amd64 -> the engine's", "argument V changed",
                  "argument W is new", "base debian:12 moved: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb",
                  "base tools is new: sha256:c"));
  EXPECT_THAT(changed_inputs(now, inputs()),
              AllOf(Contains("argument W is gone"), Contains("base tools is gone")));
}

BuildRequest request() {
  BuildRequest told;
  told.workspace = "/w";
  told.tags = {"r.example/app:main"};
  told.args = {{"VERSION", "shh-value"}};
  told.secrets = {{"token", "shh-secret"}};
  told.target = "final";
  told.created = 1700000000;
  told.revision = "0123";
  told.cache.from = {"r.example/app:main"};
  return told;
}

TEST(BuildWords, DockerIsToldNoValue) {
  const BuildRequest told = request();
  const BuildContext context;
  const BuildOrder order = {told, context, "FROM a", "linux/arm64", oci_labels(told), {}, "/place"};
  const auto words = docker_words(order, {{"token", "/proc/self/fd/7"}});
  const std::string line = join(words, " ");
  EXPECT_THAT(line,
              AllOf(HasSubstr("--build-arg VERSION "), HasSubstr("--secret id=token,src=/proc/self/fd/7"),
                    HasSubstr("--platform linux/arm64"), HasSubstr("--target final"),
                    HasSubstr("--cache-from r.example/app:main"), HasSubstr("SOURCE_DATE_EPOCH=1700000000"),
                    HasSubstr("--label org.opencontainers.image.created=2023-11-14T22:13:20Z"),
                    Not(HasSubstr("shh")), Not(HasSubstr("--no-cache"))));
  BuildRequest again = told;
  again.rebuild = true;
  const BuildOrder uncached = {again, context, "FROM a", "", {}, {}, "/place"};
  EXPECT_THAT(docker_words(uncached, {}), AllOf(Contains("--no-cache"), Not(Contains("--cache-from"))));
}

TEST(BuildWords, PodmanIsToldNoSecret) {
  BuildRequest told = request();
  told.cache.to = "r.example/cache";
  const BuildContext context;
  const BuildOrder order = {told, context, "FROM a", "", {}, {}, "/place"};
  const std::string target = podman_target(order, {{"token", ".runner-build.secret.0"}});
  EXPECT_THAT(target, AllOf(HasSubstr("/libpod/build?"), HasSubstr("shh-value"), Not(HasSubstr("shh-secret")),
                            HasSubstr("timestamp=1700000000"), HasSubstr("cacheto=r.example%2Fcache")));
}

TEST(BuildWords, PodmanMakesOciImagesUnlessTheyCannotKeepAnInstruction) {
  const BuildRequest told = request();
  const BuildContext context;
  for (const auto& [dockerfile, format] : std::vector<std::pair<const char*, const char*>>{
           {"FROM a\nRUN true\n", "oci.image"},
           {"FROM a\n# HEALTHCHECK NONE\nRUN echo \\\nSHELL\n", "oci.image"},
           {"FROM a\nHEALTHCHECK CMD true\n", "docker.distribution"},
           {"FROM a\n onbuild RUN true\n", "docker.distribution"},
           {"FROM a\nSHELL [\"/bin/bash\"]\n", "docker.distribution"}}) {
    const BuildOrder order = {told, context, dockerfile, "", {}, {}, "/place"};
    EXPECT_THAT(podman_target(order, {}), HasSubstr(format)) << dockerfile;
  }
}

TEST(BuildWords, NamesThatSteerTheClientAreKnown) {
  for (const char* name : {"PATH", "HOME", "DOCKER_HOST", "LD_PRELOAD", "BUILDX_BUILDER"})
    EXPECT_TRUE(steers_docker(name)) << name;
  for (const char* name : {"VERSION", "PATHS", "HTTP_PROXY"}) EXPECT_FALSE(steers_docker(name)) << name;
}

TEST(BuildWords, LoginsAreWrittenAsEachEngineReadsThem) {
  const std::map<std::string, registry::Login> logins = {{"docker.io", {"u", "p", ""}},
                                                         {"r.example", {"", "", "t"}}};
  EXPECT_EQ(docker_config(logins),
            R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"r.example":{"identitytoken":"t"}}})");
}

TEST(BuildRequestFaults, AreNamed) {
  EXPECT_EQ(fault_of(request()), "");
  const auto fault = [](const std::function<void(BuildRequest&)>& change) {
    BuildRequest told = request();
    change(told);
    return fault_of(told);
  };
  EXPECT_THAT(fault([](auto& told) { told.tags.clear(); }), HasSubstr("tags: there is none"));
  EXPECT_THAT(fault([](auto& told) { told.tags = {"UPPER:1 2"}; }), HasSubstr("tags: "));
  EXPECT_THAT(fault([](auto& told) { told.tags = {"a@sha256:" + std::string(64, 'a')}; }),
              HasSubstr("has a digest"));
  EXPECT_THAT(fault([](auto& told) { told.args = {{"A=B", ""}}; }), HasSubstr("args: 'A=B'"));
  EXPECT_THAT(fault([](auto& told) { told.args = {{"A", std::string("\0", 1)}}; }), HasSubstr("holds a NUL"));
  EXPECT_THAT(fault([](auto& told) { told.secrets = {{"a,src=/etc/shadow", ""}}; }), HasSubstr("secrets: "));
  EXPECT_THAT(fault([](auto& told) { told.platforms = {"arm"}; }), HasSubstr("platforms: 'arm'"));
  EXPECT_THAT(fault([](auto& told) {
                told.platforms = {"linux/a", "linux/b"};
              }),
              HasSubstr("can only be pushed"));
}

TEST(BuildFaults, WhatGoesAwayIsToldFromWhatFailed) {
  for (const char* words :
       {"received unexpected HTTP status: 503 Service Unavailable", "toomanyrequests: slow down",
        "read tcp: connection reset by peer", "net/http: TLS handshake timeout"})
    EXPECT_TRUE(goes_away(words)) << words;
  for (const char* words :
       {"executor failed running [/bin/sh -c curl x || echo connection reset]: exit code: 1",
        "building at STEP \"RUN false\": while running runtime: exit status 1",
        "unauthorized: access denied"})
    EXPECT_FALSE(goes_away(words)) << words;
  EXPECT_EQ(harmless("a\x1b[31mb\nc"), "ab c");
}

TEST(DockerClient, IsAskedOnceWhatItIs) {
  const TempDir dir("runner-docker-client");
  const auto install = [&](const std::string& version) {
    write_file_atomic(dir.path() / "docker",
                      "#!/bin/sh\necho asked >> '" + (dir.path() / "asked").native() +
                          "'\necho 'Docker version " + version + ", build 1'\n",
                      0755, false);
  };
  const auto asked = [&] { return read_file(dir.path() / "asked").value_or(""); };
  const std::map<std::string, std::string> environment{{"PATH", dir.path().native()}};
  const std::filesystem::path memory = dir.path() / "memory";
  const std::string client = (dir.path() / "docker").native();
  install("20.10.24+dfsg1");
  for (int time = 0; time < 3; ++time) EXPECT_EQ(docker_client(environment, memory, {}), client);
  if (asked().empty()) return;  // where buildx is installed nobody asks
  EXPECT_EQ(asked(), "asked\n");
  // Another program under the same name is another client.
  install("20.10.25");
  EXPECT_EQ(docker_client(environment, memory, {}), client);
  EXPECT_EQ(asked(), "asked\nasked\n");
  EXPECT_EQ(docker_client(environment, {}, {}), client);
  EXPECT_EQ(docker_client(environment, {}, {}), client);
  EXPECT_EQ(asked(), "asked\nasked\nasked\nasked\n") << "there is nowhere to remember it";
}

}  // namespace
}  // namespace runner::builds
