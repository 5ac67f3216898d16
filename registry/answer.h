#pragma once
// One answer of a registry, or of what it leads to. Internal to this folder; one thread.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "registry/authorizer.h"
#include "registry/url.h"
#include "runner/base/http_transfer.h"

namespace runner::registry {

class Answer {
 public:
  /// Sends, and waits for the head. `grant` is what the request shows. Throws Error.
  Answer(HttpRequest request, Url url, Grant grant, const Waits& waits, const std::stop_token& stop);
  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) noexcept = default;

  const HttpHead& head() const noexcept { return head_; }
  /// Who answered.
  const Url& url() const noexcept { return url_; }
  /// A field of the head; "" when it is not there.
  std::string field(const std::string& name) const;
  /// Where Location leads. Throws Error{unavailable} when it is not there or is none.
  Url location() const;

  std::size_t read_some(char* buffer, std::size_t size) { return transfer_->read_some(buffer, size); }
  /// To its end. Throws Error{invalid_input} when it is longer than `most`.
  std::string body(std::size_t most);

  /// Reads what is short to its end, so that the connection is kept.
  void drain();

  /// Says what its status means, with the registry's own words when it gives some. Throws Error: Temporary
  /// for what goes away, not_found, corrupt for a digest that is refused, invalid_input for the rest.
  [[noreturn]] void refuse();

 private:
  std::string begin_of_body();
  std::string said();

  std::unique_ptr<Patience> patience_;  // outlives the transfer
  std::unique_ptr<HttpTransfer> transfer_;
  HttpHead head_;
  Url url_;
  Grant grant_;
};

}  // namespace runner::registry
