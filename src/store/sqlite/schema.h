#pragma once
#include "store/sqlite/database.h"

namespace etesian::sqlite {

/// The schema version that this program writes.
int schema_version();

/// Brings the database to `schema_version()`: each step in one transaction with its version row, so
/// that a crash leaves a whole version. Throws Failure: InvalidInput (made by a newer version, or
/// not a database of ours).
void migrate(Database& db);

}  // namespace etesian::sqlite
