#pragma once
// Who did what, and was let or not. Append only, and chained: audit_chain.h.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runner/storage/audit_chain.h"
#include "runner/storage/audit_record.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct AuditEntry {
  std::int64_t seq = 0;
  std::string line;  // JSON, with `hash` and `prev_hash`
};

/// Each one set must fit; `action` is how it begins.
struct AuditFilter {
  std::string actor = {}, action = {}, project = {}, environment = {}, result = {};
};

/// Written in the transaction of what it is about: what is not written down did not happen. Whoever appends
/// holds the end of the chain until the commit; in one transaction append here before event_table.h, as all
/// do, else two of them wait for each other.
class AuditLog {
 public:
  explicit AuditLog(Tx& tx) noexcept : tx_(tx) {}
  /// Returns its number. Long texts are cut.
  std::int64_t append(AuditRecord record);
  /// In order, those after `seq`.
  std::vector<AuditEntry> after(std::int64_t seq, std::size_t limit, const AuditFilter& filter = {});
  /// Newest first, those before `seq`; 0 begins.
  std::vector<AuditEntry> before(std::int64_t seq, std::size_t limit, const AuditFilter& filter = {});
  AuditHead head();

 private:
  std::vector<AuditEntry> select(std::string sql, std::int64_t seq, std::size_t limit,
                                 const AuditFilter& filter, bool newest_first);
  Tx& tx_;
};

}  // namespace runner::storage
