// Built once, found again, built again only when an input changed, and no secret anywhere.
#include <gmock/gmock.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "builds/input_key.h"
#include "runner/base/text.h"
#include "tests/image_builds/build_fixture.h"

namespace runner::builds::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecret = "hunter2-hunter2";

class ImageBuilds : public BuildFixture {
 protected:
  /// A project of two stages that mounts a secret.
  void put_project() const {
    put("Dockerfile",
        "ARG BASE\nFROM $BASE AS tools\nRUN mkdir /out && echo tool > /out/tool\n"
        "FROM $BASE\nARG VERSION=none\n"
        "RUN --mount=type=secret,id=token echo \"secret of $(wc -c < /run/secrets/token)\" && cat "
        "/run/secrets/token\n"
        "COPY --from=tools /out/tool /tool\nCOPY . /src/\nRUN echo \"version $VERSION\" > /version\n");
    put(".dockerignore", "*.log\n");
    put("a.txt", "content\n");
    put("noise.log", "1\n");
    write_file_atomic(workspace().parent_path() / "outside", "not of the context", 0600, false);
    fs::create_symlink(workspace().parent_path() / "outside", workspace() / "out");
  }
  BuildRequest project() const {
    BuildRequest told = request("app");
    told.args = {{"BASE", host() + "/base:1"}, {"VERSION", "1.2.3-argument"}};
    told.secrets = {{"token", kSecret}};
    told.tags = {host() + "/app:main", host() + "/app:c0123", host() + "/mirror/app:main"};
    return told;
  }
};

TEST_P(ImageBuilds, AnImageIsBuiltOnceAndAgainWhenAnInputChanged) {
  push_base("one");
  put_project();
  const std::size_t uploads = asked("POST /v2/app/blobs/uploads/");
  Ended ended = run(project());
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, AllOf(HasSubstr("there is no image yet"), HasSubstr("secret of 15"),
                               HasSubstr("Built sha256:"), HasSubstr("Digest sha256:")));
  const std::string digest = ended.output("IMAGE_DIGEST");
  EXPECT_EQ(ended.output("IMAGE"), host() + "/app@" + digest);
  EXPECT_EQ(ended.output("IMAGE_TAG"), host() + "/app:main");
  const std::string key = ended.output("IMAGE_KEY");
  for (const char* tag : {"/app:main", "/app:c0123", "/mirror/app:main"})
    EXPECT_EQ(digest_of(host() + tag), digest) << tag;
  EXPECT_EQ(digest_of(host() + "/app:" + key_tag(key)), digest);
  const std::size_t pushed = asked("POST /v2/app/blobs/uploads/");
  EXPECT_GT(pushed, uploads);

  const auto image = api().find(host() + "/app:main", {});
  ASSERT_TRUE(image);
  EXPECT_EQ(image->labels.at("org.opencontainers.image.revision"), "0123456789");
  EXPECT_EQ(image->labels.at("org.opencontainers.image.source"), "https://git.example/shop");
  EXPECT_EQ(image->labels.at("org.opencontainers.image.created"), "2023-11-14T22:13:20Z");
  EXPECT_EQ(image->labels.at(kKeyLabel), key);
  EXPECT_FALSE(registry_holds(kSecret)) << "the Dockerfile only printed it";
  EXPECT_TRUE(registry_holds("version 1.2.3-argument")) << "the search finds what there is";
  EXPECT_FALSE(registry_holds("not of the context"))
      << "a link out of the context is a link, not what it names";

  // Another file that is ignored, another time, another commit: the same inputs.
  put("noise.log", "2\n");
  put("a.txt", "content\n");
  BuildRequest again = project();
  again.revision = "fedcba";
  again.tags.push_back(host() + "/app:later");
  again.socket.clear();  // no engine is needed
  ended = run(again);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, AllOf(HasSubstr("Unchanged: "), Not(HasSubstr("Building")),
                               HasSubstr("Tag " + host() + "/app:later moved"),
                               HasSubstr("Tag " + host() + "/app:main is there")));
  EXPECT_EQ(ended.output("IMAGE_DIGEST"), digest);
  EXPECT_EQ(digest_of(host() + "/app:later"), digest);
  EXPECT_EQ(asked("POST /v2/app/blobs/uploads/"), pushed) << "nothing is sent twice";

  const std::string one = digest_of(host() + "/base:1"), two = push_base("two");
  ASSERT_NE(one, two);
  BuildRequest changed = project();
  changed.args["VERSION"] = "2";
  ended = run(changed);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, AllOf(HasSubstr("inputs differ from those of " + host() + "/app:main"),
                               HasSubstr("argument VERSION changed"),
                               HasSubstr("base " + host() + "/base:1 moved: " + one.substr(0, 19) + " -> " +
                                         two.substr(0, 19))));
  EXPECT_NE(ended.output("IMAGE_DIGEST"), digest);
  EXPECT_EQ(digest_of(host() + "/app:main"), ended.output("IMAGE_DIGEST"));
  EXPECT_EQ(digest_of(host() + "/app:later"), digest) << "tags that are not ours stay";
}

