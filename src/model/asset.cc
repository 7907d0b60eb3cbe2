#include "model/asset.h"

namespace etesian {
namespace {

void add_uses(const AssetCondition& condition, std::vector<AssetUse>& uses) {
  if (condition.kind == AssetCondition::Kind::Use) uses.push_back(condition.use);
  for (const AssetCondition& part : condition.parts) add_uses(part, uses);
}

}  // namespace

std::vector<AssetUse> uses_of(const AssetCondition& condition) {
  std::vector<AssetUse> uses;
  add_uses(condition, uses);
  return uses;
}

}  // namespace etesian
