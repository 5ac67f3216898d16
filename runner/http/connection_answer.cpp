#include <exception>

#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/http/connection.h"
#include "runner/http/prepare.h"
#include "runner/http/problem.h"
#include "runner/http/target.h"

namespace runner::http {
namespace {

/// In the thread of the handler. nullptr when not even a problem could be made of what failed (no memory).
/// Shared, as a posted call must be copyable.
std::shared_ptr<Response> response_of(const Route& route, const Request& request) noexcept {
  try {
    return std::make_shared<Response>(prepare(request, call_handler(route, request)));
  } catch (...) {
    log_error("http", "a request gets no answer, as there is no memory for one");
    return nullptr;
  }
}

}  // namespace

/// The request is whole.
void Connection::handle() {
  state_ = State::handling;
  deadline_.never();  // the handler's time is not the client's fault
  const Route& route = *match_.route;
  if (route.fast && !(route.unless && route.unless(request_))) {
    answer_or_cut(response_of(route, request_));
    return;
  }
  // The request stays where it is: nobody else touches it until the answer is posted back.
  host_->handlers->submit([self = shared_from_this()] {
    const std::shared_ptr<Response> response = response_of(*self->match_.route, self->request_);
    self->host_->reactor->post([self, response] {
      if (self->state_ == State::handling) self->answer_or_cut(response);
    });
  });
}

void Connection::answer_or_cut(const std::shared_ptr<Response>& response) {
  if (response) {
    answer(std::move(*response));
  } else {
    cut(GoneReason::server);
  }
}

/// Answers what is no request, or one that nobody may handle.
void Connection::refuse(int status, std::string detail) {
  last_ = last_ || unread_;
  Response response = problem_response(request_, {.status = status, .detail = std::move(detail)});
  if (status == 503) response.headers.add("Retry-After", "5");
  answer(std::move(response));
}

void Connection::answer(Response response) {
  last_ = last_ || unread_ || host_->stopping;
  framing_.keep_alive = keep_alive_ && !last_;
  state_ = State::sending;
  try {
    send(std::move(response), framing_);
  } catch (const std::exception& error) {
    log_error("http", "request " + in_quotes(request_.id) + ", " + request_.method + " " + request_.path +
                          ": " + error.what());
    send(problem_response(request_, {.status = 500}), framing_);
  }
}

void Connection::send(Response response, const Framing& wanted) {
  framing_ = frame(response, wanted);
  std::string head = format_head(response, framing_, request_.id, host_->date());
  last_ = !framing_.keep_alive;
  status_ = response.status;
  sender_.send(shared_from_this(), std::move(head), std::move(response.body), framing_,
               [this](bool whole) { answered(whole); });
  if (!sender_.is_streaming()) return;
  if (host_->stopping) sender_.end_stream();
  read_more();  // only so is a client noticed that goes away
}

void Connection::answered(bool whole) {
  write_access_record(whole);
  ++host_->requests;
  host_->bodies_bytes -= std::exchange(body_counted_, 0);
  host_->in_flight -= std::exchange(in_flight_, 0);
  if (!whole) {
    state_ = State::lingering;  // it is written down already
    cut(GoneReason::client);
    return;
  }
  if (last_ || host_->stopping) {
    linger();
    return;
  }
  began_ = SteadyPoint();
  request_ = Request();
  parser_.reset();
  state_ = State::head;
  deadline_.in(host_->limits.idle_timeout);
  if (begin_ != end_) {
    parse();  // the next one came with the last
  } else {
    read_more();
  }
}

void Connection::write_access_record(bool whole) {
  if (!host_->access_log) return;
  AccessRecord record;
  record.request_id = request_.id;
  record.method = request_.method;
  record.target = loggable(target_);
  if (match_.route != nullptr) record.route = match_.route->pattern;
  record.peer = peer_;
  record.status = status_;
  record.body_bytes = status_ == 0 ? 0 : sender_.body_bytes();
  record.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began_);
  record.complete = whole;
  try {
    host_->access_log(record);
  } catch (const std::exception& error) {
    log_error("http", std::string("cannot write the access log: ") + error.what());
  }
}

/// A close with bytes unread makes the kernel send a reset, which may overtake the answer. So what the client
/// still sends is read, up to its end or the deadline.
void Connection::linger() {
  state_ = State::lingering;
  end_ = begin_;
  deadline_.in(host_->limits.linger_timeout);
  if (unread_ && peer_.tls) {
    discard();  // TLS says goodbye in both directions: not before the client has said all
  } else {
    farewell();
  }
}

void Connection::farewell() {
  if (reading_ && peer_.tls) {  // the pending read of a stream; goodbye() would read too
    cut(GoneReason::client);
    return;
  }
  transport_->goodbye([self = shared_from_this()] {
    if (self->state_ != State::lingering) return;
    if (self->peer_.tls) {
      self->cut(GoneReason::client);
    } else {
      self->discard();
    }
  });
}

void Connection::discard() {
  if (end_of_input_) {
    cut(GoneReason::client);
    return;
  }
  read_more();
}

}  // namespace runner::http
