#include "runner/http/sender.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace runner::http {
namespace {

constexpr std::size_t kPiece = std::size_t{128} << 10U;    // of a file, at a time
constexpr std::size_t kTogether = std::size_t{32} << 10U;  // a body so short is sent with its head

/// Up to `length` bytes of the file. True when that failed, or the file got shorter.
bool read_piece(int fd, std::uint64_t offset, std::string& piece) {
  std::size_t done = 0;
  while (done < piece.size()) {
    const ssize_t got =
        ::pread(fd, piece.data() + done, piece.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    done += static_cast<std::size_t>(got);
  }
  return false;
}

}  // namespace

void Sender::send(std::shared_ptr<void> keep, std::string head, Body body, const Framing& framing,
                  Done done) {
  keep_ = std::move(keep);
  done_ = std::move(done);
  began_ = std::chrono::steady_clock::now();
  sent_ = 0;
  head_bytes_ = head.size();
  out_ = std::move(head);
  out_at_ = 0;
  chunked_ = framing.chunked;
  ending_ = ended_ = false;
  if (framing.has_body) {
    if (auto* text = std::get_if<std::string>(&body)) {
      if (text->size() <= kTogether) {
        out_ += *text;
      } else {
        text_ = std::move(*text);
      }
    } else if (auto* file = std::get_if<FileBody>(&body)) {
      file_ = std::move(*file);
    } else {
      stream_ = std::move(std::get<StreamBody>(body));
      ++host_.streams;
      // Called by writers, whenever: it knows the connection weakly, and goes to the reactor's thread first.
      stream_->wake_by([weak = std::weak_ptr(keep_), reactor = host_.reactor, this] {
        reactor->post([weak, this] {
          if (const auto alive = weak.lock()) pump();
        });
      });
    }
  }
  write_out();
}

void Sender::send_bytes(std::shared_ptr<void> keep, std::string bytes, Done done) {
  send(std::move(keep), std::move(bytes), std::string(), Framing{}, std::move(done));
}

void Sender::write_out() {
  if (out_at_ == out_.size()) {
    written();
    return;
  }
  writing_ = true;
  const Limits& limits = host_.limits;
  if (stream_) {  // as slow as its writers: who reads more slowly than they write overflows it
    deadline_.in(limits.write_timeout);
  } else {
    deadline_.at(patience(began_, sent_, limits.write_timeout, limits.body_bytes_per_second));
  }
  transport_.write(std::string_view(out_).substr(out_at_),
                   [this, keep = keep_](std::error_code error, std::size_t count) {
                     writing_ = false;
                     if (!done_) return;  // abandoned meanwhile
                     if (error) {
                       finish(false);
                       return;
                     }
                     out_at_ += count;
                     sent_ += count;
                     write_out();
                   });
}

void Sender::written() {
  out_.clear();
  out_at_ = 0;
  if (stream_) {
    if (ended_) {
      finish(true);
    } else {
      pump();
    }
  } else if (file_ && *file_->length > 0) {
    next_piece();
  } else if (!text_.empty()) {
    out_ = std::exchange(text_, {});
    write_out();
  } else {
    finish(true);
  }
}

void Sender::next_piece() {
  deadline_.never();  // the disk is ours, not the client's
  disk_began_ = std::chrono::steady_clock::now();
  auto piece = std::make_shared<std::string>(
      static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, *file_->length)), '\0');
  // The descriptor stays with the sender, which `keep` keeps: it is closed in the reactor, after this came
  // back.
  host_.disk->submit([this, keep = keep_, piece, fd = file_->fd.get(), offset = file_->offset,
                      reactor = host_.reactor.get()] {
    const bool failed = read_piece(fd, offset, *piece);
    reactor->post([this, keep, piece, failed] { piece_read(piece, failed); });
  });
}

void Sender::piece_read(const std::shared_ptr<std::string>& piece, bool failed) {
  if (!done_) {
    file_.reset();  // abandoned meanwhile
    return;
  }
  began_ += std::chrono::steady_clock::now() - disk_began_;
  if (failed) {
    // The length was promised already: only an end that cannot be mistaken for the real one is left.
    finish(false);
    return;
  }
  file_->offset += piece->size();
  *file_->length -= piece->size();
  out_.swap(*piece);
  write_out();
}

/// Sends what the stream has, or waits for more.
void Sender::pump() {
  if (!stream_ || !done_ || ended_) return;
  if (writing_) {
    if (stream_->is_gone()) finish(false);  // overflowed behind a write that nobody reads
    return;
  }
  StreamBody::Taken taken = stream_->take();
  if (taken.gone) {
    finish(false);
    return;
  }
  ended_ = taken.ended || ending_;
  if (ending_) stream_->gone(GoneReason::server);
  if (!taken.bytes.empty()) out_ = chunked_ ? format_chunk(taken.bytes) : std::move(taken.bytes);
  if (ended_ && chunked_) out_ += format_chunk({});
  if (!out_.empty() || ended_) {
    write_out();
    return;
  }
  const StreamOptions& options = stream_->options();
  if (options.events && options.heartbeat.count() > 0) {
    deadline_.in(options.heartbeat);
  } else {
    deadline_.never();
  }
}

void Sender::expired() {
  if (stream_ && !writing_) {
    constexpr std::string_view kHeartbeat = ": heartbeat\n\n";
    out_ = chunked_ ? format_chunk(kHeartbeat) : std::string(kHeartbeat);
    write_out();
    return;
  }
  if (stream_) stream_->gone(GoneReason::slow);
  finish(false);
}

void Sender::end_stream() {
  ending_ = true;
  pump();  // or when the write that is pending is done
}

void Sender::finish(bool whole) {
  deadline_.never();
  out_.clear();
  out_at_ = 0;
  text_ = {};
  file_.reset();
  if (stream_) {
    stream_->gone(ending_ ? GoneReason::server : GoneReason::client);  // no matter after close()
    stream_.reset();
    --host_.streams;
  }
  const Done done = std::exchange(done_, nullptr);
  const std::shared_ptr<void> keep = std::exchange(keep_, nullptr);
  if (done) done(whole);
}

void Sender::abandon(GoneReason reason) noexcept {
  done_ = nullptr;
  keep_ = nullptr;
  if (stream_) {
    stream_->gone(reason);
    stream_.reset();
    --host_.streams;
  }
}

}  // namespace runner::http
