#include "executors/containers/container_bodies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "executors/containers/images.h"
#include "executors/containers/step_script.h"
#include "runner/base/base64.h"
#include "runner/base/error.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using Words = std::vector<std::string>;

const ImageFacts kFacts{"sha256:abc", "", {"/entry", "x"}, {"serve", "--all"}, {}};

SandboxSpec plain_spec() {
  SandboxSpec spec;
  spec.id.value = "job 1/2";
  spec.workspace = "/builds/p";
  spec.overlay = OverlayMount{{"/lower"}, "/upper", "/work", "/target", false};
  spec.container = ContainerSpec{};
  spec.container->image.name = "image";
  return spec;
}

ContainerNames names() {
  return container_names("owner", SandboxId{"job 1/2"}, {{"job", "7"}});
}

Json build(const SandboxSpec& spec, const Ulimits& ulimits = {}) {
  return Json::parse(build_body(spec, names(), kFacts, "/state/files", ulimits));
}

std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_input);
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(ContainerNames, AreWhatEnginesTakeAndDifferByOwnerAndId) {
  EXPECT_THAT(names().build(), testing::MatchesRegex("runner-job-1-2-[0-9a-f]{12}-build"));
  EXPECT_EQ(names().labels,
            (std::map<std::string, std::string>{
                {"io.runner.owner", "owner"}, {"io.runner.sandbox", "job 1/2"}, {"io.runner.job", "7"}}));
  std::set<std::string> bases;
  for (const auto& [owner, id] : std::vector<std::pair<const char*, const char*>>{
           {"o", "a"}, {"p", "a"}, {"o", "a/b"}, {"o", "a-b"}, {"oa", ""}, {"", "oa"}, {"o", "äöü"}})
    bases.insert(container_names(owner, SandboxId{id}, {}).base);
  EXPECT_EQ(bases.size(), 7U);
  for (const std::string& base : bases) EXPECT_THAT(base, testing::MatchesRegex("runner-[-a-zA-Z0-9_.]+"));
  EXPECT_LT(container_names("o", SandboxId{std::string(500, 'x')}, {}).base.size(), 100U);
}

TEST(ContainerBodies, StepContainerSaysAllThatMatters) {
  const Json body = build(plain_spec());
  EXPECT_EQ(body["Image"], "sha256:abc");
  EXPECT_EQ(body["Entrypoint"], Json::array({"/entry"}));
  EXPECT_EQ(body["Cmd"], Json::array({"x", "sh", "/runner/step"}));
  EXPECT_EQ(body["WorkingDir"], "/builds/p");
  EXPECT_EQ(body["Tty"], false);
  EXPECT_EQ(body["HostConfig"]["LogConfig"]["Type"], "none");
  EXPECT_EQ(body["HostConfig"]["SecurityOpt"], Json::array({"no-new-privileges"}));
  EXPECT_EQ(body["HostConfig"]["Mounts"][0]["Source"], names().base);
  EXPECT_EQ(body["HostConfig"]["Mounts"][0]["VolumeOptions"]["NoCopy"], true);
  EXPECT_EQ(body["HostConfig"]["Mounts"][1],
            Json({{"Type", "bind"}, {"Source", "/state/files"}, {"Target", "/runner"}, {"ReadOnly", true}}));
  EXPECT_FALSE(body["HostConfig"].contains("Memory"));
  EXPECT_FALSE(body["HostConfig"].contains("NetworkMode"));
}

TEST(ContainerBodies, EntrypointIsReplacedOrCleared) {
  const std::pair<std::optional<Words>, Words> cases[] = {
      {std::nullopt, {"/entry", "x", "sh", "/runner/step"}},
      {Words{}, {"sh", "/runner/step"}},
      {Words{""}, {"sh", "/runner/step"}},
      {Words{"/own"}, {"/own", "sh", "/runner/step"}}};
  for (const auto& [entrypoint, expected] : cases) {
    SandboxSpec spec = plain_spec();
    spec.container->image.entrypoint = entrypoint;
    const Json body = build(spec);
    Words argv = body["Entrypoint"];
    for (const Json& word : body["Cmd"]) argv.push_back(word);
    EXPECT_EQ(argv, expected);
  }
}

