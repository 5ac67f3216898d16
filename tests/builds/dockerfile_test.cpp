// Which images a Dockerfile builds on.
#include "builds/dockerfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::builds {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> images_of(const std::string& text,
                                   const DockerfileQuestion& question = {"Dockerfile", {}, "", ""}) {
  std::vector<std::string> images;
  for (const ImageUse& use : read_dockerfile(text, question).images) images.push_back(use.image);
  return images;
}

std::string error_of(const std::string& text, const std::string& target = "") {
  try {
    read_dockerfile(text, {"web/Dockerfile", {}, target, ""});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    return error.what();
  }
  return "";
}

struct Case {
  const char* name;
  const char* text;
  std::vector<std::string> images;
};

class DockerfileImages : public testing::TestWithParam<Case> {};

TEST_P(DockerfileImages, AreFound) {
  EXPECT_EQ(images_of(GetParam().text), GetParam().images);
}

INSTANTIATE_TEST_SUITE_P(
    All, DockerfileImages,
    testing::Values(
        Case{"Plain", "FROM debian:12\nRUN true\n", {"debian:12"}},
        Case{"WithoutALineEnd", "from debian", {"debian"}},
        Case{"CommentsAndBlanks", "# a comment\n\n  # another\n  FROM  debian:12  AS  x \n", {"debian:12"}},
        Case{"Scratch", "FROM scratch\nCOPY a /\n", {}},
        Case{"Stages", "FROM a AS one\nFROM ONE AS two\nCOPY --from=one /x /\nFROM two\n", {"a"}},
        Case{"NumbersAreStages", "FROM a\nFROM b\nCOPY --from=0 /x /\n", {"a", "b"}},
        Case{"ANumberBeyondIsAnImage", "FROM a\nCOPY --from=7 /x /\n", {"a", "7"}},
        Case{"OnlyWhatTheTargetNeeds", "FROM a AS unused\nFROM b\n", {"b"}},
        Case{"ThroughOthers",
             "FROM a AS one\nFROM b AS two\nCOPY --from=one x /\nFROM c\nCOPY --from=two x /\n",
             {"a", "b", "c"}},
        Case{"CopyFromAnImage", "FROM a\nCOPY --chown=1:1 --from=tools:2 /x /\n", {"a", "tools:2"}},
        Case{"MountFromAnImage",
             "FROM a\nRUN --mount=type=bind,from=tools:3,target=/t --network=none /t/run\n",
             {"a", "tools:3"}},
        Case{"AMountOfTheCommandIsNone", "FROM a\nRUN tool --mount=from=b\n", {"a"}},
        Case{"Arguments", "ARG V=12\nARG IMAGE=debian:${V}\nFROM ${IMAGE}\n", {"debian:12"}},
        Case{"ADefaultInPlace", "FROM debian:${V:-11}${W:+no}\n", {"debian:11"}},
        Case{"Quoted", "ARG V=\"12\"\nFROM \"debian:$V\"\n", {"debian:12"}},
        Case{"ArgumentsOfAStageDoNotCount",
             "ARG V=1\nFROM a:$V AS x\nARG V=2\nFROM b:$V\nCOPY --from=x / /\n",
             {"a:1", "b:1"}},
        Case{"Continued", "FROM \\\n  # in between\n\n  debian:12 \\\n AS x\n", {"debian:12"}},
        Case{"AnotherEscape", "# escape=`\nFROM `\n debian:12\nRUN dir C:\\\nFROM x\n", {"x"}},
        Case{"DirectivesEndAtAComment", "# hello\n# escape=`\nFROM \\\ndebian\n", {"debian"}},
        Case{"Heredoc",
             "FROM a\nRUN <<EOF\nFROM not\nEOF\nRUN <<-\"X\" cat <<Y\nFROM no\n\tX\nFROM no\nY\nCOPY "
             "--from=b x /\n",
             {"a", "b"}},
        Case{"NoHeredoc", "FROM a\nRUN echo $((1<<2)) 1 << 2\nCOPY --from=b x /\n", {"a", "b"}},
        Case{"WindowsLines", "FROM debian:12\r\nRUN true\r\n", {"debian:12"}},
        Case{"Platforms",
             "FROM --platform=$BUILDPLATFORM golang AS build\nFROM a\nCOPY --from=build / /\n",
             {"golang", "a"}}),
    [](const auto& made) { return made.param.name; });

