#include "runner/git/tree_layers.h"

#include <fcntl.h>
#include <git2.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/layered_tree.h"
#include "runner/base/text.h"
#include "runner/git/blob_writer.h"
#include "runner/git/draft_tree.h"
#include "runner/git/git_handles.h"
#include "runner/git/index_file.h"
#include "runner/git/tree_diff.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using cache::HeldEntry;

constexpr std::size_t kMostLayers = 24;     // then deltas are made into one whatever it costs
constexpr std::uint64_t kMostLinks = 2000;  // that a job waits for while there are fewer layers
constexpr std::uint64_t kSmallTree = 200;   // below it a new base layer costs nothing

timespec file_time() {
  // The clock of the file system: what was written before is not newer.
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now;
}

bool is_attributes_file(std::string_view path) {
  return path == ".gitattributes" || path.ends_with("/.gitattributes");
}

std::string shown(const std::string& path) {
  return replace_all(to_utf8(path), "\n", "\\n");
}

/// A file of a layer, in memory. Nobody writes to it.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const fs::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
    if (memory == MAP_FAILED) return;
    bytes_ = {static_cast<const char*>(memory), size};
  }
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }

  std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

/// A stack in the store that is made into another.
struct Ground {
  HeldEntry entry;
  ObjectId tree;
  std::vector<std::optional<ObjectId>> levels;  // the tree that is seen from each layer downwards, if known
  MappedFile index;
};

class TreeLayers {
 public:
  TreeLayers(const Mirror& mirror, const TreeRequest& request, cache::LayerStore& store)
      : mirror_(mirror),
        request_(request),
        store_(store),
        tree_(tree_of_commit(mirror.handle(), request.commit)),
        mode_(request.lfs ? "lfs" : "pointers") {}

  TreeStack run() {
    TreeStack stack;
    const auto newest = store_.newest_of_family(cache::Space::checkout, request_.scope, key_prefix());
    if (newest && newest->name == name_of(tree_)) stack.entry = store_.find(newest->name);
    if (!stack.entry && newest) {
      if (const auto ground = ground_of(store_.peek(newest->name))) stack.entry = make_over(*ground);
    }
    if (!stack.entry) stack.entry = make_base();
    for (const std::string_view line : split(stack.entry->facts.contents, '\n')) {
      if (!line.empty()) stack.pointers.emplace_back(line);
    }
    stack.notices = std::move(notices_);
    return stack;
  }

 private:
  cache::EntryName name_of(const ObjectId& tree) const {
    return {cache::Space::checkout, request_.scope, key_prefix() + to_hex(tree)};
  }
  std::string key_prefix() const {
    return "files " + mode_ + " " +
           (request_.place.empty() ? std::string() : sha1_hex(request_.place).substr(0, 12) + " ");
  }

  // What lies below a new layer.

  std::optional<Ground> ground_of(HeldEntry entry) const {
    if (!entry || !entry->name.key.starts_with(key_prefix())) return std::nullopt;
    Ground ground;
    ground.tree = parse_id(std::string_view(entry->name.key).substr(key_prefix().size()));
    if (!(ground.tree == ObjectId{}) && !is_readable(ground.tree)) return std::nullopt;
    for (const cache::Layer& layer : entry->layers) {
      ground.index = MappedFile(layer.tree / ".git/index");
      if (!ground.index.bytes().empty()) break;
    }
    if (ground.index.bytes().empty()) return std::nullopt;
    ground.levels.resize(entry->layers.size());
    // Made into fewer layers meanwhile: then only what is seen from the top is known.
    if (entry->facts.inputs.size() == entry->layers.size()) {
      for (std::size_t i = 0; i < ground.levels.size(); ++i) {
        const std::string& id = entry->facts.inputs[i].second;
        if (!id.empty()) ground.levels[i] = parse_id(id);
      }
    }
    ground.entry = std::move(entry);
    return ground;
  }

  bool is_readable(const ObjectId& tree) const {
    const git_oid oid = to_oid(tree);
    Handle<git_tree> found;
    return git_tree_lookup(Out(found), mirror_.handle(), &oid) == 0;
  }

