// `segmentd import` without its command line: a history file becomes records.
//
// Reading is streaming: rows -> (invoices ->) records -> sink, in constant memory (see
// InvoiceWindow for the one window there is), unless records are to be sorted.
#pragma once

#include "daemon/import/file_sink.hpp"
#include "daemon/import/options.hpp"
#include "daemon/import/record_sink.hpp"
#include "daemon/import/summary.hpp"
#include "state/core/result.hpp"

namespace segmentd {

/// What both below begin with: kMisconfigured for options that do not fit together, kUnavailable
/// for an input that is not there.
Result<void> check_import(const ImportOptions& options);

/// Sends every order and refund of the history to `sink`, then sink.finish(). What cannot be read
/// is left out and counted in the summary. Errors: kMisconfigured for options that do not fit
/// together or to the file, kBadInput for a file that is not what the layout says or has no row
/// that can be read, kUnavailable for one that is not there, and the sink's own. The sink hears
/// nothing until options and header are known to be good. After a later error part of the records
/// may have been sent; sending the same file again is harmless, as ids are the same.
Result<ImportSummary> run_import(const ImportOptions& options, RecordSink& sink);

/// Writes the invoices of a raw Online Retail file (options.layout kOnlineRetail) as the extract
/// that layout kOnlineRetailInvoices reads. `A` invoices are kept, so that importing the extract
/// gives the same records and the same summary but for rows and line numbers. The summary is that
/// of an import.
Result<ImportSummary> write_extract(const ImportOptions& options, FileSink& sink);

}  // namespace segmentd
