#include "executors/launch_request.h"

#include <cstring>

#include "runner/base/error.h"

namespace runner::executors {
namespace {

constexpr std::uint64_t kMagic = 0x31504554534e5552;  // "RUNSTEP1"

class Writer {
 public:
  Writer() { number(kMagic); }
  void number(std::uint64_t value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes_.append(raw, sizeof raw);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const auto& value : values) text(value);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {
    if (number() != kMagic) broken();
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    if (bytes_.size() < sizeof value) broken();
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > bytes_.size()) broken();
    std::string value(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return value;
  }
  std::vector<std::string> texts() {
    const std::uint64_t count = number();
    if (count > bytes_.size() / sizeof count) broken();
    std::vector<std::string> values;
    values.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(text());
    return values;
  }
  void end() const {
    if (!bytes_.empty()) broken();
  }

 private:
  [[noreturn]] static void broken() {
    throw Error(ErrorCode::corrupt, "the stored sandbox or step is damaged");
  }

  std::string_view bytes_;
};

void put(Writer& out, const std::optional<OverlayMount>& overlay) {
  out.number(overlay ? 1 : 0);
  if (!overlay) return;
  out.number(overlay->lowers.size());
  for (const auto& lower : overlay->lowers) out.text(lower.native());
  out.text(overlay->upper.native());
  out.text(overlay->work.native());
  out.text(overlay->target.native());
  out.number(overlay->user_namespace ? 1 : 0);
}

std::optional<OverlayMount> get_overlay(Reader& in) {
  if (in.number() == 0) return std::nullopt;
  OverlayMount overlay;
  for (auto& lower : in.texts()) overlay.lowers.emplace_back(std::move(lower));
  overlay.upper = in.text();
  overlay.work = in.text();
  overlay.target = in.text();
  overlay.user_namespace = in.number() != 0;
  return overlay;
}

}  // namespace

std::string encode(const LaunchRequest& request) {
  Writer out;
  out.texts(request.argv);
  out.texts(request.env);
  out.text(request.cwd);
  out.text(request.step_dir);
  put(out, request.overlay);
  out.number(request.file_size_bytes);
  out.number(request.outlives_runner ? 1 : 0);
  return out.take();
}

LaunchRequest decode_launch_request(std::string_view bytes) {
  Reader in(bytes);
  LaunchRequest request;
  request.argv = in.texts();
  request.env = in.texts();
  request.cwd = in.text();
  request.step_dir = in.text();
  request.overlay = get_overlay(in);
  request.file_size_bytes = in.number();
  request.outlives_runner = in.number() != 0;
  in.end();
  return request;
}

std::string encode(const SandboxSpec& spec, std::string_view cookie) {
  Writer out;
  out.text(cookie);
  out.text(spec.id.value);
  out.text(spec.workspace.native());
  put(out, spec.overlay);
  out.text("");  // reserved: written by earlier versions as well, whose sandboxes are still found
  out.number(spec.file_size_bytes);
  out.number(spec.labels.size());
  for (const auto& [name, value] : spec.labels) {
    out.text(name);
    out.text(value);
  }
  return out.take();
}

std::pair<SandboxSpec, std::string> decode_sandbox(std::string_view bytes) {
  Reader in(bytes);
  std::string cookie = in.text();
  SandboxSpec spec;
  spec.id.value = in.text();
  spec.workspace = in.text();
  spec.overlay = get_overlay(in);
  in.text();  // reserved
  spec.file_size_bytes = in.number();
  for (std::uint64_t left = in.number(); left > 0; --left) {
    std::string name = in.text();
    spec.labels[std::move(name)] = in.text();
  }
  in.end();
  return {std::move(spec), std::move(cookie)};
}

}  // namespace runner::executors
