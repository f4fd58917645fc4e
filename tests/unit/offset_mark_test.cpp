// What an offset's metadata says, and that nothing else is taken for it.
#include "daemon/pipeline/offset_mark.hpp"

#include <gtest/gtest.h>

namespace segmentd {
namespace {

TEST(OffsetMark, ReadsBackWhatItWrote) {
  for (const OffsetMark& mark :
       {OffsetMark{1, "shop-a-0"}, OffsetMark{9'000'000'000, "x/y"}, OffsetMark{0, ""},
        OffsetMark{7, "shop#1-0", "1f3a", 4}, OffsetMark{7, "shop-a-0", "1f3a", 12}}) {
    EXPECT_EQ(offset_mark(offset_metadata(mark)), mark);
  }
  EXPECT_EQ(offset_metadata({8, "shop-a-0"}), "8/shop-a-0");
  EXPECT_EQ(offset_metadata({8, "shop-a-0", "1f3a", 4}), "8/shop-a-0#1f3a/4");
}

TEST(OffsetMark, TheSameNumberOfAnotherWriterIsAnotherTransaction) {
  EXPECT_NE(offset_mark("8/shop-a-0"), offset_mark("8/shop-b-0"));
  EXPECT_NE(offset_mark("8/shop-a-0#1f3a/4"), offset_mark("8/shop-a-0#77c0/4"));
}

TEST(OffsetMark, WhatOthersWriteIsNone) {
  for (const char* text : {"", "/", "a", "8a", " 8", "-8/x", "8 /x", "99999999999999999999/x",
                           "8/x#1f3a", "8/x#1f3a/", "8/x#1f3a/4x"}) {
    EXPECT_EQ(offset_mark(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace segmentd
