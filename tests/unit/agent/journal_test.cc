#include "agent/journal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace etesian::agent {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    path_ = folder + "/journal";
  }
  void TearDown() override {
    std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
  }
  static Key key(std::uint8_t n) {
    Key k;
    k.try_id.bytes[15] = n;
    k.launch = 0x01020304;  // no zero byte at the end of a record
    return k;
  }
  std::string bytes() const { return *read_file(path_); }
  void set_bytes(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::vector<JournalRecord> reopen() {
    std::vector<JournalRecord> records;
    EXPECT_TRUE(Journal::open(path_, records));
    return records;
  }

  std::string path_;
};

TEST_F(JournalTest, What_was_written_is_there_after_a_restart) {
  std::vector<JournalRecord> none;
  auto journal = Journal::open(path_, none);
  ASSERT_TRUE(journal);
  ClaimRecord claim;
  claim.key = key(1);
  claim.label = "flights/extract try 1";
  claim.slot = 5;
  journal->add(SessionRecord{"boot/agent"});
  journal->add(claim);
  wire::ExitRecord end;
  end.exit_code = 3;
  end.log_hash = "ab";
  journal->add(end);
  ASSERT_TRUE(journal->sync());
  const auto records = reopen();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(std::get<SessionRecord>(records[0]).session, "boot/agent");
  EXPECT_EQ(std::get<ClaimRecord>(records[1]).label, "flights/extract try 1");
  EXPECT_EQ(std::get<ClaimRecord>(records[1]).slot, 5U);
  EXPECT_EQ(std::get<wire::ExitRecord>(records[2]).exit_code, 3);
}

TEST_F(JournalTest, A_tail_torn_at_any_byte_loses_only_the_torn_record) {
  std::vector<JournalRecord> none;
  std::uint64_t first = 0, second = 0;
  {
    auto journal = Journal::open(path_, none);
    ASSERT_TRUE(journal);
    journal->add(AckRecord{key(1)});
    ASSERT_TRUE(journal->write());
    first = journal->size();
    journal->add(RevokedRecord{key(2)});
    ASSERT_TRUE(journal->write());
    second = journal->size();
  }
  const std::string whole = bytes().substr(0, second);
  for (std::uint64_t cut = first; cut < second; ++cut) {
    for (const std::string& junk :
         {std::string(), std::string(64, '\0'), std::string(64, '\xff')}) {
      set_bytes(whole.substr(0, cut) + junk);
      EXPECT_EQ(reopen().size(), 1U) << "cut at " << cut;
      {
        std::vector<JournalRecord> records;
        auto journal = Journal::open(path_, records);
        ASSERT_TRUE(journal);
        journal->add(AckRecord{key(3)});
        ASSERT_TRUE(journal->sync());
      }
      const auto records = reopen();
      ASSERT_EQ(records.size(), 2U) << "cut at " << cut;
      EXPECT_EQ(std::get<AckRecord>(records[1]).key, key(3));
    }
  }
}

TEST_F(JournalTest, Compaction_leaves_what_it_was_given) {
  std::vector<JournalRecord> none;
  auto journal = Journal::open(path_, none);
  ASSERT_TRUE(journal);
  for (std::uint8_t n = 0; n < 100; ++n) journal->add(AckRecord{key(n)});
  ASSERT_TRUE(journal->sync());
  ASSERT_TRUE(journal->replace({RevokedRecord{key(7)}}));
  journal->add(AckRecord{key(8)});
  ASSERT_TRUE(journal->sync());
  const auto records = reopen();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(std::get<RevokedRecord>(records[0]).key, key(7));
  EXPECT_EQ(std::get<AckRecord>(records[1]).key, key(8));
}

}  // namespace
}  // namespace etesian::agent
