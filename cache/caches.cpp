#include "cache/caches.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "cache/delta.h"
#include "cache/draft_filler.h"
#include "cache/path_set.h"
#include "cache/rewrite.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

using Result = SavedCache::Result;

std::vector<fs::path> trees_of(const HeldEntry& entry) {
  std::vector<fs::path> trees;
  if (!entry) return trees;
  for (const Layer& layer : entry->layers) trees.push_back(layer.tree);
  return trees;
}

class Save {
 public:
  Save(LayerStore& layers, EntryName name, const EntryFacts& facts, const CacheSource& source,
       const CacheContent& content, const HeldEntry& restored)
      : store_(layers),
        name_(std::move(name)),
        facts_(facts),
        source_(source),
        content_(content),
        restored_(restored),
        stack_(trees_of(restored)),
        paths_(content),
        upper_(::open(source.upper.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        opener_(upper_.get()) {
    if (!upper_ || ::fstat(upper_.get(), &root_) != 0)
      throw_errno("cannot open the workspace " + in_quotes(source.upper.native()));
    same_patterns_ = restored_ && restored_->facts.contents == facts_.contents;
    result_.outside = paths_.outside();
  }
  ~Save() { opener_.restore(); }
  Save(const Save&) = delete;
  Save& operator=(const Save&) = delete;

  SavedCache run() {
    if (!restored_ || (same_patterns_ && is_mounted())) return by_change();
    return by_rewriting();
  }

 private:
  /// The job saw the layers of the entry themselves, not copies of them.
  bool is_mounted() const {
    return std::all_of(stack_.begin(), stack_.end(), [&](const fs::path& tree) {
      return std::find(source_.lowers.begin(), source_.lowers.end(), tree) != source_.lowers.end();
    });
  }

  LayeredTree workspace() const {
    std::vector<fs::path> all{source_.upper};
    all.insert(all.end(), source_.lowers.begin(), source_.lowers.end());
    return LayeredTree(std::move(all));
  }

  SavedCache by_change() {
    ChangeFinder finder(source_, stack_, paths_, content_, upper_.get(), opener_);
    const Changes changes = finder.find();
    tell_unmatched();
    if (!finder.have_effect(changes)) return unchanged();
    Draft draft = store_.begin();
    DraftFiller filler(draft.tree(), filler_source(), stack_);
    filler.apply(changes);
    return commit(std::move(draft), filler.finish(root_));
  }

  SavedCache by_rewriting() {
    // The upper directory is the job's own, the layers are ours.
    OpenedTrees opened;
    opened.open(source_.upper);
    for (const fs::path& tree : stack_) opened.open(tree);
    const Selection selection = select_content(workspace(), content_);
    result_.without_match = selection.without_match;
    if (selection.entries.empty()) return result_;
    std::optional<Comparison> comparison;
    if (source_.lowers.empty()) comparison.emplace(selection, stack_, opened);
    if (comparison && comparison->same() && same_patterns_) return unchanged();
    Draft draft = store_.begin();
    DraftFiller::Source from = filler_source();
    from.opened = &opened;
    DraftFiller filler(draft.tree(), std::move(from), {});
    std::uint64_t kept = 0;
    for (std::size_t i = 0; i < selection.entries.size(); ++i) {
      TreeEntry entry = selection.entries[i];
      const bool directory = entry.type == EntryType::directory;
      const std::string original = comparison && !directory ? comparison->original(i) : std::string();
      const bool own = entry.layer == 0 && is_own(entry);
      if (!original.empty()) entry.real = original;
      filler.add(entry, !original.empty() || own || store_.owns(entry.real));
      if (!original.empty()) ++kept;
    }
    DraftResult done = filler.finish(root_);
    if (comparison) {
      done.replaced_files = 0;
      done.removed_files = restored_->files - std::min(comparison->still_there(), restored_->files);
      unchanged_files_ = kept;
    }
    return commit(std::move(draft), std::move(done));
  }

  /// In a copied workspace a file with further names may be written to through one that lies elsewhere.
  bool is_own(const TreeEntry& entry) const {
    return !source_.lowers.empty() || stat_entry(entry).st_nlink == 1;
  }

  DraftFiller::Source filler_source() {
    return {source_, upper_.get(), opener_, [this](const fs::path& path) { return store_.owns(path); },
            nullptr};
  }

  /// Whole walks only where something is in doubt, and only for what nobody was told about yet.
  void tell_unmatched() {
    std::vector<std::string> globs;
    for (const PathSet::Unmatched& pattern : paths_.unmatched()) {
      if (pattern.literal) {
        result_.without_match.push_back(pattern.text);
      } else if (!restored_) {
        globs.push_back(pattern.text);
      }
    }
    if (globs.empty()) return;
    const Selection found = select_paths(workspace(), globs, {}, content_.root);
    result_.without_match.insert(result_.without_match.end(), found.without_match.begin(),
                                 found.without_match.end());
  }

  SavedCache unchanged() {
    if (!restored_) return result_;
    result_.files = restored_->files;
    result_.bytes = restored_->bytes;
    if (restored_->name == name_) {
      result_.result = Result::up_to_date;
      return result_;
    }
    NewEntry entry = new_entry(restored_->files, restored_->bytes, true);
    store_.commit(std::move(entry), std::nullopt);
    result_.result = Result::saved;
    return result_;
  }

  NewEntry new_entry(std::uint64_t files, std::uint64_t bytes, bool on_stack) const {
    NewEntry entry;
    entry.name = name_;
    entry.facts = facts_;
    entry.files = files;
    entry.bytes = bytes;
    if (on_stack && restored_) {
      for (const Layer& layer : restored_->layers) entry.below.push_back(layer.id);
    }
    return entry;
  }

  SavedCache commit(Draft draft, DraftResult done) {
    const bool on_stack = !done.covers && restored_;
    if (done.empty) return on_stack ? unchanged() : result_;
    std::uint64_t files = done.content.files, bytes = done.content.bytes;
    result_.changed = files - std::min(files, unchanged_files_);
    result_.removed = done.removed_files;
    if (on_stack) {
      files += restored_->files - std::min(restored_->files, done.replaced_files + done.removed_files);
      bytes += restored_->bytes - std::min(restored_->bytes, done.replaced_bytes + done.removed_bytes);
      if (files == 0 && shows_nothing(draft)) return result_;
    }
    draft.content = std::move(done.content);
    NewEntry entry = new_entry(files, bytes, on_stack);
    store_.commit(std::move(entry), std::move(draft));
    result_.result = Result::saved;
    result_.files = files;
    result_.bytes = bytes;
    return result_;
  }

  bool shows_nothing(const Draft& draft) const {
    std::vector<fs::path> all{draft.tree()};
    all.insert(all.end(), stack_.begin(), stack_.end());
    return LayeredTree(std::move(all)).list("").empty();
  }

  LayerStore& store_;
  EntryName name_;
  const EntryFacts& facts_;
  const CacheSource& source_;
  const CacheContent& content_;
  const HeldEntry& restored_;
  std::vector<fs::path> stack_;
  PathSet paths_;
  UniqueFd upper_;
  Opener opener_;
  struct stat root_ {};
  bool same_patterns_ = false;
  std::uint64_t unchanged_files_ = 0;
  SavedCache result_;
};

}  // namespace

SavedCache Caches::save(const std::string& scope, const std::string& key, const EntryFacts& facts,
                        const CacheSource& source, const CacheContent& content, const HeldEntry& restored) {
  try {
    return Save(layers_, {Space::cache, scope, key}, facts, source, content, restored).run();
  } catch (Error& error) {
    error.add_context("while saving cache '" + key + "'");
    throw;
  }
}

}  // namespace runner::cache
