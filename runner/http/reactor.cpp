#include "runner/http/reactor.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <string>

#include "runner/base/log.h"

namespace runner::http {

namespace asio = boost::asio;

struct Reactor::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};

  /// A failed callback costs what it was about (bad_alloc, mostly), not the server.
  template <typename Run>
  void guarded(const Run& run) noexcept {
    for (;;) {
      try {
        run();
        return;
      } catch (const std::exception& error) {
        log_error("http", std::string("a callback of the reactor failed: ") + error.what());
      } catch (...) {
        log_error("http", "a callback of the reactor failed with an unknown exception");
      }
    }
  }
};

Reactor::Reactor() : impl_(std::make_unique<Impl>()) {}
Reactor::~Reactor() = default;

void Reactor::post(std::function<void()> call) {
  asio::post(impl_->context, std::move(call));
}

void Reactor::run() noexcept {
  impl_->guarded([this] { impl_->context.run(); });
}

void Reactor::stop() {
  impl_->context.stop();
}

void Reactor::drain() noexcept {
  impl_->guarded([this] {
    std::size_t ran = 0;
    do {  // one of them may call stop(), and what is behind it must not stay: it may own what owns this
      impl_->context.restart();
      ran = impl_->context.poll();
    } while (ran > 0);
  });
}

asio::io_context& Reactor::context() noexcept {
  return impl_->context;
}

// What has rung already waits in the queue of the context, where cancel() does not reach it: hence the
// number.
struct Timer::Impl {
  explicit Impl(asio::io_context& context) : timer(context) {}
  asio::steady_timer timer;
  std::uint64_t number = 0;  // of what was set last
};

Timer::Timer(Reactor& reactor) : impl_(std::make_shared<Impl>(reactor.context())) {}
Timer::~Timer() = default;

void Timer::set(SteadyPoint when, std::function<void()> call) {
  impl_->timer.expires_at(when);
  impl_->timer.async_wait([weak = std::weak_ptr(impl_), number = ++impl_->number,
                           call = std::move(call)](const boost::system::error_code& error) {
    const auto alive = weak.lock();
    if (!error && alive && alive->number == number) call();
  });
}

void Timer::cancel() noexcept {
  ++impl_->number;
  try {
    impl_->timer.cancel();
  } catch (const std::exception& error) {
    log_error("http", std::string("cannot cancel a timer: ") + error.what());
  }
}

struct Watch::Impl {
  Impl(asio::io_context& context, int fd) : descriptor(context, fd) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { descriptor.release(); }  // which cancels, and leaves the descriptor to its owner
  asio::posix::stream_descriptor descriptor;
};

Watch::Watch(Reactor& reactor, int fd) : impl_(std::make_shared<Impl>(reactor.context(), fd)) {}
Watch::~Watch() = default;

void Watch::once(std::function<void(std::error_code)> call) {
  impl_->descriptor.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [weak = std::weak_ptr(impl_), call = std::move(call)](const boost::system::error_code& error) {
        if (weak.lock()) call(error);
      });
}

}  // namespace runner::http
