// Times of caches, artifacts and archives as the engine makes them, through the library, as one JSON object.
// Driven by layers_bench.py, which makes the trees and runs the alternatives. Needs root: workspaces are
// really mounted.
//
//   runner_layers_bench workspace STORE MIRROR TREE COMMIT...    the first two commits only warm up
//   runner_layers_bench cache STORE TREE RUNS       TREE holds cache/, which is saved first
//   runner_layers_bench artifact STORE TREE RUNS    TREE holds out/, which each run copies and takes
//   runner_layers_bench archive OUT TREE zip|tar_zst LEVEL RUNS

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iterator>
#include <span>
#include <thread>

#include "artifacts/artifacts.h"
#include "cache/caches.h"
#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/json_writer.h"
#include "runner/git/checkout.h"

namespace runner {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScope = "bench";
constexpr std::size_t kChanged = 100;

double timed(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::string joined(const std::vector<fs::path>& paths) {
  std::vector<std::string> texts;
  texts.reserve(paths.size());
  for (const fs::path& path : paths) texts.push_back(path.string());
  return join(texts, ":");
}

/// A workspace as a job sees it, until it goes.
class Mounted {
 public:
  Mounted(const cache::Workspaces& workspaces, const fs::path& directory, std::vector<fs::path> lowers)
      : lowers_(std::move(lowers)) {
    cache::WorkspaceSpec spec;
    spec.directory = directory / "workspace";
    spec.target = directory / "project";
    spec.lowers = lowers_;
    workspace_ = workspaces.create(spec);
    const cache::OverlayPlan plan = workspace_->overlay().value();
    target_ = plan.target;
    fs::create_directories(target_);
    const std::string options = "userxattr,index=off,volatile,lowerdir=" + joined(plan.lowers) +
                                ",upperdir=" + plan.upper.string() + ",workdir=" + plan.work.string();
    if (::mount("overlay", target_.c_str(), "overlay", 0, options.c_str()) != 0) {
      throw_errno("cannot mount the workspace");
    }
  }
  ~Mounted() { end(); }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  const fs::path& target() const { return target_; }
  void end() {
    if (!target_.empty()) ::umount2(target_.c_str(), MNT_DETACH);
    target_.clear();
  }
  cache::CacheSource source() const { return {workspace_->upper(), lowers_, true}; }
  void remove() {
    end();
    workspace_->remove();
  }

 private:
  std::vector<fs::path> lowers_;
  std::unique_ptr<cache::Workspace> workspace_;
  fs::path target_;
};

class Bench {
 public:
  explicit Bench(const fs::path& root)
      : root_(root),
        store_(cache::LayerStore::open(root / "layers", clock_)),
        caches_(*store_),
        workspaces_(cache::MountMode::overlay_root) {
    fs::create_directories(root / "empty");
    // Mounts end with this process, and nobody else sees them.
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      throw_errno("cannot have mounts of its own");
    }
  }

  void workspace(const fs::path& mirror, const fs::path& tree, std::span<const std::string> commits);
  void cache(const fs::path& tree, int runs);
  void artifact(const fs::path& tree, int runs);
  void print();

 private:
  using Results = std::vector<std::pair<std::string, std::vector<double>>>;

  fs::path next_directory() {
    const fs::path directory = root_ / "work" / std::to_string(++directories_);
    fs::create_directories(directory);
    return directory;
  }
  void note(const std::string& name, double milliseconds) {
    for (auto& [known, values] : results_) {
      if (known == name) return values.push_back(milliseconds);
    }
    results_.push_back({name, {milliseconds}});
  }
  cache::SavedCache save(const Mounted& job, const cache::HeldEntry& hit) {
    return caches_.save(kScope, key_, facts_, job.source(), content(), hit);
  }
  static cache::CacheContent content() {
    cache::CacheContent content;
    content.paths = {"cache/"};
    return content;
  }
  std::unique_ptr<Mounted> start_job(cache::HeldEntry& hit);

  const SystemClock clock_;
  const fs::path root_;
  std::unique_ptr<cache::LayerStore> store_;
  cache::Caches caches_;
  cache::Workspaces workspaces_;
  const std::string key_ = "bench-non_protected";
  cache::EntryFacts facts_{"text:bench", {}, "the benchmark", "cache/"};
  int directories_ = 0;
  Results results_;
};

void require(bool condition, const char* what) {
  if (!condition) throw Error(ErrorCode::internal, what);
}

std::unique_ptr<Mounted> Bench::start_job(cache::HeldEntry& hit) {
  const std::vector<std::string> keys{key_};
  hit = caches_.find(kScope, keys, facts_).hit;
  require(hit != nullptr, "the cache was not found");
  const std::vector<fs::path> under{root_ / "empty"};
  std::vector<fs::path> lowers = cache::workspace_layers(*store_, hit, under);
  lowers.push_back(under.front());
  return std::make_unique<Mounted>(workspaces_, next_directory(), lowers);
}

/// One of each directory of cache/, so many as are to be changed.
std::vector<fs::path> first_files(const fs::path& tree) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& directory : fs::directory_iterator(tree / "cache")) {
    if (files.size() == kChanged) break;
    files.push_back(fs::relative(fs::directory_iterator(directory)->path(), tree));
  }
  require(files.size() == kChanged, "the tree has too few directories");
  return files;
}

