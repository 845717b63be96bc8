//! A report as it crosses the seam and lies in a run folder.

use std::cmp::Reverse;

use stepladder_protocol::{
    DatasetFile, DatasetPreview, LengthRange, ReasonCount, SkippedRow, TokenLengths, TraceCounts,
};

use super::report::{DatasetReport, SourceReport};

/// Bars of the histogram of lengths.
const BINS: usize = 32;

/// What became of all rows; `lengths` and `traces` only where rows were made into tokens.
pub fn account(report: &DatasetReport) -> DatasetPreview {
    let is_tokenized = report.context > 0;
    let mut preview = DatasetPreview {
        complete: true,
        files: report.sources.iter().map(file).collect(),
        rows: report.rows_read,
        examples: report.examples,
        skipped: report.skipped.count,
        duplicates: report.duplicates.rows,
        notices: report.notices(),
        skipped_rows: { report.skipped.first.iter() }
            .map(|row| SkippedRow {
                path: row.file.display().to_string(),
                line: row.line,
                reason: row.problem.clone(),
                hint: row.hint.clone(),
            })
            .collect(),
        skipped_reasons: { report.skipped.reasons.iter() }
            .map(|(reason, rows)| ReasonCount {
                reason: reason.clone(),
                rows: *rows,
            })
            .collect(),
        lengths: is_tokenized.then(|| lengths(report)),
        traces: is_tokenized.then(|| traces(report)),
        ..DatasetPreview::default()
    };
    preview
        .skipped_reasons
        .sort_by_key(|reason| Reverse(reason.rows));
    preview
}

/// A source.
pub fn file(source: &SourceReport) -> DatasetFile {
    DatasetFile {
        path: source.path.display().to_string(),
        container: source.container.to_owned(),
        bytes: source.bytes,
        format: source.format,
        confidence: source.confidence,
        reason: source.reason.clone(),
        columns: source.columns.iter().cloned().collect(),
        found_columns: source.found_columns.clone(),
        rows: source.rows,
        examples: source.examples,
        fingerprint: source.fingerprint.clone(),
        ended: source.ended.clone(),
    }
}

fn lengths(report: &DatasetReport) -> TokenLengths {
    let lengths = &report.full_lengths;
    TokenLengths {
        context: report.context,
        shortest: lengths.shortest(),
        median: lengths.percentile(50),
        p90: lengths.percentile(90),
        p95: lengths.percentile(95),
        p99: lengths.percentile(99),
        longest: lengths.longest(),
        total: report.tokens,
        trained: report.target_tokens,
        cut: report.cut,
        split: report.split,
        too_long: report.too_long,
        histogram: { lengths.histogram(BINS).into_iter() }
            .map(|bin| LengthRange {
                from: bin.from,
                to: bin.to,
                examples: bin.examples,
            })
            .collect(),
    }
}

fn traces(report: &DatasetReport) -> TraceCounts {
    let traces = report.turns.traces;
    TraceCounts {
        answers: traces.answers,
        with_trace: traces.with_trace,
        empty: traces.empty,
        unclosed: traces.unclosed,
        model_thinks: report.model_thinks,
    }
}
