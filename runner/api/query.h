#pragma once
// The query of lists: pages, filters. Internal to this folder.

#include <optional>
#include <string>

#include "runner/http/message.h"

namespace runner::api {

/// Throws Refusal (422) for a parameter that `allowed` ("limit,cursor") does not name, or that is there twice
/// and is not `repeatable`.
void check_query(const http::Request& request, std::string_view allowed, std::string_view repeatable = {});

struct Page {
  std::size_t limit = 20;
  std::string after;  // what the last item of the page before was called; empty: the first page
};
/// `kind` names the list: a cursor of another one is refused. Throws Refusal.
Page page_of(const http::Request& request, std::string_view kind);
/// The same for lists that go by id; 0: the first page.
std::int64_t after_id(const Page& page);

/// What page_of() takes. Clients are not to read it: hex keeps them from it, not more.
std::string make_cursor(std::string_view kind, std::string_view last);

/// Takes away what was fetched beyond the page, and says how the next one begins.
template <typename Record, typename Name>
std::optional<std::string> cut_page(std::vector<Record>& records, const Page& page, std::string_view kind,
                                    const Name& name) {
  if (records.size() <= page.limit) return std::nullopt;
  records.erase(records.begin() + static_cast<std::ptrdiff_t>(page.limit), records.end());
  return make_cursor(kind, name(records.back()));
}

}  // namespace runner::api
