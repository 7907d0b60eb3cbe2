#pragma once
#include <cstdint>

namespace etesian::sqlite {

/// Whether statfs(2)'s f_type names a network file system: NFS (and EFS), SMB, AFS, Coda, Ceph, 9P,
/// Lustre, GFS2, OCFS2. FUSE is not counted: it serves local disks as well.
constexpr bool is_network_file_system(std::uint64_t type) {
  switch (type & 0xffffffff) {  // linux/magic.h, and the modules' own sources
    case 0x6969:
    case 0x517b:
    case 0xff534d42:
    case 0xfe534d42:
    case 0x5346414f:
    case 0x6b414653:
    case 0x73757245:
    case 0x00c36400:
    case 0x01021997:
    case 0x0bd00bd0:
    case 0x01161970:
    case 0x7461636f: return true;
    default: return false;
  }
}

}  // namespace etesian::sqlite
