// Archives that attempts left.
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/text.h"

namespace runner::api {
namespace {

/// ".zip" or ".tar.zst".
std::string extension_of(const engine::ArchiveView& archive) {
  const std::string file = archive.path.filename().native();
  return file.ends_with(".tar.zst") ? ".tar.zst" : archive.path.extension().native();
}

std::string file_name(const engine::ArchiveView& archive) {
  return to_utf8(archive.name) + extension_of(archive);
}

/// RFC 6266: a name in ASCII for old clients, and the whole one in percents (RFC 5987).
std::string disposition(const std::string& name) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string plain, encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const bool safe = letter || c == '-' || c == '_' || c == '.';
    plain += safe || c == ' ' ? c : '_';
    if (safe) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 0xfU];
    }
  }
  return "attachment; filename=\"" + plain + "\"; filename*=UTF-8''" + encoded;
}

engine::JobResult result_of_call(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "job");
  engine::JobResult result;
  context.parts.store.read([&](storage::Tx& tx) { result = result_of(tx, get_job(tx, id)); });
  return result;
}

}  // namespace

http::Response list_artifacts(Context& context, const Call& call) {
  const engine::JobResult result = result_of_call(context, call);
  std::vector<std::string> items;
  const auto add = [&](const char* kind, const std::optional<engine::ArchiveView>& archive) {
    if (!archive) return;
    JsonObject item;
    item.text("name", file_name(*archive))
        .text("kind", kind)
        .size("bytes", archive->bytes)
        .size("files", archive->files)
        .text("sha256", archive->sha256);
    items.push_back(std::move(item).take());
  };
  add("archive", result.archive);
  add("reports", result.reports);
  return list_response(items, {});
}

http::Response download_artifacts(Context& context, const Call& call) {
  const std::string& kind = call.request.parameters.at("kind");
  if (kind != "archive" && kind != "reports")
    refuse(404,
           "there is no kind of archive " + in_quotes(to_utf8(kind)) + "; ask for 'archive' or 'reports'");
  const engine::JobResult result = result_of_call(context, call);
  const auto& archive = kind == "archive" ? result.archive : result.reports;
  if (!archive)
    refuse(404, "job " + call.request.parameters.at("id") +
                    " left no such archive, or its time is over (artifacts:expire_in)");
  http::Response response;
  const bool zip = extension_of(*archive) == ".zip";
  response.headers.add("Content-Type", zip ? "application/zip" : "application/zstd");
  response.headers.add("Content-Disposition", disposition(file_name(*archive)));
  response.headers.add("ETag", '"' + archive->sha256 + '"');
  // What is relative lies in our directory, not in the one we were started in.
  response.body =
      http::FileBody{.fd = {}, .path = context.parts.data_dir / archive->path, .offset = 0, .length = {}};
  return response;
}

}  // namespace runner::api
