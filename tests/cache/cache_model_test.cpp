// Random jobs whose caches are saved and restored, in all mount modes, against plain directories that are
// copied whole each time.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "cache/caches.h"
#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using testing::first_difference;
using testing::run_mounted;
using testing::Snapshot;

constexpr off_t kSparse = 400'000;

struct stat look(const fs::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) throw_errno("lstat " + path.string());
  return info;
}

std::string describe(const fs::path& path) {
  const struct stat info = look(path);
  const std::string mode = std::to_string(info.st_mode & 07777U);
  if (S_ISDIR(info.st_mode)) return "directory " + mode;
  const std::string time =
      " at " + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
  if (S_ISLNK(info.st_mode)) return "link " + fs::read_symlink(path).string() + time;
  if (!S_ISREG(info.st_mode)) return "special " + std::to_string(info.st_mode) + time;
  if (info.st_size < kSparse)
    return "file " + mode + " '" + read_file(path).value_or("unreadable") + "'" + time;
  const bool sparse = info.st_blocks * 512 < kSparse / 4;
  return "file " + mode + (sparse ? " sparse " : " with its holes filled ") + std::to_string(info.st_size) +
         " ..." + read_file(path).value_or("").substr(static_cast<std::size_t>(kSparse)) + time;
}

Snapshot snapshot(const LayeredTree& tree) {
  Snapshot all;
  tree.walk(
      "", [&](const TreeEntry& entry) { all.emplace(entry.path, describe(entry.real)); },
      [](const TreeEntry&) { return true; });
  return all;
}
Snapshot snapshot(const fs::path& directory) {
  Snapshot all;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory))
    all.emplace(entry.path().lexically_relative(directory).string(), describe(entry.path()));
  return all;
}

/// Path -> another path of the same file.
std::map<std::string, std::string> same_files(const LayeredTree& tree) {
  std::map<std::pair<dev_t, ino_t>, std::string> first;
  std::map<std::string, std::string> all;
  tree.walk(
      "",
      [&](const TreeEntry& entry) {
        if (entry.type == EntryType::directory) return;
        const struct stat info = look(entry.real);
        const auto [known, is_new] = first.try_emplace({info.st_dev, info.st_ino}, entry.path);
        if (!is_new) all.emplace(entry.path, known->second);
      },
      [](const TreeEntry&) { return true; });
  return all;
}

// --- plain directories
// ----------------------------------------------------------------------------------------

/// Copies over what is there, as unpacking an archive does.
class PlainCopy {
 public:
  PlainCopy(fs::path to, bool keep_links) : to_(std::move(to)), keep_links_(keep_links) {
    make_directories(to_);
  }

  void all_of(const fs::path& from) {
    const LayeredTree tree({from});
    tree.walk(
        "", [&](const TreeEntry& entry) { one(entry); }, [](const TreeEntry&) { return true; });
  }
  void one(const TreeEntry& entry) {
    const fs::path to = to_ / entry.path;
    const struct stat info = look(entry.real);
    struct stat there {};
    const bool exists = ::lstat(to.c_str(), &there) == 0;
    if (S_ISDIR(info.st_mode)) {
      if (exists && !S_ISDIR(there.st_mode)) fs::remove(to);
      make_directories(to);
      check(::chmod(to.c_str(), info.st_mode & 07777U));
      return;
    }
    if (exists) fs::remove_all(to);
    if (S_ISLNK(info.st_mode)) {
      fs::create_symlink(fs::read_symlink(entry.real), to);
    } else {
      const auto [known, is_new] = links_.try_emplace({info.st_dev, info.st_ino}, to);
      if (!is_new && keep_links_) return fs::create_hard_link(known->second, to);
      const std::string content = read_file(entry.real).value_or("");
      const UniqueFd file(::open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
      const std::size_t hole = std::min(content.size(), info.st_size >= kSparse ? std::size_t{kSparse} : 0);
      check(::ftruncate(file.get(), static_cast<off_t>(hole)));
      ::lseek(file.get(), 0, SEEK_END);
      write_all(file.get(), std::string_view(content).substr(hole));
      check(::fchmod(file.get(), info.st_mode & 07777U));
    }
    const timespec times[2] = {info.st_mtim, info.st_mtim};
    check(::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW));
  }
  /// What the patterns select, and the directories above.
  void selected(const fs::path& from, const std::vector<std::string>& patterns) {
    const LayeredTree tree({from});
    for (const TreeEntry& entry : select_paths(tree, patterns, {}, "/nowhere").entries) {
      for (auto slash = entry.path.find('/'); slash != std::string::npos;
           slash = entry.path.find('/', slash + 1))
        one(*tree.find(entry.path.substr(0, slash)));
      one(entry);
    }
  }

