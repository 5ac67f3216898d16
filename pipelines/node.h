#pragma once
// The tree that all later steps see: YAML values with positions, immutable, shared where the file shares them
// (anchors, extends), owned by an arena. yaml_reader.cpp is the only maker from text; resolving steps make
// new nodes over old ones. Not thread-safe while being built; read by any thread afterwards.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/diagnostic.h"

namespace runner::pipelines {

enum class NodeKind : std::uint8_t { null, boolean, integer, real, string, sequence, mapping, reference };

/// "a list", "a mapping", "a string", "a boolean": for "expected ..., got ...".
std::string_view describe(NodeKind kind) noexcept;

class Node;

struct MapEntry {
  std::string_view key;
  SourceRange key_range;
  const Node* value = nullptr;  // never null
};

/// One value. Made by NodeArena only; lives as long as its arena.
class Node {
 public:
  NodeKind kind() const noexcept { return kind_; }
  const SourceRange& range() const noexcept { return range_; }
  bool is_null() const noexcept { return kind_ == NodeKind::null; }
  bool is_string() const noexcept { return kind_ == NodeKind::string; }
  bool is_map() const noexcept { return kind_ == NodeKind::mapping; }
  bool is_list() const noexcept { return kind_ == NodeKind::sequence; }
  bool is_scalar() const noexcept { return kind_ <= NodeKind::string; }

  bool boolean() const noexcept { return integer_ != 0; }     // kind boolean
  std::int64_t integer() const noexcept { return integer_; }  // kind integer
  double real() const noexcept { return real_; }              // kind real
  /// A string's text; for other scalars the text the dialect turns them into ("true", "8", "1.1", "").
  std::string_view text() const noexcept { return text_; }
  /// Items of a sequence; path parts of a `!reference`.
  std::span<const Node* const> items() const noexcept { return items_; }
  /// Entries of a mapping in order; each key once.
  std::span<const MapEntry> entries() const noexcept { return entries_; }
  /// Value of a key, nullptr when absent. Constant time for large mappings.
  const Node* find(std::string_view key) const noexcept;
  /// The same with the key's range; nullptr when absent.
  const MapEntry* find_entry(std::string_view key) const noexcept;
  /// Nodes below and including this one, shared ones counted each time, saturating: the size that an alias
  /// bomb would have when written out.
  std::uint64_t expanded_size() const noexcept { return expanded_size_; }
  /// Whether this node is a `!reference` or has one below it.
  bool has_references() const noexcept { return has_references_; }

 private:
  friend class NodeArena;
  Node() = default;
  NodeKind kind_ = NodeKind::null;
  bool has_references_ = false;
  SourceRange range_;
  std::int64_t integer_ = 0;
  double real_ = 0;
  std::string_view text_;
  std::span<const Node* const> items_;
  std::span<const MapEntry> entries_;
  std::span<const std::uint32_t> index_;  // hash index over entries_, only for large mappings
  std::uint64_t expanded_size_ = 1;
};

/// Owns nodes and their texts. Move-only; nodes stay where they are when it moves.
class NodeArena {
 public:
  NodeArena();
  NodeArena(NodeArena&&) noexcept;
  NodeArena& operator=(NodeArena&&) noexcept;
  ~NodeArena();

  const Node* null(SourceRange range);
  const Node* boolean(bool value, SourceRange range);
  const Node* integer(std::int64_t value, SourceRange range);
  const Node* real(double value, SourceRange range);
  const Node* string(std::string_view text, SourceRange range);  // copies the text
  const Node* sequence(std::span<const Node* const> items, SourceRange range);
  /// Keys must be unique; key texts are copied unless they live in this arena already (intern()).
  const Node* mapping(std::span<const MapEntry> entries, SourceRange range);
  const Node* reference(std::span<const Node* const> parts, SourceRange range);
  /// A copy of `text` that lives as long as the arena.
  std::string_view intern(std::string_view text);

 private:
  struct Impl;
  Node* make(NodeKind kind, SourceRange range);
  const Node* list(NodeKind kind, std::span<const Node* const> items, SourceRange range);
  void add_index(Node& node);

  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::pipelines
