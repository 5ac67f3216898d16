#include "runner/git/blob_writer.h"

#include <git2.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/convert.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace {

constexpr std::size_t kChunk = 64;        // files a thread takes at once
constexpr std::size_t kForThreads = 500;  // with fewer, starting threads costs more
constexpr unsigned kMostThreads = 4;

struct BlobFree {
  void operator()(git_blob* blob) const noexcept { git_blob_free(blob); }
};
using Blob = std::unique_ptr<git_blob, BlobFree>;

Blob find_blob(git_repository* repository, const ObjectId& id, const std::string& path) {
  const git_oid oid = to_oid(id);
  git_blob* found = nullptr;
  if (git_blob_lookup(&found, repository, &oid) != 0)
    throw Error(ErrorCode::corrupt,
                "cannot read " + in_quotes(to_utf8(path)) + " of the commit: " + last_message());
  return Blob(found);
}

std::string_view content_of(const Blob& blob) {
  return {static_cast<const char*>(git_blob_rawcontent(blob.get())),
          static_cast<std::size_t>(git_blob_rawsize(blob.get()))};
}

class Writer {
 public:
  Writer(const BlobSource& source, const DraftTree& tree, git_repository* repository)
      : source_(source), tree_(tree), repository_(repository) {}

  void write(BlobJob& job) {
    const TreeChange& change = *job.change;
    const Blob blob = find_blob(repository_, change.id, change.path);
    const std::string_view content = content_of(blob);
    if (change.after == Node::link) {
      job.written = tree_.write_link(change.path, std::string(content));
      return;
    }
    const bool executable = change.after == Node::executable;
    if (source_.attributes.empty()) {
      job.written = tree_.write_file(change.path, content, executable);
      return;
    }
    const FileAttributes attributes = source_.attributes.of(change.path);
    const bool changed =
        convert_to_work_tree(content, attributes, to_hex(change.id), converted_, job.problem);
    const std::string_view shown = changed ? std::string_view(converted_) : content;
    if (attributes.filter == "lfs" && is_lfs_pointer(shown)) {
      if (source_.lfs != nullptr) {
        const UniqueFd file = tree_.create_file(change.path, executable);
        smudge_lfs(*source_.lfs, change.path, shown, file.get());
        job.written = tree_.finish_file(file.get(), change.path, executable);
        return;
      }
      job.pointer = true;
    }
    job.written = tree_.write_file(change.path, shown, executable);
  }

 private:
  const BlobSource& source_;
  const DraftTree& tree_;
  git_repository* repository_;
  std::string converted_;
};

/// Jobs taken by threads, chunk after chunk.
class Crew {
 public:
  Crew(const BlobSource& source, const DraftTree& tree, std::vector<BlobJob>& jobs)
      : source_(source), tree_(tree), jobs_(jobs) {}

  void work(git_repository* repository) {
    Writer writer(source_, tree_, repository);
    while (!failed_) {
      const std::size_t begin = next_.fetch_add(kChunk);
      if (begin >= jobs_.size()) return;
      const std::size_t end = std::min(begin + kChunk, jobs_.size());
      for (std::size_t i = begin; i < end; ++i) writer.write(jobs_[i]);
    }
  }

  void work_guarded() noexcept {
    try {
      const Library library;
      Handle<git_repository> own;
      check(git_repository_open_bare(Out(own), source_.repository.c_str()), "cannot open the mirror");
      work(own.get());
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failed_.exchange(true)) thrown_ = std::current_exception();
    }
  }

  void run() {
    std::vector<std::thread> threads;
    const unsigned count = std::clamp(std::thread::hardware_concurrency(), 2U, kMostThreads);
    for (unsigned i = 0; i < count; ++i) threads.emplace_back([this] { work_guarded(); });
    for (std::thread& thread : threads) thread.join();
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  const BlobSource& source_;
  const DraftTree& tree_;
  std::vector<BlobJob>& jobs_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr thrown_;
};

}  // namespace

void write_blobs(const BlobSource& source, const DraftTree& tree, std::vector<BlobJob>& jobs) {
  Crew crew(source, tree, jobs);
  if (jobs.size() < kForThreads) {
    crew.work(source.handle);
  } else {
    crew.run();
  }
}

std::string read_blob(git_repository* repository, const ObjectId& id, const std::string& path) {
  return std::string(content_of(find_blob(repository, id, path)));
}

}  // namespace runner::git