 private:
  static void check(int result) {
    if (result != 0) throw_errno("copy of the model");
  }
  fs::path to_;
  bool keep_links_;
  std::map<std::pair<dev_t, ino_t>, fs::path> links_;
};

// --- jobs
// -----------------------------------------------------------------------------------------------------

/// Random steps, each done in the workspace (the working directory) and in a plain directory.
class Job {
 public:
  Job(std::mt19937& random, fs::path model, int& clock)
      : random_(random), model_(std::move(model)), clock_(clock) {}

  /// What went differently, empty when nothing.
  std::string step() {
    const std::string path = pick(), other = pick();
    const auto act = [&](const fs::path& top) { return do_one(kind_, top / path, top / other); };
    kind_ = static_cast<int>(random_() % 14);
    if (kind_ == 9 && !may_chmod(path)) return {};
    ++clock_;
    const int here = act(".");
    if (here == EXDEV) return {};  // directories of lower layers cannot be renamed: tools copy then
    const int there = act(model_);
    if ((here == 0) == (there == 0)) return {};
    return "step " + std::to_string(kind_) + " on '" + path + "', '" + other + "': " + std::strerror(here) +
           " / " + std::strerror(there);
  }

 private:
  static int result(int code) { return code == 0 ? 0 : errno; }

  int do_one(int kind, const fs::path& path, const fs::path& other) const {
    switch (kind) {
      case 0:
      case 1:
        return write(path, O_TRUNC);
      case 2:
        return write(path, O_APPEND);
      case 3:
        return result(::mkdir(path.c_str(), 0755));
      case 4:
        return result(::unlink(path.c_str()));
      case 5:
        return remove_all(path);
      case 6:
        return result(::rename(path.c_str(), other.c_str()));
      case 7: {
        const int made = result(::symlink("../nowhere\n", path.c_str()));
        return made != 0 ? made : set_time(path);
      }
      case 8:
        return is_directory(path) ? EISDIR : result(::link(path.c_str(), other.c_str()));
      case 9:
        if (is_link(path)) return EPERM;
        return result(::chmod(path.c_str(), clock_ % 2 == 0 ? 0711 : 0755));
      case 10:  // a directory becomes a file
        remove_all(path);
        return write(path, 0);
      case 11:  // a file becomes a directory
        remove_all(path);
        if (::mkdir(path.c_str(), 0755) != 0) return errno;
        return write(path / "inside.o", 0);
      case 12:
        return write_sparse(path);
      default: {
        std::error_code error;
        fs::create_directories(path / "d/e/e/p/ü", error);
        return error ? error.value() : write(path / "d/e/e/p/ü/x.o", 0);
      }
    }
  }

  static bool is_directory(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  }
  static bool is_link(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
  }
  static int remove_all(const fs::path& path) {
    std::error_code error;
    fs::remove_all(path, error);
    return 0;
  }
  /// Both trees get the same times, which the wall clock would not give them.
  int set_time(const fs::path& path) const {
    const timespec times[2] = {{clock_, 1}, {1'600'000'000 + clock_, 123'456'000 + clock_}};
    return result(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW));
  }
  int write(const fs::path& path, int flags) const {
    if (is_link(path)) return ELOOP;
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644));
    if (!file) return errno;
    write_all(file.get(), "content " + std::to_string(clock_) + "\n");
    return set_time(path);
  }
  int write_sparse(const fs::path& path) const {
    if (is_link(path)) return ELOOP;
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return errno;
    if (::ftruncate(file.get(), kSparse) != 0 || ::lseek(file.get(), 0, SEEK_END) < 0) return errno;
    write_all(file.get(), "end " + std::to_string(clock_));
    return set_time(path);
  }

  /// Directories that are not taken themselves look in a cache as they did when something in them was saved.
  static bool may_chmod(const std::string& path) {
    return path.starts_with("one/") && std::count(path.begin(), path.end(), '/') >= 2;
  }
  std::string pick() {
    static constexpr const char* kNames[] = {"a", "b.o", "c d", "sub", "\xff\n*.o", "tracked"};
    std::string path = random_() % 3 == 0 ? "two" : random_() % 8 == 0 ? "src" : "one";
    for (auto depth = random_() % 4; depth > 0; --depth) path += std::string("/") + kNames[random_() % 6];
    return path;
  }

  std::mt19937& random_;
  fs::path model_;
  int& clock_;
  int kind_ = 0;
};

