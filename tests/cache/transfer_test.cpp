#include "cache/transfer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "cache/layer_pack.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cache/layer_trees.h"
#include "tests/cache/stores.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using namespace testing;

/// Two stores and a directory between them.
class Transfer : public ::testing::Test {
 protected:
  static EntryName named(const std::string& key, const std::string& scope = "/project") {
    return {Space::cache, scope, key};
  }

  static HeldEntry save(LayerStore& store, const EntryName& name,
                        const std::function<void(const fs::path&)>& fill, const HeldEntry& below = nullptr) {
    Draft draft = store.begin();
    fill(draft.tree());
    NewEntry entry;
    entry.name = name;
    entry.facts = {"npm-$CI", {{"package.json", "abc"}}, "job 'build'", "node_modules/\n"};
    entry.files = 7;
    entry.bytes = 99;
    if (below)
      for (const Layer& layer : below->layers) entry.below.push_back(layer.id);
    return store.commit(std::move(entry), std::move(draft));
  }

  /// An entry of two layers, the upper hiding something of the lower.
  void save_stack(LayerStore& store, const std::string& key) {
    const auto below = save(store, named(key + "-old"), [](const fs::path& tree) {
      make_sample_layer(tree);
      for (const char* mark : {"gone", ".wh.gone"}) fs::remove(tree / mark);
      remove_tree(tree / "opaque");
    });
    save(
        store, named(key),
        [](const fs::path& tree) {
          put(tree / "a" / "new.txt", "new");
          make_whiteout(tree / "a" / "file.txt");
        },
        below);
  }

  std::vector<std::string> digests(LayerStore& store, const EntryName& name) {
    std::vector<std::string> all;
    if (const auto entry = store.peek(name))
      for (const Layer& layer : entry->layers) all.push_back(layer_digest(layer.tree));
    return all;
  }

  std::unique_ptr<LayerStore> open(const char* name) { return LayerStore::open(dir_.path() / name, clock_); }
  std::unique_ptr<BlobStore> blobs() { return make_directory_blobs(out_); }

  /// The message of an import that is refused; "" when it was not.
  std::string refusal(const std::vector<std::string>& keys = {}) {
    const auto store = open("to");
    const auto before = store->list({});
    std::string why;
    try {
      const TransferReport report = import_entries(*store, *blobs(), keys, std::nullopt);
      EXPECT_LE(report.refused.size(), 1U);
      if (report.refused.empty()) return "";
      why = report.refused.front();
    } catch (const Error& error) {
      why = error.what();
    }
    EXPECT_EQ(store->list({}).size(), before.size());
    EXPECT_TRUE(store->verify(true).problems.empty());
    EXPECT_EQ(store->verify(false).layers, 0U) << "layers of a refused entry";
    return why;
  }

  fs::path only_manifest() const { return fs::directory_iterator(out_ / "entries")->path(); }
  void edit_manifest(const std::string& from, const std::string& to) {
    std::string text = *read_file(only_manifest());
    ASSERT_NE(text.find(from), std::string::npos);
    write_file_atomic(only_manifest(), replace_all(text, from, to), 0644, false);
  }

  TempDir dir_;
  fs::path out_ = dir_.path() / "blobs";
  SystemClock clock_;
};

TEST_F(Transfer, ADamagedEntryDoesNotKeepTheOthersBack) {
  const auto from = open("from"), to = open("to");
  for (const char* key : {"a", "b", "c"})
    testing::commit_tree(*from, named(key), {{"file", std::string("of ") + key}});
  export_entries(*from, {named("a"), named("b"), named("c")}, *blobs());
  const std::string layer = digests(*from, named("b")).front();
  for (const fs::directory_entry& blob : fs::directory_iterator(out_ / "layers")) {
    if (blob.path().filename().string().find(layer.substr(7)) == std::string::npos) continue;
    fs::resize_file(blob.path(), blob.file_size() / 2);
  }
  const TransferReport got = import_entries(*to, *blobs(), {}, std::nullopt);
  EXPECT_EQ(got.entries.size(), 2U);
  EXPECT_TRUE(to->peek(named("a")) && to->peek(named("c")));
  ASSERT_EQ(got.refused.size(), 1U);
  EXPECT_NE(got.refused.front().find("cannot import 'b'"), std::string::npos) << got.refused.front();
  EXPECT_FALSE(to->peek(named("b")));
  EXPECT_TRUE(to->verify(true).problems.empty());
}

