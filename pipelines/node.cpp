#include "pipelines/node.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <utility>

namespace runner::pipelines {
namespace {

constexpr std::size_t kIndexFrom = 12;  // entries from which a mapping gets an index
constexpr std::size_t kFirstChunk = std::size_t{16} << 10U;
constexpr std::size_t kMaxChunk = std::size_t{1} << 20U;
constexpr std::uint32_t kNoEntry = 0;  // slots hold the number of an entry plus one

std::size_t hash_of(std::string_view key) noexcept {
  return std::hash<std::string_view>{}(key);
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
  return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max()
                                                           : a + b;
}

/// The text of a number as the reference prints it: shortest digits that give the same value, always with a
/// point, an exponent only below 1e-4 and from 1e16.
std::string real_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 64> buffer{};
  const auto shortest =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string_view scientific(buffer.data(), static_cast<std::size_t>(shortest.ptr - buffer.data()));
  const std::size_t mark = scientific.find('e');
  int exponent = 0;
  const char* digits = scientific.data() + mark + 1;
  if (*digits == '+') ++digits;
  std::from_chars(digits, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) {
    std::string mantissa(scientific.substr(0, mark));
    if (mantissa.find('.') == std::string::npos) mantissa += ".0";
    return fmt::format("{}e{}{:02}", mantissa, exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
  }
  std::array<char, 64> fixed{};
  const auto end = std::to_chars(fixed.data(), fixed.data() + fixed.size(), value, std::chars_format::fixed);
  std::string text(fixed.data(), end.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string_view describe(NodeKind kind) noexcept {
  switch (kind) {
    case NodeKind::null:
      return "nothing";
    case NodeKind::boolean:
      return "a boolean";
    case NodeKind::integer:
      return "an integer";
    case NodeKind::real:
      return "a number";
    case NodeKind::string:
      return "a string";
    case NodeKind::sequence:
      return "a list";
    case NodeKind::mapping:
      return "a mapping";
    case NodeKind::reference:
      return "a '!reference'";
  }
  return "a value";
}

const MapEntry* Node::find_entry(std::string_view key) const noexcept {
  if (index_.empty()) {
    for (const MapEntry& entry : entries_) {
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  const std::size_t mask = index_.size() - 1;
  for (std::size_t slot = hash_of(key) & mask; index_[slot] != kNoEntry; slot = (slot + 1) & mask) {
    const MapEntry& entry = entries_[index_[slot] - 1];
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

const Node* Node::find(std::string_view key) const noexcept {
  const MapEntry* entry = find_entry(key);
  return entry == nullptr ? nullptr : entry->value;
}

struct NodeArena::Impl {
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::size_t size = 0;
  };
  std::vector<Chunk> chunks;
  std::byte* next = nullptr;
  std::size_t left = 0;
  std::size_t next_size = kFirstChunk;

  void* allocate(std::size_t size, std::size_t alignment) {
    const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(next) % alignment;
    const std::size_t padding = misaligned == 0 ? 0 : alignment - misaligned;
    if (left < size + padding) return allocate_in_new_chunk(size);
    std::byte* at = next + padding;
    next = at + size;
    left -= size + padding;
    return at;
  }

  void* allocate_in_new_chunk(std::size_t size) {
    const std::size_t chunk_size = std::max(size, next_size);
    // for_overwrite: a zeroed chunk would be touched in full.
    Chunk& chunk =
        chunks.emplace_back(Chunk{std::unique_ptr<std::byte[]>(new std::byte[chunk_size]), chunk_size});
    if (size > next_size / 2)
      return chunk.memory.get();  // a large one keeps its own, the current chunk goes on
    next_size = std::min(next_size * 2, kMaxChunk);
    next = chunk.memory.get() + size;
    left = chunk_size - size;
    return chunk.memory.get();
  }

  template <typename T>
  std::span<T> array(std::size_t count) {
    return {static_cast<T*>(allocate(count * sizeof(T), alignof(T))), count};
  }

  /// Whether a text was made by intern(): linear in chunks, which grow to 1 MiB each.
  bool owns(std::string_view text) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(text.data());
    return std::any_of(chunks.rbegin(), chunks.rend(), [&](const Chunk& chunk) {
      const auto begin = reinterpret_cast<std::uintptr_t>(chunk.memory.get());
      return at >= begin && at < begin + chunk.size;
    });
  }
};

NodeArena::NodeArena() : impl_(std::make_unique<Impl>()) {}
NodeArena::NodeArena(NodeArena&&) noexcept = default;
NodeArena& NodeArena::operator=(NodeArena&&) noexcept = default;
NodeArena::~NodeArena() = default;

Node* NodeArena::make(NodeKind kind, SourceRange range) {
  static_assert(std::is_trivially_destructible_v<Node>, "the arena never runs destructors");
  Node* node = new (impl_->allocate(sizeof(Node), alignof(Node))) Node();
  node->kind_ = kind;
  node->range_ = range;
  return node;
}

std::string_view NodeArena::intern(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(impl_->allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

const Node* NodeArena::null(SourceRange range) {
  return make(NodeKind::null, range);
}

const Node* NodeArena::boolean(bool value, SourceRange range) {
  Node* node = make(NodeKind::boolean, range);
  node->integer_ = value ? 1 : 0;
  node->text_ = value ? "true" : "false";
  return node;
}

const Node* NodeArena::integer(std::int64_t value, SourceRange range) {
  Node* node = make(NodeKind::integer, range);
  std::array<char, 24> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  node->integer_ = value;
  node->text_ = intern({buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data())});
  return node;
}

const Node* NodeArena::real(double value, SourceRange range) {
  Node* node = make(NodeKind::real, range);
  node->real_ = value;
  node->text_ = intern(real_text(value));
  return node;
}

const Node* NodeArena::string(std::string_view text, SourceRange range) {
  Node* node = make(NodeKind::string, range);
  node->text_ = intern(text);
  return node;
}

const Node* NodeArena::list(NodeKind kind, std::span<const Node* const> items, SourceRange range) {
  Node* node = make(kind, range);
  const auto copy = impl_->array<const Node*>(items.size());
  std::copy(items.begin(), items.end(), copy.begin());
  node->items_ = copy;
  node->has_references_ = kind == NodeKind::reference;
  for (const Node* item : items) {
    node->expanded_size_ = saturating_add(node->expanded_size_, item->expanded_size());
    node->has_references_ = node->has_references_ || item->has_references();
  }
  return node;
}

const Node* NodeArena::sequence(std::span<const Node* const> items, SourceRange range) {
  return list(NodeKind::sequence, items, range);
}

const Node* NodeArena::reference(std::span<const Node* const> parts, SourceRange range) {
  return list(NodeKind::reference, parts, range);
}

const Node* NodeArena::mapping(std::span<const MapEntry> entries, SourceRange range) {
  Node* node = make(NodeKind::mapping, range);
  const auto copy = impl_->array<MapEntry>(entries.size());
  for (std::size_t at = 0; at < entries.size(); ++at) {
    MapEntry* entry = new (&copy[at]) MapEntry(entries[at]);
    if (!impl_->owns(entry->key)) entry->key = intern(entry->key);
    node->expanded_size_ = saturating_add(node->expanded_size_, entry->value->expanded_size());
    node->has_references_ = node->has_references_ || entry->value->has_references();
  }
  node->entries_ = copy;
  if (entries.size() >= kIndexFrom) add_index(*node);
  return node;
}

void NodeArena::add_index(Node& node) {
  std::size_t size = 32;
  while (size < node.entries_.size() * 2) size *= 2;
  const auto slots = impl_->array<std::uint32_t>(size);
  std::fill(slots.begin(), slots.end(), kNoEntry);
  for (std::size_t at = 0; at < node.entries_.size(); ++at) {
    std::size_t slot = hash_of(node.entries_[at].key) & (size - 1);
    while (slots[slot] != kNoEntry) slot = (slot + 1) & (size - 1);
    slots[slot] = static_cast<std::uint32_t>(at + 1);
  }
  node.index_ = slots;
}

}  // namespace runner::pipelines