// --- pipelines
// ------------------------------------------------------------------------------------------------

struct OneCache {
  const char* name;
  std::vector<std::vector<std::string>> patterns;  // the first is the usual one
};

const OneCache kCaches[] = {
    {"first", {{"one"}, {"one", "two/sub"}, {"one/**/*"}}},
    {"second", {{"two/**/*.o", "one/sub/"}, {"two/**/*.o"}}},
};

class Pipelines {
 public:
  Pipelines(MountMode mode, unsigned seed, fs::path place)
      : mode_(mode),
        random_(seed),
        place_(std::move(place)),
        store_(LayerStore::open(place_ / "layers", clock_)) {}

  std::string run(int jobs, int steps) {
    for (int job = 0; job < jobs; ++job) {
      std::string said = one_job(job, steps);
      if (said.empty()) said = between();
      if (!said.empty()) return "job " + std::to_string(job) + ": " + said;
    }
    const VerifyReport report = store_->verify(true);
    return report.problems.empty() ? "" : report.problems[0].path.string() + ": " + report.problems[0].what;
  }

 private:
  struct Use {
    std::string key;
    std::vector<std::string> patterns;
    EntryFacts facts;
    HeldEntry hit;
  };
  bool one_in(unsigned n) { return random_() % n == 0; }
  fs::path model_of(const std::string& key) const { return place_ / "model" / key; }

