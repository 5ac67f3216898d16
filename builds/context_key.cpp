#include "builds/context_key.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "builds/context_files.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

constexpr std::size_t kPiece = 256U << 10U;

// Each field with its length, so that no two trees read alike.
void add(Sha256& digest, std::string_view field) {
  digest.update(std::to_string(field.size()));
  digest.update(":");
  digest.update(field);
}

}  // namespace

ContextKey read_context_key(int context, const IgnoreRules& rules, const std::stop_token& stop) {
  ContextKey key;
  Sha256 all;
  const auto buffer = std::make_unique<char[]>(kPiece);
  const auto content = [&](const ContextEntry& entry) {
    Sha256 digest;
    for (;;) {
      if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
      const ssize_t got = ::read(entry.fd, buffer.get(), kPiece);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read " + in_quotes(to_utf8(entry.path)) + " of the context");
      if (got == 0) return digest.finish_hex();
      key.bytes += static_cast<std::uint64_t>(got);
      digest.update({buffer.get(), static_cast<std::size_t>(got)});
    }
  };
  const auto take = [&](const ContextEntry& entry) {
    add(all, entry.path);
    // Of a link no system cares for its permissions.
    if (entry.kind == ContextEntry::Kind::link) {
      add(all, "link");
      add(all, entry.target);
    } else {
      add(all, entry.kind == ContextEntry::Kind::file ? "file" : "directory");
      add(all, std::to_string(entry.mode));
    }
    if (entry.kind != ContextEntry::Kind::file) return;
    ++key.files;
    add(all, content(entry));
  };
  walk_context(context, rules, take, stop);
  key.digest = all.finish_hex();
  return key;
}

}  // namespace runner::builds
