// What a job deploys, out of its workspace.
#include "deployments/job/deploy_release.h"

#include <gmock/gmock.h>

#include "deployments/job/deploy_image.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

using testing::HasSubstr;

class ReleaseTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    make_directories((top_.path() / "work" / name).parent_path());
    write_file_atomic(top_.path() / "work" / name, text, 0644, false);
  }
  Release make(const pipelines::ReleaseSource& source) {
    return make_release(source, {top_.path() / "work", top_.path() / "rendered", variables_, sha_});
  }
  std::string refusal(const pipelines::ReleaseSource& source) {
    try {
      make(source);
    } catch (const Error& error) {
      return error.what();
    }
    return "it was taken";
  }

  TempDir top_;
  std::map<std::string, std::string> variables_{{"NAME", "shop"}, {"EMPTY", ""}};
  std::string sha_ = "c0ffee";
};

TEST_F(ReleaseTest, TheSameBytesAreTheSameReleaseWhereverTheyLie) {
  write("dist/a.tar", "bytes");
  write("b.tar", "bytes");
  write("c.tar", "others");
  const Release first = make({.image = {}, .artifact = "dist/a.tar", .config = {}});
  EXPECT_EQ(first.id.size(), 32U);
  EXPECT_EQ(first.artifact->sha256, "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9");
  sha_ = "another commit";
  EXPECT_EQ(make({.image = {}, .artifact = "b.tar", .config = {}}).id, first.id);
  EXPECT_NE(make({.image = {}, .artifact = "c.tar", .config = {}}).id, first.id);
}

TEST_F(ReleaseTest, WithoutAnyFileItIsTheCommit) {
  const std::string one = make({}).id;
  EXPECT_EQ(make({}).id, one);
  sha_ = "another commit";
  EXPECT_NE(make({}).id, one);
}

TEST_F(ReleaseTest, TemplatesAreFilledInAndBelongToTheRelease) {
  write("deploy/prod.env.tmpl", "name=${NAME}\nempty=${EMPTY}.\nhome=$HOME ${NO-NAME} ${\n");
  write("plain.conf", "${NAME}\n");
  const pipelines::ReleaseSource source{
      .image = {}, .artifact = {}, .config = {"deploy/prod.env.tmpl", "plain.conf"}};
  const Release release = make(source);
  ASSERT_EQ(release.config.size(), 2U);
  EXPECT_EQ(release.config[0].path, "prod.env");
  EXPECT_EQ(read_file(release.config[0].local), "name=shop\nempty=.\nhome=$HOME ${NO-NAME} ${\n");
  EXPECT_EQ(release.config[1].path, "plain.conf");
  EXPECT_EQ(read_file(release.config[1].local), "${NAME}\n");
  variables_["NAME"] = "other";
  EXPECT_NE(make(source).id, release.id);
}

TEST_F(ReleaseTest, AnImageIsNamedByItsDigest) {
  const std::string digest(64, 'a');
  EXPECT_EQ(make({.image = "r.example/shop@sha256:" + digest, .artifact = {}, .config = {}}).image,
            "r.example/shop@sha256:" + digest);
  for (const std::string& image : {std::string("shop:1"), "shop@sha256:" + digest.substr(1),
                                   "shop@sha256:" + std::string(64, 'A'), "@sha256:" + digest})
    EXPECT_THAT(refusal({.image = image, .artifact = {}, .config = {}}), HasSubstr("has no digest")) << image;
}

TEST_F(ReleaseTest, RefusesWhatIsNotThereOrNotOurs) {
  write("a/x.env", "1");
  write("b/x.env", "2");
  write("t.tmpl", "1\n2 ${MISSING}\n");
  std::filesystem::create_symlink("/etc/passwd", top_.path() / "work" / "link");
  const auto config = [this](std::vector<std::string> names) {
    return refusal({.image = {}, .artifact = {}, .config = std::move(names)});
  };
  EXPECT_THAT(
      refusal({.image = {}, .artifact = "none.tar", .config = {}}),
      HasSubstr("there is no file 'none.tar' in the workspace; is it an artifact of a job in `needs`?"));
  EXPECT_THAT(refusal({.image = {}, .artifact = "../../etc/passwd", .config = {}}),
              HasSubstr("'../../etc/passwd'"));
  EXPECT_THAT(config({"link"}), HasSubstr("'link' is outside of the workspace"));
  EXPECT_THAT(config({"/etc/passwd"}), HasSubstr("is outside of the workspace"));
  EXPECT_THAT(config({"a"}), HasSubstr("there is no file 'a'"));
  EXPECT_THAT(config({"a/x.env", "b/x.env"}), HasSubstr("there are two files 'x.env'"));
  EXPECT_THAT(config({"t.tmpl"}), HasSubstr("t.tmpl:2: the job has no variable 'MISSING'"));
}

TEST(ImageOfPlan, IsWhatTheTagNamedWhenItBegan) {
  EXPECT_EQ(image_of_plan(R"({"attempt": 7, "image": "r.example/shop@sha256:ab", "rollback_to": 3})"),
            "r.example/shop@sha256:ab");
  for (const char* none : {"", "{}", "[]", R"({"attempt": 7})", R"({"image": 7})"})
    EXPECT_EQ(image_of_plan(none), "") << none;
}

}  // namespace
}  // namespace runner::deployments
