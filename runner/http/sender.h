#pragma once
// Sends one answer after another on a transport. Reactor only.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runner/http/host.h"
#include "runner/http/message.h"
#include "runner/http/reactor.h"
#include "runner/http/response_head.h"

namespace runner::http {

/// Part of a connection, whose transport and deadline it uses while it sends. It holds one piece of a body at
/// a time, of a stream what its buffer held at most.
class Sender {
 public:
  /// Whole or broken off. It may call send() again.
  using Done = std::function<void(bool whole)>;

  Sender(Host& host, Transport& transport, Deadline& deadline)
      : host_(host), transport_(transport), deadline_(deadline) {}

  /// `keep` owns this sender; held while something is pending. Not while another answer is on its way.
  void send(std::shared_ptr<void> keep, std::string head, Body body, const Framing& framing, Done done);
  /// A few bytes beside the answers ("100 Continue"). The same rules.
  void send_bytes(std::shared_ptr<void> keep, std::string bytes, Done done);

  bool is_streaming() const noexcept { return stream_.has_value(); }
  bool is_busy() const noexcept { return done_ != nullptr; }
  /// The deadline passed: a heartbeat is due, or the client takes too long.
  void expired();
  /// Ends a stream in good order: what was written is still sent.
  void end_stream();
  /// The connection closes: nothing is sent any more, nobody is called but who waits for the stream.
  void abandon(GoneReason reason) noexcept;

  std::uint64_t body_bytes() const noexcept { return sent_ > head_bytes_ ? sent_ - head_bytes_ : 0; }

 private:
  void write_out();
  void written();
  void next_piece();
  void piece_read(const std::shared_ptr<std::string>& piece, bool failed);
  void pump();
  void finish(bool whole);

  Host& host_;
  Transport& transport_;
  Deadline& deadline_;
  std::shared_ptr<void> keep_;
  Done done_;
  std::string out_;  // being written, from out_at_ on
  std::size_t out_at_ = 0;
  bool writing_ = false;
  std::string text_;  // what follows the head
  std::optional<FileBody> file_;
  std::optional<StreamBody> stream_;
  bool chunked_ = false;
  bool ending_ = false;  // the stream was told to end
  bool ended_ = false;   // its last bytes are on their way
  SteadyPoint began_;    // moved on by the time that reading took
  SteadyPoint disk_began_;
  std::uint64_t sent_ = 0;
  std::uint64_t head_bytes_ = 0;
};

}  // namespace runner::http
