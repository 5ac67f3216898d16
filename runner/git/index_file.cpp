#include "runner/git/index_file.h"

#include <algorithm>
#include <cstring>

#include "runner/base/digest.h"
#include "runner/git/index_trees.h"

namespace runner::git {
namespace {

constexpr std::size_t kHeader = 12, kTrailer = 20, kFixed = 62, kSize = 36;
constexpr std::size_t kLongName = 0xFFF;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void put_number(std::string& out, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(value >> shift & 0xFFU));
}

/// Entries are padded with one to eight NULs.
std::size_t entry_size(std::size_t name) {
  return (kFixed + name + 8) & ~std::size_t{7};
}

/// A walk over the entries of an index file.
class Entries {
 public:
  explicit Entries(std::string_view file) : file_(file) {
    if (file.size() < kHeader + kTrailer || file.substr(0, 4) != "DIRC" || number_at(file, 4) != 2) return;
    count_ = number_at(file, 8);
    good_ = true;
    look();
  }

  bool good() const { return good_; }
  bool at_end() const { return index_ == count_; }
  std::string_view name() const { return name_; }
  std::size_t offset() const { return offset_; }
  std::uint32_t index() const { return index_; }
  std::uint32_t size() const { return number_at(file_, offset_ + kSize); }

  void next() {
    offset_ += entry_size(name_.size());
    ++index_;
    look();
  }

  /// Where the extensions lie. Only at the end.
  std::string_view extensions() const { return file_.substr(offset_, file_.size() - kTrailer - offset_); }

 private:
  void look() {
    const std::size_t end = file_.size() - kTrailer;
    if (at_end()) {
      good_ = good_ && offset_ <= end;
      return;
    }
    if (offset_ + kFixed >= end) return fail();
    const std::size_t flags = offset_ + kFixed - 2;
    std::size_t length = static_cast<std::size_t>(static_cast<unsigned char>(file_[flags]) & 0xFU) << 8U |
                         static_cast<unsigned char>(file_[flags + 1]);
    if (length == kLongName) {
      const std::size_t nul = file_.find('\0', offset_ + kFixed);
      if (nul == std::string_view::npos) return fail();
      length = nul - offset_ - kFixed;
    }
    if (offset_ + entry_size(length) > end) return fail();
    name_ = file_.substr(offset_ + kFixed, length);
  }

  void fail() {
    good_ = false;
    index_ = count_;
  }

  std::string_view file_;
  std::uint32_t count_ = 0, index_ = 0;
  std::size_t offset_ = kHeader;
  std::string_view name_;
  bool good_ = false;
};

std::uint32_t mode_of(Node node) {
  switch (node) {
    case Node::executable:
      return 0100755;
    case Node::link:
      return 0120000;
    case Node::submodule:
      return 0160000;
    default:
      return 0100644;
  }
}

void put_entry(std::string& out, const IndexChange& entry) {
  const std::size_t begin = out.size();
  put_number(out,
             0);  // the change of the inode, which git is told not to look at, as device, inode and owner
  put_number(out, 0);
  put_number(out, entry.mtime);
  put_number(out, entry.mtime_nanoseconds);
  put_number(out, 0);
  put_number(out, 0);
  put_number(out, mode_of(entry.node));
  put_number(out, 0);
  put_number(out, 0);
  put_number(out, entry.size);
  out.append(reinterpret_cast<const char*>(entry.id.bytes.data()), entry.id.bytes.size());
  const std::size_t length = std::min(entry.path.size(), kLongName);
  out.push_back(static_cast<char>(length >> 8U));
  out.push_back(static_cast<char>(length & 0xFFU));
  out.append(entry.path);
  out.append(begin + entry_size(entry.path.size()) - out.size(), '\0');
}

class Splicer {
 public:
  Splicer(std::string_view before, std::vector<IndexChange> changes, const std::vector<IndexTree>& trees)
      : before_(before), changes_(std::move(changes)), given_(trees), old_(before) {}

  IndexFile run() {
    const bool fresh = before_.empty();
    if (!fresh && !(old_.good() && read_trees())) return {};
    for (const IndexTree& tree : given_) {
      if (!tree.gone) trees_.set(tree.path, tree.id);
    }
    part_removals();
    std::sort(changes_.begin(), changes_.end(),
              [](const IndexChange& one, const IndexChange& other) { return one.path < other.path; });
    out_.reserve(before_.size() + changes_.size() * 128 + 4096);
    out_.assign(kHeader, '\0');
    for (const IndexChange& change : changes_) apply(change);
    if (!fresh) copy_until([](std::string_view) { return false; });
    if (!fresh && !old_.good()) return {};
    for (const IndexTree& tree : given_) {
      if (tree.gone) trees_.remove(tree.path);
    }
    return finish();
  }

 private:
  /// Only an index with the recorded trees alone behind its entries is one of ours.
  bool read_trees() {
    Entries all = old_;
    while (!all.at_end()) all.next();
    if (!all.good()) return false;
    const std::string_view rest = all.extensions();
    if (rest.size() < 8 || rest.substr(0, 4) != "TREE" || number_at(rest, 4) != rest.size() - 8) return false;
    return trees_.read(rest.substr(8));
  }

  /// What lies below a path need not come right behind it.
  void part_removals() {
    const std::size_t count = changes_.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!changes_[i].removes_below) continue;
      changes_[i].removes_below = false;
      IndexChange below;
      below.path = changes_[i].path + "/";
      below.removes_below = true;
      changes_.push_back(std::move(below));
    }
  }

  void apply(const IndexChange& change) {
    if (!before_.empty()) {
      copy_until([&](std::string_view name) { return name >= change.path; });
      while (change.removes_below && !old_.at_end() && old_.name().starts_with(change.path)) drop();
      if (change.removes && !old_.at_end() && old_.name() == change.path) drop();
    }
    if (change.node != Node::none) {
      put_entry(out_, change);
      ++count_;
      size_ += change.size;
      trees_.count(change.path, 1);
    }
  }

  void drop() {
    trees_.count(old_.name(), -1);
    old_.next();
  }

  template <typename Stop>
  void copy_until(Stop stop) {
    const std::size_t begin = old_.offset();
    const std::uint32_t first = old_.index();
    for (; !old_.at_end() && !stop(old_.name()); old_.next()) size_ += old_.size();
    if (!old_.good()) return;
    out_.append(before_.substr(begin, old_.offset() - begin));
    count_ += old_.index() - first;
  }

  IndexFile finish() {
    std::string header = "DIRC";
    put_number(header, 2);
    put_number(header, count_);
    out_.replace(0, kHeader, header);
    const std::string recorded = trees_.written();
    out_.append("TREE");
    put_number(out_, static_cast<std::uint32_t>(recorded.size()));
    out_.append(recorded);
    const ObjectId digest = parse_id(sha1_hex(out_));
    out_.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
    return {std::move(out_), count_, size_};
  }

  std::string_view before_;
  std::vector<IndexChange> changes_;
  const std::vector<IndexTree>& given_;
  Entries old_;
  IndexTrees trees_;
  std::string out_;
  std::uint32_t count_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace

IndexFile make_index(std::string_view before, std::vector<IndexChange> changes,
                     const std::vector<IndexTree>& trees) {
  return Splicer(before, std::move(changes), trees).run();
}

}  // namespace runner::git
