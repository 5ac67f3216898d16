// What a poll of a repository of this machine costs.

#include <benchmark/benchmark.h>

#include <string>

#include "runner/base/files.h"
#include "runner/git/remote.h"

namespace {

/// With its refs in one file, as a server packs them.
void list_local_refs(benchmark::State& state) {
  const runner::TempDir top("refs-bench-");
  for (const char* directory : {"objects", "refs/heads", "refs/tags"})
    runner::make_directories(top.path() / directory);
  runner::write_file_atomic(top.path() / "HEAD", "ref: refs/heads/main\n", 0644, false);
  std::string packed = "# pack-refs with: peeled fully-peeled sorted \n";
  for (int i = 0; i < state.range(0); ++i)
    packed += std::string(40, 'a') + " refs/heads/b" + std::to_string(100'000 + i) + "\n";
  runner::write_file_atomic(top.path() / "packed-refs", packed, 0644, false);
  runner::git::RemoteAccess access;
  access.url = top.path().string();
  for (auto _ : state) benchmark::DoNotOptimize(runner::git::list_refs(access, {}));
}
BENCHMARK(list_local_refs)->ArgName("refs")->Args({1})->Args({1000});

}  // namespace
