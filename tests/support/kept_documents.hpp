// Keeps what tests let the product write, so that tests/unit/documents_test.py can hold all of it
// against the published schemas.
#pragma once

#include <string>

#include "daemon/ports.hpp"

namespace segmentd::test {

/// Adds an event, row or epoch, each text once, to a file of this process in the directory that
/// SEGMENTD_TEST_DOCUMENTS names; without it, and for other topics, does nothing. One thread.
void keep_document(OutputTopic topic, const std::string& value);

}  // namespace segmentd::test