TEST_F(Transfer, AnEntryComesAsItWent) {
  const auto from = open("from"), to = open("to");
  save_stack(*from, "npm");
  const auto sent = export_entries(*from, {named("npm")}, *blobs());
  EXPECT_EQ(sent.layers_moved, 2U);
  EXPECT_GT(sent.bytes, 0U);
  const auto got = import_entries(*to, *blobs(), {}, std::nullopt);
  EXPECT_EQ(got.entries, std::vector{named("npm")});
  EXPECT_EQ(got.layers_moved, 2U);
  EXPECT_EQ(got.bytes, sent.bytes);
  const auto before = from->peek(named("npm")), after = to->peek(named("npm"));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->facts.inputs, before->facts.inputs);
  EXPECT_EQ(after->facts.origin, "job 'build'");
  EXPECT_EQ(after->facts.contents, "node_modules/\n");
  EXPECT_EQ(after->files, 7U);
  EXPECT_EQ(after->bytes, 99U);
  EXPECT_EQ(after->saved_at, before->saved_at);
  EXPECT_EQ(digests(*to, named("npm")), digests(*from, named("npm")));
  EXPECT_TRUE(to->verify(true).problems.empty());
}

TEST_F(Transfer, WhatIsThereDoesNotMove) {
  const auto from = open("from"), to = open("to");
  save_stack(*from, "npm");
  export_entries(*from, {named("npm")}, *blobs());
  const auto again = export_entries(*from, {named("npm"), named("npm-old")}, *blobs());
  EXPECT_EQ(again.layers_moved, 0U);
  EXPECT_EQ(again.layers_there, 3U);
  EXPECT_EQ(again.bytes, 0U);
  import_entries(*to, *blobs(), {"npm"}, std::nullopt);
  const auto rest = import_entries(*to, *blobs(), {}, std::nullopt);
  EXPECT_EQ(rest.entries, std::vector{named("npm-old")});
  EXPECT_EQ(rest.entries_there, 1U);
  EXPECT_EQ(rest.layers_moved, 0U);
  EXPECT_EQ(rest.layers_there, 1U);
}

TEST_F(Transfer, ANewerEntryStaysAndAnOlderIsReplaced) {
  const auto from = open("from"), to = open("to");
  save(*to, named("npm"), [](const fs::path& tree) { put(tree / "f", "old"); });
  const auto newer = save(*from, named("npm"), [](const fs::path& tree) { put(tree / "f", "new"); });
  export_entries(*from, {named("npm")}, *blobs());
  NewEntry future;
  future.name = named("npm");
  future.saved_at = newer->saved_at + std::chrono::hours(1);
  Draft draft = to->begin();
  put(draft.tree() / "f", "newest");
  to->commit(future, std::move(draft));
  EXPECT_EQ(import_entries(*to, *blobs(), {}, std::nullopt).entries_there, 1U);
  EXPECT_EQ(read_file(to->peek(named("npm"))->layers[0].tree / "f"), "newest");
  to->remove(named("npm"), EvictionReason::removed, "");
  EXPECT_EQ(import_entries(*to, *blobs(), {}, std::nullopt).entries_there, 0U);
  EXPECT_EQ(read_file(to->peek(named("npm"))->layers[0].tree / "f"), "new");
}

TEST_F(Transfer, TheScopeCanBeReplaced) {
  const auto from = open("from"), to = open("to");
  save_stack(*from, "npm");
  export_entries(*from, {named("npm")}, *blobs());
  import_entries(*to, *blobs(), {}, "/elsewhere");
  EXPECT_TRUE(to->peek(named("npm", "/elsewhere")));
  EXPECT_FALSE(to->peek(named("npm")));
}