void Bench::cache(const fs::path& tree, int runs) {
  const cache::CacheSource first{tree, {}, true};
  const cache::SavedCache saved = caches_.save(kScope, key_, facts_, first, content(), nullptr);
  require(saved.result == cache::SavedCache::Result::saved, "the first save saved nothing");
  cache::HeldEntry base;
  for (int run = 0; run < runs; ++run) {
    cache::HeldEntry hit;
    std::unique_ptr<Mounted> job;
    note("lookup_and_mount", timed([&] { job = start_job(hit); }));
    job->end();
    cache::SavedCache result;
    note("save_unchanged", timed([&] { result = save(*job, hit); }));
    require(result.result == cache::SavedCache::Result::up_to_date, "a save without a change wrote");
    job->remove();
    if (!base) base = hit;
  }
  const std::vector<fs::path> files = first_files(base->layers.front().tree);
  for (int run = 0; run < runs; ++run) {
    std::vector<fs::path> lowers;
    for (const cache::Layer& layer : base->layers) lowers.push_back(layer.tree);
    lowers.push_back(root_ / "empty");
    Mounted job(workspaces_, next_directory(), lowers);
    for (std::size_t i = 0; i < kChanged; ++i) {
      write_file_atomic(job.target() / files[i], "changed in run " + std::to_string(run), 0644, false);
    }
    job.end();
    cache::SavedCache result;
    note("save_100_changed", timed([&] { result = save(job, base); }));
    require(result.changed == kChanged, "not all changes were saved");
    job.remove();
  }
}

void Bench::workspace(const fs::path& mirror, const fs::path& tree, std::span<const std::string> commits) {
  caches_.save(kScope, key_, facts_, {tree, {}, true}, content(), nullptr);
  const auto origin = git::Mirror::open(mirror);
  const std::vector<std::string> keys{key_};
  for (std::size_t i = 0; i < commits.size(); ++i) {
    git::CheckoutRequest request;
    request.scope = kScope;
    request.commit = commits[i];
    request.ref = "refs/heads/main";
    std::unique_ptr<Mounted> job;
    const double time = timed([&] {
      const git::CheckoutLayers sources = git::checkout_layers(*origin, request, *store_);
      cache::HeldEntry hit = caches_.find(kScope, keys, facts_).hit;
      require(hit != nullptr, "the cache was not found");
      std::vector<fs::path> lowers = cache::workspace_layers(*store_, hit, sources.lowers);
      lowers.insert(lowers.end(), sources.lowers.begin(), sources.lowers.end());
      job = std::make_unique<Mounted>(workspaces_, next_directory(), lowers);
    });
    require(fs::exists(job->target() / ".git/HEAD") && fs::exists(job->target() / "src") &&
                fs::exists(job->target() / "cache"),
            "the workspace lacks something");
    note(i == 0 ? "first_commit" : i == 1 ? "warm_up" : "new_commit", time);
    job->remove();
    // The kernel writes 50,000 files to the disk for a minute; a machine that has them does not.
    if (i == 0) ::sync();
  }
}