  /// How many layers of the ground the new one takes the place of: those that are no bigger than it, so that
  /// each file is linked anew a few times only and the stack stays short.
  std::size_t layers_to_merge(const Ground& ground, std::uint64_t changes) const {
    const auto& layers = ground.entry->layers;
    const bool too_many = layers.size() >= kMostLayers;
    std::uint64_t total = changes + 1;  // and the index
    std::size_t merged = 0;
    for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
      const std::uint64_t size = layers[i].files + layers[i].hides.size();
      if (!too_many && (size > total || total + size > kMostLinks)) break;
      total += size;
      if (ground.levels[i + 1]) merged = i + 1;
    }
    return merged;
  }

  // Making.

  HeldEntry make_over(const Ground& ground) {
    const std::vector<TreeChange> changes = diff_trees(mirror_.handle(), ground.tree, tree_);
    const auto leaves = static_cast<std::uint64_t>(
        std::count_if(changes.begin(), changes.end(),
                      [](const TreeChange& change) { return change.after != Node::directory; }));
    // Attributes change how other files are written: all are written again.
    const bool attributes_changed = std::any_of(changes.begin(), changes.end(), [](const TreeChange& change) {
      return is_attributes_file(change.path);
    });
    if (attributes_changed || leaves > std::max(kSmallTree, ground.entry->files / 2)) return nullptr;
    const std::size_t merged = layers_to_merge(ground, leaves);
    return make(&ground, merged, changes);
  }

  HeldEntry make_base() { return make(nullptr, 0, diff_trees(mirror_.handle(), ObjectId{}, tree_)); }

  HeldEntry make(const Ground* ground, std::size_t merged, const std::vector<TreeChange>& changes) {
    const timespec now = file_time();
    cache::Draft draft = store_.begin();
    DraftTree tree(draft.tree(), now);
    std::vector<BlobJob> jobs;
    for (const TreeChange& change : changes) {
      if (is_file(change.after)) jobs.push_back({&change, {}, false, {}});
    }
    if (merged == 0) {
      lay_out(tree, changes, nullptr, {});
    } else {
      std::unordered_set<std::string_view> written;
      for (const BlobJob& job : jobs) written.insert(job.change->path);
      lay_out(tree, diff_trees(mirror_.handle(), *ground->levels[merged], tree_), ground, written);
      // What is again as it was in the layers below is written anew all the same: it has changed since.
      for (const BlobJob& job : jobs) tree.make_parents(job.change->path);
    }
    failpoint("checkout.directories");
    const Attributes attributes = read_attributes(changes);
    const BlobSource source{mirror_.directory(), mirror_.handle(), attributes,
                            request_.lfs ? &request_.storage : nullptr};
    write_blobs(source, tree, jobs);
    for (const BlobJob& job : jobs) {
      tree.count(job.written);
      if (!job.problem.empty()) notices_.push_back(in_quotes(shown(job.change->path)) + " " + job.problem);
    }
    const IndexFile index = index_of(ground, changes, jobs, now);
    if (index.bytes.empty()) return nullptr;  // the ground's index is damaged
    write_index(tree, index);
    failpoint("checkout.written");
    draft.content = tree.content();
    return store_.commit(entry_of(ground, merged, changes, jobs, index), std::move(draft));
  }

  /// Directories, whiteouts and links. Files that are not `written` anew are in the ground's upper layers.
  void lay_out(DraftTree& tree, const std::vector<TreeChange>& changes, const Ground* ground,
               const std::unordered_set<std::string_view>& written) const {
    for (const TreeChange& change : changes) {
      if (change.after == Node::none) {
        tree.whiteout(change.path);
      } else if (change.after == Node::directory) {
        if (change.before != Node::directory) tree.make_directory(change.path);
      } else if (change.after == Node::submodule) {
        if (change.before == Node::submodule) continue;
        tree.make_directory(change.path);
        if (change.before != Node::directory) continue;
        for (const std::string& name : names_of_tree(mirror_.handle(), change.old_id))
          tree.whiteout(change.path + "/" + name);
      } else {
        tree.make_parents(change.path);
        if (ground != nullptr && !written.contains(change.path))
          tree.link(where_it_lies(*ground, change.path), change.path);
      }
    }
  }

  static fs::path where_it_lies(const Ground& ground, const std::string& path) {
    std::vector<fs::path> layers;
    for (const cache::Layer& layer : ground.entry->layers) layers.push_back(layer.tree);
    const auto found = LayeredTree(std::move(layers)).find(path);
    if (!found) throw Error(ErrorCode::corrupt, "layers of the checkout lack " + in_quotes(shown(path)));
    return found->real;
  }

  /// Those that concern a changed file lie in directories that have changed too.
  Attributes read_attributes(const std::vector<TreeChange>& changes) const {
    Attributes attributes;
    add_attributes(attributes, "", tree_);
    for (const TreeChange& change : changes) {
      if (change.after == Node::directory) add_attributes(attributes, change.path, change.id);
    }
    return attributes;
  }

  void add_attributes(Attributes& attributes, const std::string& directory, const ObjectId& tree) const {
    const git_oid oid = to_oid(tree);
    Handle<git_tree> found;
    if (git_tree_lookup(Out(found), mirror_.handle(), &oid) != 0) return;  // an empty one need not be there
    const git_tree_entry* entry = git_tree_entry_byname(found.get(), ".gitattributes");
    if (entry == nullptr || git_tree_entry_type(entry) != GIT_OBJECT_BLOB) return;
    if (git_tree_entry_filemode(entry) == GIT_FILEMODE_LINK) return;
    attributes.add(directory, read_blob(mirror_.handle(), to_id(*git_tree_entry_id(entry)),
                                        directory + "/.gitattributes"));
  }

  IndexFile index_of(const Ground* ground, const std::vector<TreeChange>& changes,
                     const std::vector<BlobJob>& jobs, const timespec& mtime) const {
    std::vector<IndexChange> entries;
    std::vector<IndexTree> trees = {{"", false, tree_}};
    std::size_t next_job = 0;
    for (const TreeChange& change : changes) {
      if (change.after == Node::directory) trees.push_back({change.path, false, change.id});
      if (change.before == Node::directory && change.after != Node::directory)
        trees.push_back({change.path, true, {}});
      IndexChange entry;
      entry.path = change.path;
      entry.removes_below = change.before == Node::directory && change.after != Node::directory;
      entry.removes = is_file(change.before) || change.before == Node::submodule;
      if (change.after != Node::directory) entry.node = change.after;
      entry.id = change.id;
      if (is_file(change.after)) {
        entry.size = static_cast<std::uint32_t>(jobs[next_job++].written.bytes);
        entry.mtime = static_cast<std::uint32_t>(mtime.tv_sec);
        entry.mtime_nanoseconds = static_cast<std::uint32_t>(mtime.tv_nsec);
      }
      if (entry.removes || entry.removes_below || entry.node != Node::none)
        entries.push_back(std::move(entry));
    }
    return make_index(ground != nullptr ? ground->index.bytes() : std::string_view(), std::move(entries),
                      trees);
  }

  /// With the time of now: git reads the content of files that were written in the same second, which may
  /// have changed since without a trace.
  static void write_index(DraftTree& tree, const IndexFile& index) {
    tree.make_directory(".git");
    tree.count(tree.write_undated(".git/index", index.bytes));
  }

  cache::NewEntry entry_of(const Ground* ground, std::size_t merged, const std::vector<TreeChange>& changes,
                           const std::vector<BlobJob>& jobs, const IndexFile& index) const {
    cache::NewEntry entry;
    entry.name = name_of(tree_);
    entry.facts.family = key_prefix();
    entry.facts.origin = "commit " + request_.commit;
    entry.facts.contents = pointers_after(ground, changes, jobs);
    entry.files = index.entries;
    entry.bytes = index.size;
    std::vector<std::string> levels = {to_hex(tree_)};
    if (ground != nullptr) {
      const auto& layers = ground->entry->layers;
      for (std::size_t i = merged; i < layers.size(); ++i) {
        entry.below.push_back(layers[i].id);
        std::string id = ground->levels[i] ? to_hex(*ground->levels[i]) : std::string();
        if (i == 0) id = to_hex(ground->tree);
        levels.push_back(std::move(id));
      }
    }
    for (std::size_t i = 0; i < levels.size(); ++i) {
      std::string number = std::to_string(i);
      entry.facts.inputs.emplace_back(
          "layer " + std::string(4 - std::min<std::size_t>(4, number.size()), '0') + number, levels[i]);
    }
    return entry;
  }

  static std::string pointers_after(const Ground* ground, const std::vector<TreeChange>& changes,
                                    const std::vector<BlobJob>& jobs) {
    std::set<std::string> pointers;
    if (ground != nullptr && !ground->entry->facts.contents.empty()) {
      for (const std::string_view line : split(ground->entry->facts.contents, '\n')) pointers.emplace(line);
      for (const TreeChange& change : changes) {
        const std::string path = shown(change.path);
        if (change.after != Node::directory) pointers.erase(path);
        if (change.before != Node::directory || change.after == Node::directory) continue;
        const auto below = pointers.lower_bound(path + "/");
        auto end = below;
        while (end != pointers.end() && end->starts_with(path + "/")) ++end;
        pointers.erase(below, end);
      }
    }
    for (const BlobJob& job : jobs) {
      if (job.pointer) pointers.insert(shown(job.change->path));
    }
    return join(std::vector<std::string>(pointers.begin(), pointers.end()), "\n");
  }

  const Mirror& mirror_;
  const TreeRequest& request_;
  cache::LayerStore& store_;
  const ObjectId tree_;
  const std::string mode_;
  std::vector<std::string> notices_;
};

}  // namespace

TreeStack tree_layers(const Mirror& mirror, const TreeRequest& request, cache::LayerStore& store) {
  return TreeLayers(mirror, request, store).run();
}

}  // namespace runner::git
