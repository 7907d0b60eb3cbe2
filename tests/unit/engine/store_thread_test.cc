#include "engine/store_thread.h"

#include <gtest/gtest.h>

#include <future>

#include "unit/engine/scripted_store.h"

namespace etesian {
namespace {

/// A thread over a scripted store. Everything that it calls back writes a word into one history.
class StoreThreadTest : public ::testing::Test {
 protected:
  StoreThreadTest() {
    StoreThread::Listener listener;
    listener.on_durable = [this](Sequence sequence) {
      note("durable:" + std::to_string(sequence));
    };
    listener.on_refused = [this](const Error& error) { note("refused(" + error.message + ")"); };
    thread_ = std::make_unique<StoreThread>(std::make_unique<test::ScriptedStore>(script_),
                                            std::move(listener));
  }
  ~StoreThreadTest() override { script_.release(); }

  /// Each key is one change and one After.
  void commit(const std::vector<std::string>& keys) {
    std::vector<Store::Item> items;
    std::vector<StoreThread::After> after;
    for (const std::string& key : keys) {
      items.push_back({VariableChanged{{key, "", ""}}, {}});
      after.push_back(
          [this, key](const Result<Sequence>& result) { note(key + (result ? "" : "-dropped")); });
    }
    thread_->commit(std::move(items), std::move(after));
  }
  void read(const std::string& name) {
    thread_->read([this, name](Store&) { note("read:" + name); });
  }
  /// The history once the thread has done all that it was given.
  std::string settle() {
    std::promise<void> reached;
    thread_->read([&](Store&) { reached.set_value(); });
    EXPECT_EQ(reached.get_future().wait_for(std::chrono::minutes(1)), std::future_status::ready);
    return history();
  }
  std::string history() {
    const std::lock_guard lock(mutex_);
    return history_;
  }

  test::Script script_;
  std::unique_ptr<StoreThread> thread_;

 private:
  void note(const std::string& word) {
    const std::lock_guard lock(mutex_);
    history_ += (history_.empty() ? "" : " ") + word;
  }

  std::mutex mutex_;
  std::string history_;
};

TEST_F(StoreThreadTest, WhatWaitedIsReleasedInOrderBeforeTheListener) {
  commit({"a", "b"});
  EXPECT_EQ(settle(), "a b durable:2");
  commit({"c"});
  EXPECT_EQ(settle(), "a b durable:2 c durable:3");
  EXPECT_EQ(thread_->commits(), 2U);
  EXPECT_EQ(thread_->waiting_items(), 0U);
}

TEST_F(StoreThreadTest, NothingIsReleasedBeforeItIsDurable) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  EXPECT_EQ(history(), "");
  EXPECT_EQ(thread_->waiting_items(), 1U);
  script_.release();
  EXPECT_EQ(settle(), "a durable:1");
}

TEST_F(StoreThreadTest, WhatPilesUpDuringACommitIsCommittedTogether) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  commit({"b"});
  commit({"c", "d"});
  commit({"e"});
  script_.release();
  EXPECT_EQ(settle(), "a durable:1 b c d e durable:5");
  EXPECT_EQ(script_.committed(), "a | b c d e");
  EXPECT_EQ(thread_->commits(), 2U);
}

TEST_F(StoreThreadTest, ReadsComeInTheOrderOfAsking) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  read("1");
  commit({"b"});
  read("2");
  read("3");
  commit({"c"});
  script_.release();
  EXPECT_EQ(settle(), "a durable:1 read:1 b durable:2 read:2 read:3 c durable:3");
}

TEST_F(StoreThreadTest, ALargePileIsSplit) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  for (int i = 0; i < 3; ++i) commit(std::vector<std::string>(3000, "x"));
  script_.release();
  settle();
  EXPECT_EQ(thread_->commits(), 3U) << "the first, 6000 changes, 3000 changes";
}

TEST_F(StoreThreadTest, AFullDiskDelaysButLosesNothing) {
  script_.answer_with({ErrorCode::Unavailable});
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  EXPECT_EQ(settle(), "a durable:1");
  EXPECT_EQ(script_.faults(), 1) << "the disk was full once";
  EXPECT_EQ(thread_->stall(), "");
}

TEST_F(StoreThreadTest, WhileTheDiskIsFullNothingStartsAndTheReasonIsTold) {
  script_.answer_with(std::vector<ErrorCode>(2, ErrorCode::Unavailable));
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(2));
  EXPECT_EQ(history(), "");
  EXPECT_EQ(thread_->stall(), "commit: disk full") << "of the first attempt";
  EXPECT_EQ(thread_->waiting_items(), 1U);
  EXPECT_EQ(settle(), "a durable:1");
  EXPECT_EQ(script_.faults(), 2);
}

TEST_F(StoreThreadTest, ARefusedGroupTakesTheLaterOnesOfItsEpochAlong) {
  script_.answer_with({ErrorCode::Conflict});
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  commit({"b"});
  read("1");
  commit({"c"});
  script_.release();
  EXPECT_EQ(settle(), "a-dropped refused(commit: the world differs) b-dropped read:1 c-dropped");
  commit({"d"});
  EXPECT_EQ(settle(),
            "a-dropped refused(commit: the world differs) b-dropped read:1 c-dropped d-dropped");
  EXPECT_EQ(script_.committed(), "");
  EXPECT_EQ(script_.faults(), 1);
  EXPECT_EQ(thread_->waiting_items(), 0U);
}

TEST_F(StoreThreadTest, ANewEpochIsWrittenAgain) {
  script_.answer_with({ErrorCode::Conflict});
  commit({"a"});
  settle();
  thread_->begin_epoch();
  commit({"b"});
  EXPECT_EQ(settle(), "a-dropped refused(commit: the world differs) b durable:1");
  script_.answer_with({ErrorCode::Conflict});
  commit({"c"});
  EXPECT_EQ(settle(),
            "a-dropped refused(commit: the world differs) b durable:1 "
            "c-dropped refused(commit: the world differs)")
      << "each epoch is refused for itself";
}

TEST_F(StoreThreadTest, ANewEpochDropsWhatStillWaitsOfTheOldOne) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  commit({"b"});
  thread_->begin_epoch();
  commit({"c"});
  script_.release();
  EXPECT_EQ(settle(), "a durable:1 b-dropped c durable:2");
  EXPECT_EQ(script_.committed(), "a | c");
}

TEST_F(StoreThreadTest, TheLoopWaitsForASlowDisk) {
  script_.hold();
  commit({"a", "b", "c"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  auto waited = std::async(std::launch::async, [this] { thread_->wait_below(2); });
  EXPECT_EQ(thread_->waiting_items(), 3U);
  script_.release();
  EXPECT_EQ(waited.wait_for(std::chrono::minutes(1)), std::future_status::ready);
  EXPECT_EQ(thread_->waiting_items(), 0U);
}

TEST_F(StoreThreadTest, AnOrderlyEndCommitsWhatWasHandedOver) {
  script_.hold();
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  commit({"b"});
  read("1");
  script_.release();
  thread_.reset();
  EXPECT_EQ(history(), "a durable:1 b durable:2 read:1");
}

TEST_F(StoreThreadTest, AnEndWithAFullDiskDoesNotHang) {
  script_.answer_with(std::vector<ErrorCode>(1000, ErrorCode::Unavailable));
  commit({"a"});
  ASSERT_TRUE(script_.wait_for_commits(1));
  thread_.reset();
  EXPECT_EQ(history(), "") << "what is not durable never started";
  EXPECT_GE(script_.faults(), 1);
}

}  // namespace
}  // namespace etesian
