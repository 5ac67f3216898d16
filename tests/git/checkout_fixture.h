#pragma once
// Checkouts of a repository made by the real git, to be compared with its own.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "cache/workspace.h"
#include "runner/base/clock.h"
#include "runner/git/checkout.h"
#include "tests/cache/trees.h"
#include "tests/git/git_fixture.h"

namespace runner::git::testing {

namespace fs = std::filesystem;
using cache::testing::first_difference;
using cache::testing::run_mounted;
using cache::testing::Snapshot;
using cache::testing::snapshot_of;

/// Without git's own.
inline Snapshot files_of(Snapshot all) {
  std::erase_if(all, [](const auto& entry) {
    const std::string& path = entry.first;
    return path == ".git" || path.starts_with(".git/") || path.ends_with("/.git") || path.empty();
  });
  return all;
}

/// A repository, its mirror and a store of layers.
struct CheckoutFixture : ::testing::Test, GitFixture {
  void SetUp() override {
    store = cache::LayerStore::open(top() / "layers", clock);
    init();
  }

  void fetch() {
    mirror = Mirror::open(top() / "mirrors/project.git");
    FetchRequest request;
    request.access.url = work().string();
    mirror->fetch(request);
  }

  CheckoutRequest request_of(const std::string& commit) {
    CheckoutRequest request;
    request.scope = "project";
    request.commit = commit;
    request.ref = "refs/heads/main";
    request.origin_url = work().string();
    return request;
  }

  CheckoutLayers checkout(const std::string& commit) {
    fetch();
    return checkout_layers(*mirror, request_of(commit), *store);
  }

  /// What git's own clone has at the commit.
  Snapshot cloned(const std::string& commit) const {
    const TempDir parent("clone-", top());
    const fs::path clone = parent.path() / "clone";
    run("git clone -q -n '" + work().string() + "' '" + clone.string() + "'", top());
    run("git checkout -q --detach " + commit, clone);
    return files_of(snapshot_of(clone));
  }

  static Snapshot seen(const CheckoutLayers& layers) {
    return files_of(snapshot_of(LayeredTree(layers.lowers)));
  }

  void expect_as_cloned(const std::string& commit) {
    EXPECT_EQ(first_difference(seen(checkout(commit)), cloned(commit)), "");
  }

  /// Output of a script in a workspace of these layers.
  std::string job(const CheckoutLayers& layers, const std::string& script) {
    const auto mode = cache::probe_mount_mode(top() / "probe").mode;
    const auto workspace = cache::Workspaces(mode).create(
        {top() / ("job" + std::to_string(++jobs)), layers.lowers, top() / "builds", 0});
    const std::string output = run_mounted(*workspace, [&] { return run(script, workspace->path()); });
    workspace->remove();
    return output;
  }

  SystemClock clock;
  std::unique_ptr<cache::LayerStore> store;
  std::unique_ptr<Mirror> mirror;
  int jobs = 0;
};

}  // namespace runner::git::testing
