#include "artifacts/zip_writer.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "artifacts/directory_cursor.h"
#include "artifacts/file_copies.h"
#include "artifacts/zip_format.h"
#include "artifacts/zip_packer.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::artifacts::zip {
namespace {

constexpr std::size_t kMostPiecesInABatch = 128;

class Writer {
 public:
  Writer(const std::filesystem::path& tree, const OpenedTrees& opened, int level,
         const std::function<bool()>& stop, ArchiveOutput& output)
      : opened_(opened),
        stop_(stop),
        output_(output),
        directories_(tree, DirectoryCursor::Missing::fail),
        packer_(tree, level) {}

  void add(const TreeEntry& entry) {
    if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "it was stopped");
    const auto [parent, name] = split_name(entry.path);
    const int directory = directories_.at(parent);
    struct stat info = look_at(directory, name);
    opened_.correct(info);
    Entry& added = entries_.emplace_back();
    added.path = entry.path;
    added.mode = info.st_mode;
    added.modified = info.st_mtim.tv_sec;
    Piece piece;
    piece.entry = &added;
    if (S_ISREG(info.st_mode)) {
      added.size = static_cast<std::uint64_t>(info.st_size);
      return add_content(std::move(piece));
    }
    if (S_ISLNK(info.st_mode)) {
      piece.content = read_link(directory, name);
      added.size = piece.content.size();
    } else if (S_ISDIR(info.st_mode)) {
      added.path += '/';
    } else {
      throw Error(ErrorCode::invalid_input, "it is neither file, directory nor link");
    }
    add_piece(std::move(piece));
  }

  void finish() {
    if (!batch_->pieces.empty()) packer_.give(std::exchange(batch_, nullptr));
    while (!packer_.is_empty()) write(*packer_.take());
    const std::uint64_t start = output_.bytes;
    std::string headers;
    for (const Entry& entry : entries_) {
      headers += directory_header(entry);
      if (headers.size() >= kPiece) output_.write(std::exchange(headers, {}));
    }
    output_.write(headers);
    output_.write(end_records(entries_.size(), output_.bytes - start, start));
  }

 private:
  void add_content(Piece whole) {
    const std::uint64_t size = whole.entry->size;
    do {
      Piece piece;
      piece.entry = whole.entry;
      piece.offset = whole.offset;
      piece.length = std::min(kPiece, size - whole.offset);
      whole.offset += piece.length;
      piece.last = whole.offset == size;
      add_piece(std::move(piece));
    } while (whole.offset < size);
  }

  void add_piece(Piece piece) {
    batch_->bytes += piece.length;
    batch_->pieces.push_back(std::move(piece));
    if (batch_->bytes < kPiece && batch_->pieces.size() < kMostPiecesInABatch) return;
    if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "it was stopped");
    while (packer_.is_full()) write(*packer_.take());
    packer_.give(std::exchange(batch_, std::make_unique<Batch>()));
  }

  void write(const Batch& batch) {
    if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "it was stopped");
    for (const Piece& piece : batch.pieces) write(piece);
  }

  /// Pieces come in the order of entries, so the one being written is the next that was not.
  void write(const Piece& piece) {
    Entry& entry = entries_[written_];
    if (piece.offset == 0) {
      entry.offset = output_.bytes;
      entry.method = piece.method;
      entry.streamed = !piece.is_whole();
      entry.packed = entry.streamed ? 0 : piece.packed.size();
      entry.crc = piece.crc;
      output_.write(local_header(entry));
    } else {
      entry.crc = static_cast<std::uint32_t>(
          ::crc32_combine(entry.crc, piece.crc, static_cast<z_off_t>(piece.length)));
    }
    output_.write(piece.packed);
    if (entry.streamed) entry.packed += piece.packed.size();
    if (!piece.last) return;
    if (entry.streamed) output_.write(descriptor(entry));
    ++written_;
  }

  const OpenedTrees& opened_;
  const std::function<bool()>& stop_;
  ArchiveOutput& output_;
  DirectoryCursor directories_;
  // Grows at its end while threads read path, mode and size of those before: elements stay where they are.
  std::deque<Entry> entries_;
  std::size_t written_ = 0;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  Packer packer_;
};

}  // namespace

void write(const std::filesystem::path& tree, std::span<const TreeEntry> entries, const OpenedTrees& opened,
           int level, const std::function<bool()>& stop, ArchiveOutput& output) {
  Writer writer(tree, opened, level, stop, output);
  for (const TreeEntry& entry : entries) {
    try {
      writer.add(entry);
    } catch (Error& error) {
      if (error.code() != ErrorCode::cancelled) error.add_context("while packing " + in_quotes(entry.path));
      throw;
    }
  }
  writer.finish();
}

}  // namespace runner::artifacts::zip