TEST(ContainerBodies, LimitsAndRightsAreThoseOfTheSpec) {
  SandboxSpec spec = plain_spec();
  spec.memory_bytes = 1000;
  spec.cpu_millis = 1500;
  spec.file_size_bytes = 77;
  spec.container->privileged = true;
  spec.container->cap_add = {"SYS_ADMIN"};
  spec.container->extra_hosts = {"a:1.2.3.4"};
  spec.container->services.emplace_back();
  const Json host = build(spec, {{"nofile", {1, 2}}, {"fsize", {5, 5}}})["HostConfig"];
  EXPECT_EQ(host["Memory"], 1000);
  EXPECT_EQ(host["MemorySwap"], 1000);
  EXPECT_EQ(host["NanoCpus"], 1'500'000'000);
  EXPECT_EQ(host["Privileged"], true);
  EXPECT_FALSE(host.contains("SecurityOpt"));
  EXPECT_EQ(host["CapAdd"], Json::array({"SYS_ADMIN"}));
  EXPECT_EQ(host["ExtraHosts"], Json::array({"a:1.2.3.4"}));
  EXPECT_EQ(host["NetworkMode"], names().base);
  EXPECT_EQ(host["Ulimits"], Json::array({{{"Name", "nofile"}, {"Soft", 1}, {"Hard", 2}},
                                          {{"Name", "fsize"}, {"Soft", 77}, {"Hard", 77}}}));
}

TEST(ContainerBodies, ServicesRunTheirImageOrWhatIsGiven) {
  struct Case {
    std::optional<Words> entrypoint, command;
    Words expected;
  };
  const Case cases[] = {{{}, {}, {"/entry", "x", "serve", "--all"}},
                        {{}, Words{"one"}, {"/entry", "x", "one"}},
                        {Words{"/own"}, {}, {"/own"}},
                        {Words{""}, Words{"sh"}, {"sh"}}};
  for (const Case& one : cases) {
    ContainerService service;
    service.image.entrypoint = one.entrypoint;
    service.command = one.command;
    service.aliases = {"db", "postgres"};
    service.env = {{"A", "b=c"}};
    const Json body = Json::parse(service_body(plain_spec(), service, names(), kFacts, {}));
    Words argv = body["Entrypoint"];
    for (const Json& word : body["Cmd"]) argv.push_back(word);
    EXPECT_EQ(argv, one.expected);
    EXPECT_EQ(body["Env"], Json::array({"A=b=c"}));
    EXPECT_EQ(body["NetworkingConfig"]["EndpointsConfig"][names().base]["Aliases"],
              Json::array({"db", "postgres"}));
  }
  ContainerService nothing;
  nothing.image.name = "empty";
  nothing.image.entrypoint = Words{};
  EXPECT_EQ(error_of([&] { service_body(plain_spec(), nothing, names(), kFacts, {}); }),
            "the service 'empty' has nothing to run: give it a command");
}

TEST(ContainerBodies, WhatJsonCannotHoldIsRefusedByName) {
  SandboxSpec spec = plain_spec();
  spec.container->env = {{"BYTES", "\xff"}};
  EXPECT_THAT(error_of([&] { build(spec); }), HasSubstr("the variable 'BYTES' of a container is not UTF-8"));
  spec = plain_spec();
  spec.container->binds = {{"/a\xff", "/b", false}};
  EXPECT_THAT(error_of([&] { build(spec); }), HasSubstr("not UTF-8"));
}

TEST(ContainerBodies, OverlayOptionsFitIntoAMountOrSayWhyNot) {
  EXPECT_EQ(overlay_options("/s/l", 2),
            "lowerdir=/s/l/0:/s/l/1,upperdir=/s/l/u,workdir=/s/l/w,userxattr,index=off,volatile");
  EXPECT_NO_THROW(overlay_options("/s/l", 400));
  EXPECT_THAT(error_of([] { overlay_options("/s/l", 1000); }), HasSubstr("1000 layers"));
  for (const char* odd : {"/a,b", "/a:b", "/a\\b"})
    EXPECT_THAT(error_of([&] { overlay_options(odd, 1); }), HasSubstr("choose another data directory"));
}

TEST(StepScript, RefusesWhatNoProcessCanBeGiven) {
  StepSpec step;
  step.id.value = "s";
  EXPECT_THAT(error_of([&] { step_script(step, "/w"); }), HasSubstr("has no command"));
  step.argv = {"a", std::string("b\0c", 3)};
  EXPECT_THAT(error_of([&] { step_script(step, "/w"); }), HasSubstr("zero byte"));
  step.argv = {"a"};
  step.env = {{"A=B", "x"}};
  EXPECT_THAT(error_of([&] { step_script(step, "/w"); }), HasSubstr("'A=B'"));
  step.env = {{"A", std::string("\0", 1)}};
  EXPECT_THAT(error_of([&] { step_script(step, "/w"); }), HasSubstr("the variable 'A' has a zero byte"));
}

TEST(StepScript, IsPlainText) {
  StepSpec step;
  step.id.value = "s";
  step.argv = {"sh", "-c", "echo 'it'"};
  step.env = {{"A", "x y"}, {"b.c", "1"}, {"UID", "5"}};
  step.cwd = "/w/sub dir";
  EXPECT_EQ(step_script(step, "/w"),
            "cd -- '/w/sub dir' || exit 126\nunset OLDPWD\nexport A='x y'\n"
            "exec env UID=5 b.c=1 sh -c 'echo '\\''it'\\''' 2>&1\n");
  step.cwd = "/w";
  step.env.clear();
  EXPECT_EQ(step_script(step, "/w"), "exec sh -c 'echo '\\''it'\\''' 2>&1\n");
}

TEST(RegistryLogin, LongestRegistryOrGroupCounts) {
  const std::vector<RegistryLogin> logins = {{"r.example", "whole", ""},
                                             {"r.example/group", "group", ""},
                                             {"r.example/group/deep", "deep", ""},
                                             {"docker.io", "hub", ""},
                                             {"", "nobody", ""}};
  const std::pair<const char*, const char*> cases[] = {{"r.example/app", "whole"},
                                                       {"r.example/group/app", "group"},
                                                       {"r.example/groups/app", "whole"},
                                                       {"r.example/group/deep/x:1", "deep"},
                                                       {"busybox", "hub"},
                                                       {"r.example:5000/app", ""},
                                                       {"r.example.org/app", ""}};
  for (const auto& [image, user] : cases) {
    const RegistryLogin* login = login_for(registry::parse_reference(image), logins);
    EXPECT_EQ(login == nullptr ? "" : login->username, user) << image;
  }
}

TEST(RegistryLogin, HeaderSaysWhoItIs) {
  const auto header = [](const RegistryLogin& login) {
    std::string text = registry_auth(login);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return from_base64(text).value_or("no base64");
  };
  EXPECT_THAT(header({"r.example/group", "me", "p?>", {}}),
              testing::AllOf(HasSubstr(R"("username":"me")"), HasSubstr(R"("password":"p?>")"),
                             HasSubstr(R"("serveraddress":"r.example")")));
  EXPECT_THAT(header({"r.example", "", "", "refresh-me"}), HasSubstr(R"("identitytoken":"refresh-me")"));
}

}  // namespace
}  // namespace runner::executors
