#pragma once
// A raw HTTP client: sends the bytes it is told, when it is told, and waits with poll and a deadline.

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/fd.h"

namespace runner::http::testing {

struct Answer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without chunk heads

  std::string header(const std::string& name) const;
};

class Client {
 public:
  static Client tcp(std::uint16_t port, const std::string& address = "127.0.0.1", int receive_buffer = 0);
  static Client unix_socket(const std::filesystem::path& path);

  /// False when the other side is gone.
  bool send(std::string_view bytes);
  void half_close();
  void close() { fd_.reset(); }
  /// A reset in place of an orderly end.
  void reset();

  /// One whole answer; status 0 when the connection ends or nothing comes in time. `head_only`: of a HEAD
  /// request.
  Answer read_answer(bool head_only = false);
  /// Status line and fields of an answer.
  Answer read_head();
  /// Exactly so many bytes, or fewer when the connection ends.
  std::string read_bytes(std::size_t count);
  /// The body of the next chunk; nullopt when the connection ends, "" at the last.
  std::optional<std::string> read_chunk();
  /// Up to and with `mark`, or to the end of the connection.
  std::string read_until(std::string_view mark);
  /// All up to the end of the connection.
  std::string read_all();
  /// Whether the other side ends the connection, without a further byte.
  bool ends();
  int fd() const { return fd_.get(); }

 private:
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}
  bool fill();

  UniqueFd fd_;
  std::string buffer_;
};

/// Waits for the descriptor to be readable, 20 s at most.
bool wait_readable(int fd);

/// What a program prints (both outputs), and its exit code.
struct Ran {
  int code = -1;
  std::string output;
};
Ran run_command(const std::string& command);

}  // namespace runner::http::testing
