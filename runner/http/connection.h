#pragma once
// One client: reads requests, has them answered, sends the answers. Reactor only.
//
//   handshake → reading head → (reading body) → handling → sending → reading head ... → lingering → closed

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runner/http/host.h"
#include "runner/http/request_parser.h"
#include "runner/http/sender.h"

namespace runner::http {

/// Shared: by the host, as long as it is open, and by each callback that is pending, as those come after a
/// close too.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Host> host, std::unique_ptr<Transport> transport, Peer peer);

  void start();
  /// Ends it as soon as that breaks nothing off: at once when idle, after the answer otherwise.
  void drain();
  /// Ends it now.
  void cut(GoneReason reason) noexcept;

 private:
  enum class State : std::uint8_t { handshake, head, body, handling, sending, lingering, closed };

  void read_more();
  void received(std::error_code error, std::size_t count);
  void parse();
  void head_complete();
  bool admit_body();
  void body_progress();
  void expired();
  bool skip_line_ends();
  void begin_request();

  void handle();
  void refuse(int status, std::string detail);
  void answer(Response response);
  void answer_or_cut(const std::shared_ptr<Response>& response);
  void send(Response response, const Framing& wanted);
  void answered(bool whole);
  void write_access_record(bool whole);
  void linger();
  void discard();
  void farewell();

  std::string_view unparsed() const noexcept { return {input_.data() + begin_, end_ - begin_}; }

  std::shared_ptr<Host> host_;
  std::unique_ptr<Transport> transport_;
  Peer peer_;
  Deadline deadline_;
  RequestParser parser_;
  Sender sender_;
  State state_ = State::handshake;
  bool reading_ = false;  // a read is pending
  bool end_of_input_ = false;
  bool last_ = false;        // no request is read after this one
  bool unread_ = false;      // of this request something was not read
  std::vector<char> input_;  // bytes from begin_ to end_ are not parsed yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  // Of the request at hand:
  Request request_;
  std::string target_;
  Match match_;
  Framing framing_;
  bool keep_alive_ = true;
  std::uint64_t body_limit_ = 0;
  std::uint64_t body_counted_ = 0;  // in host_->bodies_bytes
  std::size_t in_flight_ = 0;       // 1 while it counts in host_->in_flight
  SteadyPoint began_;
  SteadyPoint body_began_;
  int status_ = 0;
};

}  // namespace runner::http