TEST_F(Transfer, AMissingKeyIsNamed) {
  const auto from = open("from");
  save_stack(*from, "npm");
  try {
    export_entries(*from, {named("nmp")}, *blobs());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_STREQ(error.what(), "cannot export 'nmp': there is no such entry");
  }
  export_entries(*from, {named("npm")}, *blobs());
  EXPECT_EQ(refusal({"nmp"}), "there is no entry 'nmp' to import");
}

TEST_F(Transfer, HostileDescriptionsAreRefusedByName) {
  save_stack(*open("from"), "npm");
  const auto digest = digests(*open("from"), named("npm"))[0];
  const struct {
    const char* name;
    std::string from, to;
    const char* message;
  } cases[] = {
      {"a path as digest", digest, "sha256:../../../../etc/passwd",
       "'sha256:../../../../etc/passwd', which is no digest"},
      {"a digest with a slash", digest.substr(7, 3), "a/b", "which is no digest"},
      {"another algorithm", "sha256:", "md5:", "which is no digest"},
      {"a layer that is not there", digest.substr(7), std::string(64, '0'), "it is missing"},
      {"no layers", "\"layers\"", "\"layer\"", "has no 'layers'"},
      {"another version", "\"version\": 1", "\"version\": 2", "of another version"},
      {"another space", "\"space\": \"cache\"", "\"space\": \"checkout\"", "is not of a cache"},
      {"no key", "\"key\": \"npm\"", "\"key\": \"\"", "has no key"},
      {"a key that is a number", "\"key\": \"npm\"", "\"key\": 1", "no text as 'key'"},
      {"a negative size", "\"bytes\": 99", "\"bytes\": -1", "no number as 'bytes'"},
      {"a size beyond numbers", "\"bytes\": 99", "\"bytes\": 18446744073709551615", "no number as 'bytes'"},
      {"no JSON", "{", "[", "is no JSON object"},
      {"facts that are a text", "\"facts\": {", "\"facts\": \"x\", \"f\": {", "has no facts"},
  };
  for (const auto& hostile : cases) {
    SCOPED_TRACE(hostile.name);
    remove_tree(out_);
    export_entries(*open("from"), {named("npm")}, *blobs());
    edit_manifest(hostile.from, hostile.to);
    const std::string message = refusal();
    EXPECT_NE(message.find(hostile.message), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("cannot import '")) << message;
  }
}

