// Any bytes as a DAG file: no crash, no leak, bounded time; a DAG exactly when there is no error;
// and what loads can be stored and read back.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "loader/canonical.h"
#include "loader/dag_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace etesian;
  const std::string text(reinterpret_cast<const char*>(data), size);
  DagFileContext context;
  context.file = "dag.yaml";
  context.default_id = "fuzz";
  const LoadedDag loaded = load_dag(text, context);
  if ((loaded.dag == nullptr) != has_errors(loaded.diagnostics)) std::abort();
  for (const Diagnostic& d : loaded.diagnostics)
    if (render(d).empty() || d.line < 1 || d.column < 1 || d.length < 1) std::abort();
  if (!loaded.dag) return 0;
  const std::string stored = to_canonical(loaded.dag->definition(), CanonicalUse::Storage);
  const auto back = definition_from_canonical(stored);
  if (!back || to_canonical(*back, CanonicalUse::Storage) != stored) std::abort();
  return 0;
}
