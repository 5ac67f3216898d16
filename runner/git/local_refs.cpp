#include "runner/git/local_refs.h"

#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <system_error>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/synchronized.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kLongestLine = 4096;
constexpr std::uint64_t kLongestPackedRefs = 1ULL << 30U;
constexpr std::string_view kTop = "refs";
constexpr int kMostLinks = 5;  // from one symbolic ref to the next, as git
constexpr std::size_t kMostPeeled = 20'000;
constexpr std::string_view kTags = "refs/tags/", kSymbolic = "ref: ";

bool has_directory(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// A file of one line; "" when there is none.
std::string line_of(const fs::path& path) {
  return std::string(trim(read_file(path, kLongestLine).value_or("")));
}

struct Place {
  fs::path own, common;  // the same unless it is one of several working trees
};

std::optional<Place> place_at(const fs::path& candidate) {
  fs::path own = candidate;
  if (!has_directory(own)) {  // a working tree's ".git" may be a file that names it
    constexpr std::string_view kGitDir = "gitdir: ";
    struct stat info {};
    if (::stat(own.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    const std::string line = line_of(own);
    if (!line.starts_with(kGitDir)) return {};
    own = candidate.parent_path() / line.substr(kGitDir.size());
  }
  struct stat head {};
  if (::lstat((own / "HEAD").c_str(), &head) != 0) return {};
  const std::string elsewhere = line_of(own / "commondir");
  const fs::path common = elsewhere.empty() ? own : (own / elsewhere).lexically_normal();
  if (!has_directory(common / "objects") || !has_directory(common / "refs")) return {};
  return Place{own, common};
}

Place find_place(const std::string& path) {
  for (const char* suffix : {"/.git", "", ".git/.git", ".git"}) {
    if (auto place = place_at(path + suffix)) return *place;
  }
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  throw Error(ErrorCode::not_found,
              std::string(there ? "that is no git repository" : "there is no such directory") +
                  "; check that the repository is there and may be read");
}

bool is_id(std::string_view text) {
  constexpr std::size_t kSha256 = 64;
  if (text.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
  if (text.size() == kSha256) {
    throw Error(
        ErrorCode::invalid_input,
        "the repository names its objects by SHA-256, which libgit2 1.5 cannot read; use a repository "
        "that was made with --object-format=sha1");
  }
  return text.size() == GIT_OID_HEXSZ;
}

struct Entry {
  std::string value;       // an id, or "ref: " and a name
  std::string peeled;      // what packed-refs says
  bool is_peeled = false;  // it says all that is to be said
};
using Entries = std::map<std::string, Entry, std::less<>>;

/// Each in a file of its own.
void read_loose(const fs::path& common, Entries& entries) {
  std::error_code error;
  const fs::path top = common / kTop;
  for (fs::recursive_directory_iterator at(top, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    const std::string name = at->path().native().substr(top.native().size() - kTop.size());
    if (!at->is_regular_file(gone) || name.ends_with(".lock")) continue;
    std::string line = line_of(at->path());
    if (line.starts_with(kSymbolic) || is_id(line)) entries[name].value = std::move(line);
  }
  // A directory that goes meanwhile holds none.
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(error, "cannot read the refs in " + in_quotes(top.native()));
}

/// All others in one file.
void read_packed(const fs::path& common, Entries& entries) {
  const std::string text = read_file(common / "packed-refs", kLongestPackedRefs).value_or("");
  bool peeled = false;
  Entry* last = nullptr;
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with('#')) {
      peeled = line.find("peeled") != std::string_view::npos;
    } else if (line.starts_with('^')) {
      if (last != nullptr) last->peeled = std::string(line.substr(1));
    } else {
      const std::size_t blank = line.find(' ');
      last = nullptr;
      if (blank == std::string_view::npos || !is_id(line.substr(0, blank))) continue;
      const auto [at, added] = entries.try_emplace(std::string(line.substr(blank + 1)));
      if (!added) continue;  // a file of its own counts more
      at->second.value = std::string(line.substr(0, blank));
      at->second.is_peeled = peeled;
      last = &at->second;
    }
  }
}

/// What it stands for in the end; null when it points nowhere.
const Entry* resolve(const Entries& entries, const Entry* entry) {
  for (int links = 0; entry->value.starts_with(kSymbolic); ++links) {
    const auto next = entries.find(std::string_view(entry->value).substr(kSymbolic.size()));
    if (next == entries.end() || links == kMostLinks) return nullptr;
    entry = &next->second;
  }
  return entry;
}

class Peeler {
 public:
  explicit Peeler(const fs::path& git_dir) : git_dir_(git_dir) {}

  std::string peel(const std::string& id) {
    // What annotated tags stand for never changes, whatever repository they are in.
    static Synchronized<std::map<std::string, std::string>> all;
    {
      auto known = all.lock();
      if (const auto at = known->find(id); at != known->end()) return at->second;
    }
    if (!library_) {
      library_.emplace();
      check(
          git_repository_open_ext(Out(repository_), git_dir_.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr),
          "cannot open " + in_quotes(git_dir_.native()));
    }
    Handle<git_object> object, peeled;
    git_oid oid;
    if (git_oid_fromstr(&oid, id.c_str()) != 0 ||
        git_object_lookup(Out(object), repository_.get(), &oid, GIT_OBJECT_ANY) != 0)
      return {};
    std::string found;
    if (git_object_type(object.get()) == GIT_OBJECT_TAG) {
      if (git_object_peel(Out(peeled), object.get(), GIT_OBJECT_ANY) != 0) return {};
      found = hex_of(git_object_id(peeled.get()));
    }
    auto known = all.lock();
    if (known->size() >= kMostPeeled) known->clear();
    return (*known)[id] = found;
  }

 private:
  const fs::path& git_dir_;
  std::optional<Library> library_;
  Handle<git_repository> repository_;
};

}  // namespace

LocalSource read_local_source(const std::string& path) {
  const Place place = find_place(path);
  LocalSource source;
  source.git_dir = place.common;
  const std::string head = line_of(place.own / "HEAD");
  if (head == "ref: refs/heads/.invalid") {
    throw Error(
        ErrorCode::invalid_input,
        "the repository keeps its refs in reftables, which libgit2 1.5 cannot read; have it changed by 'git "
        "refs migrate --ref-format=files'");
  }
  constexpr std::string_view kOnBranch = "ref: refs/heads/";
  if (head.starts_with(kOnBranch)) source.refs.default_branch = head.substr(kOnBranch.size());
  // In this order: git writes the one file before it removes the others.
  Entries entries;
  read_loose(place.common, entries);
  read_packed(place.common, entries);
  Peeler peeler(source.git_dir);
  for (const auto& [name, entry] : entries) {
    const Entry* end = resolve(entries, &entry);
    if (end == nullptr) continue;
    std::string peeled = end->peeled;
    if (name.starts_with(kTags) && peeled.empty() && !end->is_peeled) peeled = peeler.peel(end->value);
    source.refs.refs.push_back({name, end->value, std::move(peeled)});
  }
  struct stat info {};
  source.is_shallow = ::stat((place.common / "shallow").c_str(), &info) == 0 && info.st_size > 0;
  return source;
}

}  // namespace runner::git
