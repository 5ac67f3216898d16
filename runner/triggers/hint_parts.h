#pragma once
// Parts of hints, read from payloads and checked. Inside of this folder only. All throw Error{invalid_input}
// with the place in the payload, as PayloadPlace does.

#include <string>
#include <string_view>

#include "runner/triggers/payload.h"
#include "runner/triggers/webhook.h"

namespace runner::triggers {

/// 40 or 64 hex digits in lower case, of which some are not zero; "" for zeros only, and for what is absent.
std::string read_commit_id(const PayloadPlace& place);
/// "main", without refs/heads/.
std::string read_branch(const PayloadPlace& place);
/// A whole name such as "refs/heads/main", of which `folder` may be left out in the payload.
std::string read_ref(const PayloadPlace& place, std::string_view folder = {});
std::int64_t read_request_number(const PayloadPlace& place);

/// A ref that was at `before` and is at `after` now: zeros, or absent, is none. Refuses two nones.
RefChange read_change(std::string ref, const PayloadPlace& before, const PayloadPlace& after);
/// Push or tag, by the refs; the head when there is one ref.
void add_changes(Hint& hint, std::vector<RefChange> changes);

/// Without what would disturb a terminal or a page: control characters, and marks that turn the direction of
/// text.
std::string display_text(std::string_view text);
/// The first of these that is there, as display_text().
std::string read_user(std::initializer_list<PayloadPlace> places);

/// Whether two repositories are two: their ids, or that the source is gone.
bool differ(const PayloadPlace& source_id, const PayloadPlace& target_id);

// What each forge sends, into a hint whose forge, ids and digest are set.
void read_github(const Delivery& delivery, std::string_view payload, Hint& hint);  // Gitea and Forgejo too
void read_gitlab(std::string_view payload, Hint& hint);
void read_bitbucket_cloud(const Delivery& delivery, std::string_view payload, Hint& hint);
void read_bitbucket_server(const Delivery& delivery, std::string_view payload, Hint& hint);
/// Sets the delivery id too, when there is one.
void read_plain(std::string_view payload, Hint& hint);

/// read_payload() that throws Error{invalid_input}.
PayloadValue read_or_refuse(std::string_view payload, std::span<const std::string_view> places);
/// Of letters, digits and signs, 200 bytes at most.
bool is_delivery_id(std::string_view id) noexcept;

}  // namespace runner::triggers
