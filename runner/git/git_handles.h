#pragma once
// Owners for libgit2's objects. Internal to this folder; the same threads as the objects they own.

#include <memory>
#include <string>
#include <string_view>

struct git_commit;
struct git_config;
struct git_diff;
struct git_index;
struct git_reference;
struct git_reference_iterator;
struct git_repository;
struct git_tree;
struct git_tree_entry;
struct git_object;
struct git_oid;

namespace runner::git {

/// Keeps libgit2 initialised. Cheap after the first.
class Library {
 public:
  Library();
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
};

struct GitFree {
  void operator()(git_commit* object) const noexcept;
  void operator()(git_config* object) const noexcept;
  void operator()(git_diff* object) const noexcept;
  void operator()(git_index* object) const noexcept;
  void operator()(git_reference* object) const noexcept;
  void operator()(git_reference_iterator* object) const noexcept;
  void operator()(git_repository* object) const noexcept;
  void operator()(git_tree* object) const noexcept;
  void operator()(git_tree_entry* object) const noexcept;
  void operator()(git_object* object) const noexcept;
};

template <typename T>
using Handle = std::unique_ptr<T, GitFree>;

/// For `function(&handle, ...)`: takes what libgit2 writes into a plain pointer.
template <typename T>
class Out {
 public:
  explicit Out(Handle<T>& handle) : handle_(handle) {}
  ~Out() { handle_.reset(raw_); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;
  operator T**() noexcept { return &raw_; }

 private:
  Handle<T>& handle_;
  T* raw_ = nullptr;
};

/// 40 hexadecimal digits.
std::string hex_of(const git_oid* id);
/// libgit2's text for the last failure of this thread.
std::string last_message();
/// Throws Error "<what>: <libgit2's text>" when `result` is negative.
void check(int result, std::string_view what);

}  // namespace runner::git