TEST_P(ImageBuilds, WithoutAPushTheEngineKeepsIt) {
  put("Dockerfile",
      "FROM box\nRUN echo un$((1))changed\nCOPY a /a\nRUN --mount=type=cache,target=/cache echo x >> "
      "/cache/n; echo \"runs $(wc -l < "
      "/cache/n)\"\n");
  put("a", "1");
  BuildRequest told = request("here");
  told.push = false;
  told.tags = {"localhost/here:main", "localhost/here:one"};
  Ended ended = run(told);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, AllOf(HasSubstr("the engine's own image is used"), HasSubstr("un1changed"),
                               HasSubstr("runs 1")));
  EXPECT_EQ(ended.output("IMAGE"), "localhost/here:main");
  EXPECT_EQ(api().find("localhost/here:one", {})->id, ended.output("IMAGE_DIGEST"));
  told.tags.emplace_back("localhost/here:two");
  Ended again = run(told);
  ASSERT_EQ(again.code, 0) << again.log;
  EXPECT_THAT(again.log, AllOf(HasSubstr("Unchanged: the engine has"), Not(HasSubstr("Building"))));
  EXPECT_EQ(api().find("localhost/here:two", {})->id, ended.output("IMAGE_DIGEST"));
  put("a", "2");
  again = run(told);
  ASSERT_EQ(again.code, 0) << again.log;
  EXPECT_THAT(again.log, AllOf(HasSubstr("the context changed"), HasSubstr("runs 2")))
      << "a cache mount outlives the build";
  EXPECT_THAT(again.log, Not(HasSubstr("un1changed"))) << "nothing before what changed is done again";
}

TEST_P(ImageBuilds, AnEngineThatHasNoLayersTakesThoseOfTheRegistry) {
  const bool docker = GetParam() == std::string("docker");
  push_base("layers");
  // BuildKit speaks no TLS with a registry on "localhost".
  const std::string place = docker ? engine().start_registry() : host();
  const std::string base = place + "/base:1";
  if (docker) {
    api().tag("base-layers:latest", registry::parse_reference(base), {});
    BuildEngine(engine().socket(), {place}).push(registry::parse_reference(base), std::nullopt, {});
  }
  put("Dockerfile", "ARG BASE\nFROM $BASE\nRUN echo un$((1))changed > /one && cat /one\nCOPY a /a\n");
  put("a", "1");
  BuildRequest told = request("layered");
  told.tags = {place + "/layered:main"};
  told.args = {{"BASE", base}};
  told.cache.from = {place + "/layered:other-branch", place + "/layered:main"};
  if (docker)
    told.insecure = {place};
  else
    told.cache.to = place + "/layered/cache";
  Ended ended = run(told);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, HasSubstr("un1changed"));

  engine().forget_images();
  ASSERT_FALSE(api().find(place + "/layered:main", {}));
  put("a", "2");
  ended = run(told);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_THAT(ended.log, AllOf(HasSubstr("the context changed"), Not(HasSubstr("un1changed"))))
      << "the layers before what changed come from the registry";
}

TEST_P(ImageBuilds, AnInstructionThatFailsIsTheBuildsFault) {
  put("Dockerfile",
      "FROM box\nRUN --mount=type=secret,id=token cat /run/secrets/token; echo connection reset; exit 7\n");
  BuildRequest told = request("bad");
  told.secrets = {{"token", kSecret}};
  const Ended ended = run(told);
  EXPECT_EQ(ended.code, 1) << ended.log;
  ASSERT_TRUE(ended.verdict);
  EXPECT_EQ(ended.verdict->exit, BuildExit::failed);
  EXPECT_THAT(ended.verdict->why,
              AllOf(HasSubstr("the image was not built"), HasSubstr("7"), Not(HasSubstr(kSecret))));
  EXPECT_EQ(ended.outputs, "");
  EXPECT_EQ(digest_of(host() + "/bad:main"), "");
}

TEST_P(ImageBuilds, SeveralPlatformsAreOneIndex) {
  put("Dockerfile", "FROM scratch\nCOPY a /\n");
  put("a", "1");
  BuildRequest told = request("many");
  told.platforms = {"linux/amd64", "linux/arm64"};
  Ended ended = run(told);
  ASSERT_EQ(ended.code, 0) << ended.log;
  EXPECT_EQ(digest_of(host() + "/many:main"), ended.output("IMAGE_DIGEST"));
  ended = run(told);
  EXPECT_THAT(ended.log, HasSubstr("Unchanged: "));
}

TEST_P(ImageBuilds, WhatCannotBeIsSaidBeforeAnythingIsBuilt) {
  put("Dockerfile", "FROM box\nFROM " + host() + "/none:1\n");
  const Ended missing = run(request("x"));
  EXPECT_EQ(missing.code, 2) << missing.log;
  EXPECT_THAT(missing.log,
              HasSubstr("ERROR: Dockerfile:2: the base '" + host() + "/none:1': its registry has no such"));
  BuildRequest told = request("x");
  told.auth_configs = {R"({"auths": {")" + host() + R"(": {"auth": "YTpi"}}})"};
  const Ended refused = run(told);
  EXPECT_EQ(refused.code, 2) << refused.log;
  EXPECT_THAT(refused.log, Not(HasSubstr("YTpi")));
  put("Dockerfile", "FROM scratch\nCOPY a /\n");
  const Ended login = run(told);
  EXPECT_EQ(login.code, 2) << login.log;
}

WITH_BOTH_BUILDERS(ImageBuilds);

}  // namespace
}  // namespace runner::builds::testing
