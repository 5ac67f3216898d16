#include "runner/storage/audit_chain.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/base64.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/timestamp.h"
#include "runner/storage/sealer.h"

namespace runner::storage {
namespace {

using nlohmann::json;

struct FreeKey {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

constexpr std::size_t kPublicSize = 32, kSignatureSize = 64;

const unsigned char* raw(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::string& bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

[[noreturn]] void fail(const char* what) {
  // Else the next TLS call on this thread could take our error for its own.
  ERR_clear_error();
  throw Error(ErrorCode::internal, what);
}

Key private_key(const Secret& seed) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed.text()), seed.size()));
  if (!key) fail("cannot make a key of the audit log");
  return key;
}

std::string canonical(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t number_of(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

/// An object, or null.
json parsed(std::string_view line) {
  json document = json::parse(line.begin(), line.end(), nullptr, false);
  return document.is_object() ? document : json();
}

bool is_signed(std::string_view text, std::string_view signature, std::string_view by) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(by), by.size()));
  const Context context(EVP_MD_CTX_new());
  const bool good =
      key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace

std::string audit_hash(std::string_view before, std::string_view canonical) {
  Sha256 digest;
  digest.update(before);
  digest.update(canonical);
  return digest.finish_hex();
}

std::optional<std::string> AuditChain::add(std::string_view line) {
  const std::string expected = "record " + std::to_string(head_.seq + 1);
  json document = parsed(line);
  if (!document.is_object()) return expected + " is no JSON object";
  const std::int64_t seq = number_of(document, "seq");
  const std::string hash = text_of(document, "hash"), before = text_of(document, "prev_hash");
  if (seq != head_.seq + 1)
    return expected + " is missing: after " + std::to_string(head_.seq) + " comes " + std::to_string(seq);
  if (before != head_.hash)
    return expected + " does not follow the one before it: that was changed, or this one put here";
  document.erase("hash");
  document.erase("prev_hash");
  if (audit_hash(before, canonical(document)) != hash)
    return expected + " was changed: its hash is another one";
  head_ = {seq, hash};
  time_ = text_of(document, "at");
  action_ = text_of(document, "action");
  return std::nullopt;
}

AuditKey::AuditKey(Secret seed) : seed_(std::move(seed)) {
  if (seed_.size() != kDataKeySize)
    throw Error(ErrorCode::invalid_input, "a key of the audit log has " + std::to_string(kDataKeySize) +
                                              " bytes, and this one " + std::to_string(seed_.size()));
  std::string bytes(kPublicSize, '\0');
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(private_key(seed_).get(), raw(bytes), &size) != 1)
    fail("cannot read a key of the audit log");
  public_key_ = to_base64(bytes);
}

std::string AuditKey::sign(const AuditHead& head, TimePoint at) const {
  json document = {
      {"at", format_iso8601_ms(at)}, {"hash", head.hash}, {"key", public_key_}, {"seq", head.seq}};
  const std::string text = canonical(document);
  const Key key = private_key(seed_);
  const Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureSize, '\0');
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), raw(signature), &size, raw(text), text.size()) != 1)
    fail("cannot sign a checkpoint of the audit log");
  document["signature"] = to_base64(signature);
  return canonical(document);
}

AuditCheckpoint read_checkpoint(std::string_view line) {
  json document = parsed(trim(line));
  AuditCheckpoint checkpoint;
  checkpoint.head = {number_of(document, "seq"), text_of(document, "hash")};
  checkpoint.at = text_of(document, "at");
  checkpoint.key = text_of(document, "key");
  const auto signature = from_base64(text_of(document, "signature")), key = from_base64(checkpoint.key);
  if (!document.is_object() || !signature || !key || key->size() != kPublicSize)
    throw Error(
        ErrorCode::invalid_input,
        "this is no checkpoint of an audit log; it is one line that 'runner audit checkpoint' printed");
  document.erase("signature");
  if (!is_signed(canonical(document), *signature, *key))
    throw Error(ErrorCode::invalid_input, "the signature of the checkpoint is wrong: it was changed since");
  return checkpoint;
}

}  // namespace runner::storage
