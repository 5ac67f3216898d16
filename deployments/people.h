#pragma once
// Who the users of the server are, as deployments ask for them. Any thread; blocks on the store.

#include "deployments/approvals.h"
#include "deployments/protection.h"
#include "runner/storage/access_table.h"
#include "runner/storage/store.h"

namespace runner::deployments {

/// With the groups that the user is in now.
Person person_of(storage::Tx& tx, const storage::UserRecord& user);

/// As they are now: what is returned does not look again, and needs no store. Throws Error.
LookUp people_now(storage::Store& store);

}  // namespace runner::deployments