  std::string one_job(int number, int steps) {
    if (number == 0 || one_in(3)) make_checkout(number);
    const fs::path model = place_ / ("plain-" + std::to_string(number));
    PlainCopy(model, false).all_of(checkout_);
    std::vector<fs::path> lowers{checkout_};
    std::vector<Use> uses;
    for (const OneCache& cache : kCaches) uses.push_back(restore(cache, lowers, model));
    const std::string id = "job-" + std::to_string(number);
    const auto workspace = Workspaces(mode_).create({place_ / id, lowers, place_ / "seen"});
    std::string said = run_mounted(*workspace, [&] { return work(model, steps); });
    clock_ticks_ += steps;
    random_.discard(100'000);  // the child's draws are its own
    if (said.empty()) said = save(*workspace, uses, model);
    workspace->remove();
    remove_tree(model);
    return said;
  }

  std::string work(const fs::path& model, int steps) {
    ::umask(022);
    const std::string restored = first_difference(snapshot(fs::path(".")), snapshot(model));
    if (!restored.empty()) return "restored / model: " + restored;
    Job job(random_, model, clock_ticks_);
    if (one_in(8)) steps = 0;
    for (int step = 0; step < steps; ++step) {
      const std::string said = job.step();
      if (!said.empty()) return said;
    }
    const std::string after = first_difference(snapshot(fs::path(".")), snapshot(model));
    return after.empty() ? "" : "after the job: " + after;
  }

  void make_checkout(int number) {
    checkout_ = place_ / ("checkout-" + std::to_string(number));
    make_directories(checkout_);
    for (const char* path : {"src/main.c", "one/tracked/a", "one/tracked/b.o", "two/tracked/x.o",
                             "one/sub/c d", "one/a", "two/sub/b.o", "src/one/two"}) {
      if (!one_in(2)) continue;
      const fs::path file = checkout_ / (one_in(6) ? std::string(path) + "/deeper" : std::string(path));
      testing::put(file, "tracked " + std::to_string(number));
    }
  }

  Use restore(const OneCache& cache, std::vector<fs::path>& lowers, const fs::path& model) {
    Use use;
    const auto key = [&] { return cache.name + std::string("-") + std::to_string(random_() % 3); };
    use.key = key();
    use.patterns = cache.patterns[one_in(5) ? random_() % cache.patterns.size() : 0];
    use.facts.contents = join(use.patterns, "\n");
    std::vector<std::string> keys{use.key};
    if (one_in(2)) keys.push_back(key());
    if (one_in(10)) return use;
    use.hit = Caches(*store_).find("project", keys, use.facts).hit;
    const auto known = std::find_if(keys.begin(), keys.end(),
                                    [&](const std::string& one) { return fs::exists(model_of(one)); });
    EXPECT_EQ(use.hit != nullptr, known != keys.end());
    if (!use.hit) return use;
    EXPECT_EQ(use.hit->name.key, *known);
    const std::vector<fs::path> layers = workspace_layers(*store_, use.hit, lowers);
    lowers.insert(lowers.begin(), layers.begin(), layers.end());
    // Names of one file are files of their own when an overlay copies them up.
    PlainCopy(model, mode_ == MountMode::copy).all_of(model_of(*known));
    return use;
  }

  std::string save(const Workspace& workspace, const std::vector<Use>& uses, const fs::path& model) {
    std::vector<const Use*> due;
    for (const Use& use : uses) {
      if (!one_in(5)) due.push_back(&use);
    }
    for (const Use* use : due) {
      CacheSource source{workspace.upper(), {}, use == due.back()};
      if (const auto plan = workspace.overlay()) source.lowers = plan->lowers;
      CacheContent content;
      content.paths = use->patterns;
      content.root = "/nowhere";
      const SavedCache saved =
          Caches(*store_).save("project", use->key, use->facts, source, content, use->hit);
      const fs::path made = place_ / "model" / "next";
      PlainCopy(made, true).selected(model, use->patterns);
      const bool empty = fs::is_empty(made);
      if (empty != (saved.result == SavedCache::Result::nothing_matched))
        return "an empty entry of " + use->key;
      if (empty) continue;
      remove_tree(model_of(use->key));
      fs::rename(made, model_of(use->key));
      const std::string said = compare(*use, saved);
      if (!said.empty()) return said;
    }
    return {};
  }

  std::string compare(const Use& use, const SavedCache& saved) {
    const HeldEntry entry = store_->peek({Space::cache, "project", use.key});
    if (!entry) return use.key + " is not there";
    std::vector<fs::path> trees;
    for (const Layer& layer : entry->layers) trees.push_back(layer.tree);
    const LayeredTree tree(trees);
    const Snapshot now = snapshot(tree);
    const std::string difference = first_difference(now, snapshot(model_of(use.key)));
    if (!difference.empty())
      return "saved " + use.key + " (" + join(use.patterns, " ") + ") / model: " + difference;
    std::uint64_t files = 0;
    for (const auto& [path, what] : now) files += what.starts_with("directory") ? 0U : 1U;
    if (files != saved.files || files != entry->files)
      return use.key + ": " + std::to_string(saved.files) + " files instead of " + std::to_string(files);
    for (const auto& [path, other] : same_files(LayeredTree({model_of(use.key)}))) {
      if (look(tree.find(path)->real).st_ino != look(tree.find(other)->real).st_ino)
        return use.key + ": '" + path + "' and '" + other + "' were names of one file";
    }
    return {};
  }

  /// What else goes on in a store; nothing of it may be seen.
  std::string between() {
    for (const Entry& entry : store_->list({})) {
      if (one_in(4)) squash_entry(*store_, entry);
    }
    if (one_in(3)) store_->collect({});
    if (one_in(4)) store_->recover();
    while (one_in(2) && store_->seal_one({[] { return false; }, {}})) {
    }
    return {};
  }

  MountMode mode_;
  std::mt19937 random_;
  SystemClock clock_;
  fs::path place_, checkout_;
  std::unique_ptr<LayerStore> store_;
  int clock_ticks_ = 0;
};

struct CacheModelTest : ::testing::TestWithParam<MountMode> {};

INSTANTIATE_TEST_SUITE_P(Modes, CacheModelTest,
                         ::testing::Values(MountMode::overlay_root, MountMode::overlay_user, MountMode::copy),
                         [](const ::testing::TestParamInfo<MountMode>& mode) {
                           return std::string(mode.param == MountMode::overlay_root   ? "AsRoot"
                                              : mode.param == MountMode::overlay_user ? "InUserNamespace"
                                                                                      : "ByCopy");
                         });

TEST_P(CacheModelTest, TheNextJobSeesExactlyWhatWasSaved) {
  if (const std::string why = testing::why_not_mounted(GetParam()); !why.empty()) GTEST_SKIP() << why;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    const TempDir place;
    ASSERT_EQ(Pipelines(GetParam(), seed, place.path()).run(10, 110), "")
        << "seed " << seed << ", " << to_string(GetParam());
  }
}

}  // namespace
}  // namespace runner::cache