void Bench::artifact(const fs::path& tree, int runs) {
  for (int run = 0; run < runs; ++run) {
    Mounted job(workspaces_, next_directory(), {root_ / "empty"});
    fs::copy(tree / "out", job.target() / "out", fs::copy_options::recursive);
    job.end();
    artifacts::TakeRequest request;
    request.layers = {job.source().upper, root_ / "empty"};
    request.paths = {"out/"};
    request.may_move = true;
    const cache::EntryName name{cache::Space::artifact, kScope, "job " + std::to_string(run)};
    artifacts::Taken taken;
    double total = timed([&] {
      cache::Draft draft = store_->begin();
      taken = artifacts::take_layer(request, draft.tree());
      draft.content = cache::Draft::Content{taken.stats.files, taken.stats.bytes, taken.stats.disk, {}};
      cache::NewEntry entry;
      entry.name = name;
      entry.facts = facts_;
      entry.files = taken.stats.files;
      entry.bytes = taken.stats.bytes;
      store_->commit(entry, std::move(draft));
    });
    note("take", total);
    // The archive is written meanwhile, as it is after a job.
    const cache::HeldEntry held = store_->peek(name);
    require(held != nullptr && held->files == taken.stats.files, "the artifact is not there");
    std::atomic<bool> written{false};
    double archive = 0;
    std::thread writer([&] {
      archive = timed([&] {
        artifacts::write_archive(held->layers.front().tree, root_ / "archives",
                                 artifacts::ArchiveFormat::zip);
      });
      written = true;
    });
    std::unique_ptr<Mounted> next;
    const double start = timed([&] {
      const cache::HeldEntry found = store_->find(name);
      next = std::make_unique<Mounted>(workspaces_, next_directory(),
                                       std::vector<fs::path>{found->layers.front().tree, root_ / "empty"});
    });
    const bool early = !written;
    writer.join();
    require(early, "the archive was there before the next job");
    note("next_job", start);
    note("available", total + start);
    note("archive", archive);
    next->remove();
    job.remove();
  }
}

void Bench::print() {
  cli::JsonWriter json([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  json.begin_object();
  for (const auto& [name, values] : results_) {
    json.key(name).begin_array();
    for (const double value : values) json.value(value);
    json.end_array();
  }
  json.end_object().flush();
}

void archive(const fs::path& out, const fs::path& tree, std::string_view format, int level, int runs) {
  const auto kind = format == "zip" ? artifacts::ArchiveFormat::zip : artifacts::ArchiveFormat::tar_zst;
  std::string times;
  std::uint64_t bytes = 0;
  for (int run = 0; run < runs; ++run) {
    const fs::path root = out / std::to_string(run);
    fs::create_directories(root);
    const double time = timed([&] { bytes = artifacts::write_archive(tree, root, kind, level).bytes; });
    times += (run == 0 ? "" : ", ") + std::to_string(time);
    remove_tree(root);
  }
  std::printf("{\"time\": [%s], \"bytes\": %llu}\n", times.c_str(), static_cast<unsigned long long>(bytes));
}

int run(const std::vector<std::string>& words) {
  const auto count = [&](std::size_t at) {
    const auto number = parse_integer(words.at(at));
    require(number.has_value() && *number > 0, "the number of runs is none");
    return static_cast<int>(*number);
  };
  if (words.size() == 6 && words[0] == "archive") {
    archive(words[1], words[2], words[3], count(4), count(5));
    return 0;
  }
  if (words.size() > 6 && words[0] == "workspace") {
    Bench bench(words[1]);
    bench.workspace(words[2], words[3], std::span(words).subspan(4));
    bench.print();
    return 0;
  }
  require(words.size() == 4 && (words[0] == "cache" || words[0] == "artifact"), "wrong arguments");
  Bench bench(words[1]);
  if (words[0] == "cache") {
    bench.cache(words[2], count(3));
  } else {
    bench.artifact(words[2], count(3));
  }
  bench.print();
  return 0;
}

}  // namespace
}  // namespace runner

int main(int argc, char** argv) {
  try {
    return runner::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "runner_layers_bench: %s\n", error.what());
    return 1;
  }
}