TEST_F(Transfer, TooManyLayersAreRefused) {
  save_stack(*open("from"), "npm");
  export_entries(*open("from"), {named("npm")}, *blobs());
  const auto digest = digests(*open("from"), named("npm"))[0];
  std::string many = "\"" + digest + "\"";
  for (int i = 1; i < 10'000; ++i) many += ",\"" + digest + "\"";
  edit_manifest("\"" + digest + "\"", many);
  EXPECT_NE(refusal().find("names 10001 layers, and a stack has no more than 500"), std::string::npos);
}

TEST_F(Transfer, ALowestLayerThatHidesSomethingIsRefused) {
  save_stack(*open("from"), "npm");
  export_entries(*open("from"), {named("npm")}, *blobs());
  const auto all = digests(*open("from"), named("npm"));
  edit_manifest(all[1], all[0]);
  EXPECT_NE(refusal().find("hides 'a/file.txt'"), std::string::npos) << refusal();
}

TEST_F(Transfer, ABlobThatIsNotItsDigestIsRefused) {
  save_stack(*open("from"), "npm");
  export_entries(*open("from"), {named("npm")}, *blobs());
  std::vector<fs::path> layers;
  for (const auto& entry : fs::directory_iterator(out_ / "layers")) layers.push_back(entry.path());
  ASSERT_EQ(layers.size(), 2U);
  fs::rename(layers[0], out_ / "x");
  fs::rename(layers[1], layers[0]);
  fs::rename(out_ / "x", layers[1]);
  const std::string message = refusal();
  EXPECT_NE(message.find("cannot import 'npm': layer 'sha256:"), std::string::npos) << message;
  EXPECT_NE(message.find("the layer's archive is not 'sha256:"), std::string::npos) << message;
  write_file_atomic(layers[0], "no archive", 0644, false);
  write_file_atomic(layers[1], "no archive", 0644, false);
  EXPECT_NE(refusal().find("cannot import 'npm': layer 'sha256:"), std::string::npos);
}

TEST_F(Transfer, NamesOfBlobsStayInTheirDirectory) {
  const auto store = blobs();
  put(dir_.path() / "file", "x");
  for (const std::string name :
       {"../x", "a", "a/b/c", "a/../b", "/a/b", "a/.b", "a/", "", "./a", "a/b c", "a/b\n"})
    EXPECT_THROW(store->put(name, dir_.path() / "file"), Error) << name;
  EXPECT_FALSE(fs::exists(out_));
  store->put("a/b", dir_.path() / "file");
  EXPECT_EQ(store->list("a"), std::vector<std::string>{"a/b"});
  EXPECT_TRUE(store->list("none").empty());
  EXPECT_FALSE(store->get("a/c", dir_.path() / "got"));
  EXPECT_TRUE(store->get("a/b", dir_.path() / "got"));
  EXPECT_EQ(read_file(dir_.path() / "got"), "x");
}

#ifdef RUNNER_FAILPOINTS
/// Runs `body` in a child that is killed the `nth` time any failpoint is reached. False when it came through.
bool killed_at(int nth, const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    set_failpoint_handler([nth, count = 0](std::string_view) mutable {
      if (++count == nth) ::raise(SIGKILL);
    });
    try {
      body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status);
}

/// Every file that has its final name is whole: each layer has its digest.
void expect_whole_blobs(const fs::path& out) {
  if (!fs::exists(out / "layers")) return;
  for (const auto& entry : fs::directory_iterator(out / "layers")) {
    const std::string name = entry.path().filename();
    if (name.front() == '.') continue;
    const TempDir tree;
    EXPECT_NO_THROW(
        read_packed_layer(entry.path(), "sha256:" + name.substr(7, 64), tree.path(), UnpackLimits{}))
        << name;
  }
}

TEST_F(Transfer, KilledAnywhereAnExportLeavesNothingHalfDone) {
  save_stack(*open("from"), "npm");
  int points = 0;
  for (bool killed = true; killed; ++points) {
    remove_tree(out_);
    killed = killed_at(points + 1, [&] { export_entries(*open("from"), {named("npm")}, *blobs()); });
    expect_whole_blobs(out_);
    const auto to = open(("to" + std::to_string(points)).c_str());
    const auto got = import_entries(*to, *blobs(), {}, std::nullopt);
    EXPECT_TRUE(to->verify(true).problems.empty()) << points;
    if (!got.entries.empty()) {
      EXPECT_EQ(digests(*to, named("npm")), digests(*open("from"), named("npm")));
    }
    const auto from = open("from");
    from->recover();
    EXPECT_TRUE(from->verify(true).problems.empty()) << points;
  }
  EXPECT_GT(points, 10);
}

TEST_F(Transfer, KilledAnywhereAnImportLeavesAStoreThatVerifies) {
  save_stack(*open("from"), "npm");
  export_entries(*open("from"), {named("npm")}, *blobs());
  const auto expected = digests(*open("from"), named("npm"));
  int points = 0;
  for (bool killed = true; killed; ++points) {
    remove_tree(dir_.path() / "to");
    killed = killed_at(points + 1, [&] { import_entries(*open("to"), *blobs(), {}, std::nullopt); });
    const auto to = open("to");
    to->recover();
    const auto report = to->verify(true);
    EXPECT_TRUE(report.problems.empty()) << points << ": " << report.problems.front().what;
    const auto now = digests(*to, named("npm"));
    EXPECT_TRUE(now.empty() || now == expected) << points;
    to->collect({});
    EXPECT_EQ(to->verify(false).layers, now.size()) << points;
    EXPECT_EQ(import_entries(*to, *blobs(), {}, std::nullopt).entries.size(), now.empty() ? 1U : 0U);
    EXPECT_EQ(digests(*to, named("npm")), expected);
  }
  EXPECT_GT(points, 15);
}
#endif

}  // namespace
}  // namespace runner::cache
