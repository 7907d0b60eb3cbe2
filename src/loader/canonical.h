#pragma once
#include <string>

#include "base/result.h"
#include "model/dag.h"

namespace etesian {

/// What a text of a definition is for.
enum class CanonicalUse {
  Version,  ///< Only what changes the work: neither places in the file nor its path, text and
            ///< version.
  Storage   ///< All of it.
};

/// Canonical JSON (sorted keys) of a definition: equal definitions, equal text. Members at their
/// defaults are left out, so that a member added later does not change the versions of older DAGs.
/// An Airflow definition is what the SDK serialised, and its place (loader/airflow_canonical.h).
std::string to_canonical(const DagDefinition& definition, CanonicalUse use);
/// Inverse of `to_canonical` for Storage. Errors: Corrupt.
Result<DagDefinition> definition_from_canonical(const std::string& text);

/// SHA-256 of the canonical form for Version and the content of the bundle (`bundle_hash`).
std::string version_of(const DagDefinition& definition, const std::string& bundle_hash);

}  // namespace etesian
