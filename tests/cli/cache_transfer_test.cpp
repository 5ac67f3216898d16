// `runner cache export` and `import`, through the program.

#include <gtest/gtest.h>

#include "cache/layer_store.h"
#include "runner/base/clock.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPipeline = "job: {script: [echo hello]}\n";

std::unique_ptr<cache::LayerStore> open_store(const fs::path& data, const Clock& clock) {
  return cache::LayerStore::open(data / "layers", clock);
}

/// A cache as a job of the project would have saved it.
void save(const Sandboxed& sandbox, const std::string& key) {
  const SystemClock clock;
  const auto store = open_store(sandbox.data(), clock);
  cache::Draft draft = store->begin();
  fs::create_directory(draft.tree() / "lib");
  write_file_atomic(draft.tree() / "lib" / "file", "content of " + key, 0644, false);
  cache::NewEntry entry;
  entry.name = {cache::Space::cache, fs::canonical(sandbox.project()).native(), key};
  store->commit(std::move(entry), std::move(draft));
}

TEST(CacheTransfer, WhatOneMachineExportsAnotherImportsAsItsOwn) {
  const Sandboxed one(kPipeline), other(kPipeline);
  save(one, "npm");
  save(one, "pip");
  const TempDir out;
  const Ended sent = one.run({"cache", "export", "--to", out.path().native()});
  EXPECT_EQ(sent.code, 0) << sent.err;
  EXPECT_NE(sent.out.find("exported 'npm'\nexported 'pip'\n2 layers moved, "), std::string::npos) << sent.out;
  const Ended again = one.run({"cache", "export", "--to", out.path().native(), "npm"});
  EXPECT_NE(again.out.find("0 layers moved, 0 B packed; 1 there already"), std::string::npos) << again.out;
  const Ended got = other.run({"cache", "import", "--from", out.path().native(), "npm"});
  EXPECT_EQ(got.code, 0) << got.err;
  EXPECT_NE(got.out.find("imported 'npm'\n1 layer moved, "), std::string::npos) << got.out;
  const SystemClock clock;
  const auto store = open_store(other.data(), clock);
  const auto entry = store->find({cache::Space::cache, fs::canonical(other.project()).native(), "npm"});
  ASSERT_TRUE(entry);
  EXPECT_EQ(read_file(entry->layers[0].tree / "lib" / "file"), "content of npm");
  EXPECT_EQ(store->list({}).size(), 1U);
  const Ended json =
      other.run({"cache", "import", "--from", out.path().native(), "--json", "--scope", "else"});
  EXPECT_NE(json.out.find("\"key\":\"pip\""), std::string::npos) << json.out;
  EXPECT_TRUE(store->peek({cache::Space::cache, "else", "pip"}));
}

TEST(CacheTransfer, UnknownKeysAreNamed) {
  const Sandboxed one(kPipeline);
  save(one, "npm");
  const Ended wrong = one.run({"cache", "export", "nmp"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("there is no cache 'nmp'"), std::string::npos) << wrong.err;
  EXPECT_NE(wrong.err.find("did you mean 'npm'?"), std::string::npos) << wrong.err;
  EXPECT_FALSE(fs::exists(one.project() / "runner-cache"));
  EXPECT_EQ(one.run({"cache", "export"}).code, 0);
  const Ended missing = one.run({"cache", "import", "nmp"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_NE(missing.err.find("there is no entry 'nmp' to import"), std::string::npos) << missing.err;
}

TEST(CacheTransfer, DamagedLayersAreRefusedByName) {
  const Sandboxed one(kPipeline), other(kPipeline);
  save(one, "npm");
  const TempDir out;
  ASSERT_EQ(one.run({"cache", "export", "--to", out.path().native()}).code, 0);
  write_file_atomic(fs::directory_iterator(out.path() / "layers")->path(), "no layer", 0644, false);
  const Ended got = other.run({"cache", "import", "--from", out.path().native()});
  EXPECT_EQ(got.code, 1);
  EXPECT_NE(got.err.find("cannot import 'npm': layer 'sha256:"), std::string::npos) << got.err;
  const SystemClock clock;
  EXPECT_TRUE(open_store(other.data(), clock)->list({}).empty());
}

}  // namespace
}  // namespace runner::cli
