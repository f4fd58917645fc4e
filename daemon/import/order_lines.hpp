// A history with one order a line, in columns the user names.
#pragma once

#include <functional>
#include <string>

#include "daemon/import/delimited_reader.hpp"
#include "daemon/import/history_record.hpp"
#include "daemon/import/options.hpp"
#include "daemon/import/summary.hpp"
#include "daemon/import/time_reader.hpp"
#include "state/core/result.hpp"

namespace segmentd {

using RecordConsumer = std::function<Result<void>(HistoryRecord)>;

/// Reads orders one by one, in constant memory. Without an order column the id is `<name>:<line>`,
/// with the file's name and the line number: equal lines stay different orders, and the same file
/// gives the same ids again. Lines that cannot be read go to `summary` as skipped. REQUIRES: the
/// columns of customer, time and amount are told.
Result<void> read_order_lines(DelimitedReader& reader, TimeReader& times,
                              const ImportOptions& options, ImportSummary& summary,
                              const RecordConsumer& consumer);

/// The name in such ids: the last part of the path, without `.xz`; `stdin` for standard input.
std::string id_name_of(const std::string& input);

}  // namespace segmentd
