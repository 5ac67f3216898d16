#include "runner/http/connection.h"

#include <algorithm>
#include <cstring>

#include "runner/base/text.h"
#include "runner/http/target.h"

namespace runner::http {

// Reading; what follows a whole request is in connection_answer.cpp.

Connection::Connection(std::shared_ptr<Host> host, std::unique_ptr<Transport> transport, Peer peer)
    : host_(std::move(host)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      deadline_(*host_->reactor),
      parser_(host_->limits.header_bytes, host_->limits.header_fields),
      sender_(*host_, *transport_, deadline_),
      input_(host_->limits.header_bytes) {}

void Connection::start() {
  deadline_.on_expired([self = shared_from_this()] { self->expired(); });
  deadline_.in(host_->limits.header_timeout);
  transport_->handshake([self = shared_from_this()](std::error_code error) {
    if (self->state_ != State::handshake) return;
    if (error) {
      self->cut(GoneReason::client);
      return;
    }
    self->state_ = State::head;
    self->deadline_.in(self->host_->limits.header_timeout);
    self->read_more();
  });
}

void Connection::drain() {
  const bool between_requests = state_ == State::head && begin_ == end_;
  if (state_ == State::handshake || between_requests) {
    cut(GoneReason::server);
    return;
  }
  last_ = true;
  if (sender_.is_streaming()) sender_.end_stream();
}

void Connection::cut(GoneReason reason) noexcept {
  if (state_ == State::closed) return;
  const auto self = weak_from_this().lock();  // the host holds it, until further down
  const bool under_way = state_ == State::handling || state_ == State::sending || state_ == State::body;
  state_ = State::closed;
  sender_.abandon(reason);
  deadline_.close();
  transport_->close();
  host_->bodies_bytes -= std::exchange(body_counted_, 0);
  host_->in_flight -= std::exchange(in_flight_, 0);
  if (under_way) write_access_record(false);
  --host_->connection_count;
  host_->connections.erase(self);
  if (host_->gone) host_->gone(peer_);
}

void Connection::read_more() {
  if (reading_ || state_ == State::closed) return;
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == input_.size()) {  // while a stream is sent: who talks so much meanwhile listens to nothing
    cut(GoneReason::client);
    return;
  }
  reading_ = true;
  transport_->read(std::span(input_).subspan(end_),
                   [self = shared_from_this()](std::error_code error, std::size_t count) {
                     self->reading_ = false;
                     self->received(error, count);
                   });
}

void Connection::received(std::error_code error, std::size_t count) {
  end_ += count;
  switch (state_) {
    case State::head:
    case State::body:
      if (error || count == 0) {
        // A client that closes its half after a whole request gets its answer: that is read no further than
        // needed.
        cut(GoneReason::client);
        return;
      }
      parse();
      return;
    case State::sending:
      if (!sender_.is_streaming())
        return;  // begun for a stream that has ended since; what came is parsed later
      if (error || count == 0) {
        cut(GoneReason::client);
        return;
      }
      read_more();
      return;
    case State::lingering:
      end_ = begin_;
      end_of_input_ = error || count == 0;
      discard();
      return;
    case State::handshake:
    case State::handling:
    case State::closed:
      return;
  }
}

/// Takes as much as one request from what was received.
void Connection::parse() {
  while (state_ == State::head || state_ == State::body) {
    if (state_ == State::head && began_ == SteadyPoint() && skip_line_ends()) begin_request();
    std::size_t consumed = 0;
    const RequestParser::Step step = parser_.feed(unparsed(), consumed);
    begin_ += consumed;
    switch (step) {
      case RequestParser::Step::need_more:
        if (state_ == State::body) body_progress();
        read_more();
        return;
      case RequestParser::Step::head:
        head_complete();
        break;
      case RequestParser::Step::body:
        if (!admit_body()) return;
        break;
      case RequestParser::Step::complete:
        if (!admit_body()) return;
        unread_ = false;
        request_.body = parser_.take_body();
        handle();
        return;
      case RequestParser::Step::error:
        refuse(parser_.error_status(), parser_.error_text());
        return;
    }
  }
}

/// Those between requests begin none (RFC 9112, section 2.2): the connection stays idle. True when more is
/// there.
bool Connection::skip_line_ends() {
  while (begin_ != end_ && (input_[begin_] == '\r' || input_[begin_] == '\n')) ++begin_;
  return begin_ != end_;
}

/// The first bytes of a request are there.
void Connection::begin_request() {
  began_ = std::chrono::steady_clock::now();
  deadline_.at(began_ + host_->limits.header_timeout);
  host_->last_request.store(began_.time_since_epoch().count(), std::memory_order_relaxed);
  request_ = Request();
  match_ = Match();
  request_.id = host_->make_request_id();
  request_.peer = peer_;
  target_.clear();
  framing_ = Framing();
  status_ = 0;
  unread_ = true;
}

void Connection::head_complete() {
  RequestHead head = parser_.take_head();
  in_flight_ = 1;
  ++host_->in_flight;
  framing_.http_1_0 = head.minor == 0;
  framing_.head_only = head.method == "HEAD";
  keep_alive_ = head.keep_alive;
  target_ = std::move(head.target);
  request_.method = std::move(head.method);
  request_.headers = std::move(head.headers);
  if (const std::string* id = request_.headers.find("X-Request-Id"); id != nullptr && is_request_id(*id))
    request_.id = *id;
  unread_ = head.chunked || head.content_length.value_or(0) > 0;

  if (target_.size() > host_->limits.target_bytes) {
    refuse(414, "the target of the request is longer than " + format_bytes(host_->limits.target_bytes));
    return;
  }
  auto target = parse_target(target_);
  if (!target) {
    refuse(400, "the target of the request is malformed");
    return;
  }
  request_.path = std::move(target->path);
  request_.segments = std::move(target->segments);
  request_.query = std::move(target->query);
  match_ = host_->router.match(request_.method, request_.segments);
  if (match_.route == nullptr) {
    answer(without_route(request_, match_));
    return;
  }
  request_.parameters = std::move(match_.parameters);
  body_limit_ = match_.route->body_limit.value_or(host_->limits.body_bytes);
  if (head.content_length.value_or(0) > body_limit_) {
    refuse(413, "the body may have " + format_bytes(body_limit_) + " here");
    return;
  }
  const std::string* expect = request_.headers.find("Expect");
  if (expect != nullptr && to_lower(*expect) != "100-continue") {
    refuse(417, "the only expectation that is understood is '100-continue'");
    return;
  }
  body_began_ = std::chrono::steady_clock::now();
  state_ = State::body;
  deadline_.in(host_->limits.body_timeout);
  // Nobody waits for a word from us when the body is here already.
  if (expect == nullptr || framing_.http_1_0 || !unread_ || begin_ != end_) return;
  state_ = State::sending;
  sender_.send_bytes(shared_from_this(), "HTTP/1.1 100 Continue\r\n\r\n", [this](bool whole) {
    if (!whole) {
      cut(GoneReason::client);
      return;
    }
    state_ = State::body;
    deadline_.in(host_->limits.body_timeout);
    parse();
  });
}

/// Counts what came of the body. False when it was too much, and the request was refused.
bool Connection::admit_body() {
  const std::uint64_t size = parser_.body_bytes();
  host_->bodies_bytes += size - body_counted_;
  body_counted_ = size;
  if (size > body_limit_) {
    refuse(413, "the body may have " + format_bytes(body_limit_) + " here");
    return false;
  }
  if (host_->bodies_bytes > host_->limits.all_bodies_bytes) {
    refuse(503, "too many large requests at once; try again later");
    return false;
  }
  return true;
}

/// Each byte gives more time, but on the whole it must not be slower than the limit says.
void Connection::body_progress() {
  const Limits& limits = host_->limits;
  deadline_.at(patience(body_began_, body_counted_, limits.body_timeout, limits.body_bytes_per_second));
}

void Connection::expired() {
  switch (state_) {
    case State::sending:
      if (sender_.is_busy()) {
        sender_.expired();
        return;
      }
      break;
    case State::head:
      if (began_ == SteadyPoint()) break;  // idle: it knows by the close
      [[fallthrough]];
    case State::body:
      refuse(408, "the request did not come in time");
      return;
    case State::handshake:
    case State::handling:
    case State::lingering:
    case State::closed:
      break;
  }
  cut(GoneReason::client);
}

}  // namespace runner::http