TEST(Dockerfile, WhatIsGivenGoesBeforeDefaults) {
  EXPECT_THAT(images_of("ARG V=12\nFROM debian:$V\n", {"Dockerfile", {{"V", "13"}}, "", ""}),
              ElementsAre("debian:13"));
  EXPECT_THAT(images_of("FROM debian:$V\n", {"Dockerfile", {{"V", "13"}}, "", ""}), ElementsAre("debian:"))
      << "only arguments that are declared are filled in";
  EXPECT_THAT(images_of("FROM app:$TARGETARCH\n", {"Dockerfile", {}, "", "linux/arm/v7"}),
              ElementsAre("app:arm"));
}

TEST(Dockerfile, ATargetIsANameOrANumber) {
  const std::string text = "FROM a AS One\nFROM b AS two\nFROM c\n";
  EXPECT_THAT(images_of(text, {"Dockerfile", {}, "one", ""}), ElementsAre("a"));
  EXPECT_THAT(images_of(text, {"Dockerfile", {}, "1", ""}), ElementsAre("b"));
  EXPECT_THAT(error_of(text, "three"), HasSubstr("there is no stage 'three'; there are 'one', 'two'"));
}

TEST(Dockerfile, FaultsAreNamedByTheirLine) {
  const std::pair<const char*, const char*> faults[] = {
      {"", "web/Dockerfile:1: there is no FROM"},
      {"\\", "web/Dockerfile:1: there is no FROM"},
      {"RUN true\n", "web/Dockerfile:1: 'RUN' stands before the first FROM"},
      {"\n\nFROM\n", "web/Dockerfile:3: FROM is written"},
      {"FROM a b\n", "web/Dockerfile:1: FROM is written"},
      {"FROM $NONE\n", "web/Dockerfile:1: '$NONE' is empty"},
      {"FROM ${A\n", "lacks a '}'"},
      {"FROM ${A%x}\n", "has a modifier that is not known"},
      {"FROM ${A:?sayit}\n", "wants a value for 'A': sayit"},
      {"FROM a\nRUN <<EOF\nFROM b\n", "web/Dockerfile:2: the text that begins with '<<EOF' never ends"},
      {"# escape=x\nFROM a\n", "web/Dockerfile:1: the directive 'escape' takes"},
      {"FROM a\nCOPY --from= x /\n", "web/Dockerfile:2: 'from=' names neither"}};
  for (const auto& [text, what] : faults) EXPECT_THAT(error_of(text), HasSubstr(what)) << text;
  std::string deep = "FROM ";
  for (int i = 0; i < 1000; ++i) deep += "${A:-";
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deep"));
}

TEST(Dockerfile, LabelsArePutWhereTheTargetEnds) {
  const std::string text = "FROM a AS one\nRUN x\n  from b\nRUN y";
  const auto end_of = [&](const char* target) {
    return read_dockerfile(text, {"Dockerfile", {}, target, ""}).end;
  };
  EXPECT_EQ(text.substr(end_of("one")), "from b\nRUN y");
  EXPECT_EQ(end_of(""), text.size());
  EXPECT_EQ(label_instruction({{"a", "1"}, {"b.c", "{\"x\": \"$y\\\"}"}}, '\\'),
            "\nLABEL \"a\"=\"1\" \"b.c\"=\"{\\\"x\\\": \\\"\\$y\\\\\\\"}\"\n");
  EXPECT_EQ(label_instruction({{"a", "1\n2"}}, '\\'), std::nullopt);
}

TEST(Dockerfile, NamesAreReplacedWhereTheyStand) {
  const std::string text =
      "ARG V=1\nFROM --platform=linux/amd64 a:$V AS x # no\nRUN --mount=type=secret,id=t true\n";
  EXPECT_THAT(error_of(text), HasSubstr("FROM is written"));
  const std::string good =
      "ARG V=1\nFROM a:$V AS x\nCOPY --from=b /x /\nRUN --mount=from=\\\nc:2,target=/x true\nFROM x\nADD "
      "https://example/x /\n";
  const DockerfileFacts facts = read_dockerfile(good, {"Dockerfile", {}, "", ""});
  EXPECT_EQ(
      with_images(good, facts.images, {"a@d", "", "c@d"}),
      "ARG V=1\nFROM a@d AS x\nCOPY --from=b /x /\nRUN --mount=from=\\\nc@d,target=/x true\nFROM x\nADD "
      "https://example/x /\n");
  EXPECT_THAT(facts.fetches, ElementsAre(7U));
  EXPECT_FALSE(facts.mounts_secrets);
  EXPECT_EQ(read_dockerfile("# syntax=docker/dockerfile:1\nFROM a\n", {"Dockerfile", {}, "", ""}).syntax,
            "docker/dockerfile:1");
}

}  // namespace
}  // namespace runner::builds
