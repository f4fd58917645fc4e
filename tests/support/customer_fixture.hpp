// A customer to whom records are applied one by one, with what must hold of every one checked on
// the way.
#pragma once

#include <gtest/gtest.h>

#include "state/core/customer.hpp"
#include "tests/support/records.hpp"

namespace segmentd::test {

class CustomerTest : public ::testing::Test {
 protected:
  Applied apply(const Record& record) {
    const Customer before = customer;
    const Applied applied = segmentd::apply(customer, record, rules);
    EXPECT_EQ(check(customer, rules), "");
    const bool same = applied == Applied::kUnchanged || applied == Applied::kStale ||
                      applied == Applied::kTooOld || applied == Applied::kOverflow;
    EXPECT_EQ(same, customer == before);
    if (applied == Applied::kWaiting) {
      EXPECT_EQ(customer.figures, before.figures);
    }
    return applied;
  }
  const Figures& figures() const { return customer.figures; }

  Customer customer = nobody();
  Rules rules;
};

}  // namespace segmentd::test
