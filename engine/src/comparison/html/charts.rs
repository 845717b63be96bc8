//! The charts of a report, as SVG within the page: how long each variant reasoned, and each against
//! the baseline, question by question.

use std::fmt::Write;

use stepladder_protocol::{AnswerVerdict, ComparedAnswer, ComparisonDocument};

use super::{add, escaped};

const WIDTH: f64 = 1000.0;
const NAME_WIDTH: f64 = 190.0;
const ROW_HEIGHT: f64 = 56.0;
const BINS: usize = 40;
const SQUARE: f64 = 420.0;
const MARGIN: f64 = 46.0;

/// A round number at or above the largest length.
fn scale(document: &ComparisonDocument) -> f64 {
    let answers = document.rows.iter().flat_map(|row| &row.answers);
    let lengths = { answers.filter(|answer| answer.is_answered()) }.map(|a| a.reasoning_tokens);
    let most = lengths.max().unwrap_or(0).max(1) as f64;
    let unit = 10f64.powf(most.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0];
    let fits = steps.into_iter().find(|step| step * unit >= most);
    fits.unwrap_or(10.0) * unit
}

/// A histogram of reasoning tokens for each variant, one under the other on the same axis.
pub(super) fn distributions(document: &ComparisonDocument) -> String {
    let variants = &document.report.variants;
    let most = scale(document);
    let height = ROW_HEIGHT * variants.len() as f64 + 34.0;
    let span = WIDTH - NAME_WIDTH - 20.0;
    let at = |tokens: f64| NAME_WIDTH + tokens / most * span;
    let mut out = format!(
        "<h2>Reasoning tokens</h2>\n<figure><svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Histograms of reasoning tokens\">\n"
    );
    for (place, variant) in variants.iter().enumerate() {
        let floor = ROW_HEIGHT * (place + 1) as f64;
        let mut bins = [0usize; BINS];
        for row in &document.rows {
            let answer = &row.answers[place];
            if answer.is_answered() {
                let bin = answer.reasoning_tokens as f64 / most * BINS as f64;
                bins[(bin as usize).min(BINS - 1)] += 1;
            }
        }
        let highest = bins.iter().copied().max().unwrap_or(0).max(1) as f64;
        add!(
            out,
            "<text x=\"0\" y=\"{:.1}\">{}</text><line class=\"axis\" x1=\"{NAME_WIDTH}\" x2=\"{:.1}\" \
             y1=\"{floor}\" y2=\"{floor}\"/>\n",
            floor - 8.0,
            escaped(&crate::foreign_text::visible_excerpt(&variant.name, 26)),
            at(most)
        );
        for (bin, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let tall = (ROW_HEIGHT - 12.0) * *count as f64 / highest;
            add!(
                out,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                NAME_WIDTH + bin as f64 * span / BINS as f64,
                floor - tall,
                span / BINS as f64 - 1.0
            );
        }
        if let Some(median) = variant.median_reasoning_tokens {
            let x = at(median);
            add!(
                out,
                "<line class=\"median\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{floor}\"/>\n",
                floor - ROW_HEIGHT + 10.0
            );
        }
    }
    for tick in 0..=4 {
        let tokens = most * f64::from(tick) / 4.0;
        add!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tokens}</text>",
            at(tokens),
            height - 12.0
        );
    }
    out.push_str("</svg><figcaption class=\"quiet\">Replies that came to an answer; the line is the median.</figcaption></figure>\n");
    out
}

/// For each variant a dot per question that both answered: the baseline's tokens to the right, its own
/// upward. Below the line it reasoned less.
pub(super) fn scatters(document: &ComparisonDocument, baseline: usize) -> String {
    let variants = &document.report.variants;
    let most = scale(document);
    let mut out = "<h2>Question by question</h2>\n<div class=\"charts\">\n".to_owned();
    for place in (0..variants.len()).filter(|place| *place != baseline) {
        out.push_str(&scatter(document, place, baseline, most));
    }
    out.push_str("</div>\n<p class=\"quiet\">Below the diagonal a variant reasoned less. ");
    for (class, words) in [
        ("both", "both right"),
        ("one", "only the variant right"),
        ("other", "only the baseline right"),
        ("neither", "neither right"),
        ("unjudged", "not judged"),
    ] {
        add!(
            out,
            "<svg width=\"12\" height=\"12\" viewBox=\"0 0 12 12\"><circle class=\"{class}\" cx=\"6\" cy=\"6\" \
             r=\"5\"/></svg>&nbsp;{words} "
        );
    }
    out.push_str("</p>\n");
    out
}

fn scatter(document: &ComparisonDocument, place: usize, baseline: usize, most: f64) -> String {
    let inner = SQUARE - MARGIN - 10.0;
    let x = |tokens: f64| MARGIN + tokens / most * inner;
    let y = |tokens: f64| SQUARE - MARGIN - tokens / most * inner;
    let variants = &document.report.variants;
    let name = |place: usize| {
        escaped(&crate::foreign_text::visible_excerpt(
            &variants[place].name,
            40,
        ))
    };
    let (own, other) = (name(place), name(baseline));
    let mut out = format!(
        "<figure><svg viewBox=\"0 0 {SQUARE} {SQUARE}\" width=\"{SQUARE}\" height=\"{SQUARE}\" role=\"img\" \
         aria-label=\"{own} against {other}\">\n\
         <line class=\"axis\" x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{2:.1}\" y2=\"{3:.1}\"/>\
         <line class=\"axis\" x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{2:.1}\" y2=\"{1:.1}\"/>\
         <line class=\"axis\" x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{0:.1}\" y2=\"{3:.1}\"/>\n",
        x(0.0),
        y(0.0),
        x(most),
        y(most)
    );
    add!(
        out,
        "<text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\">{most}</text>\
         <text x=\"{2:.1}\" y=\"{3:.1}\" text-anchor=\"end\">{most}</text>\
         <text x=\"{4:.1}\" y=\"{5:.1}\" text-anchor=\"middle\">{other}</text>\
         <text x=\"{2:.1}\" y=\"9\" text-anchor=\"start\">{own}</text>\n",
        x(most) - 10.0,
        y(0.0) + 16.0,
        MARGIN - 6.0,
        y(most) + 14.0,
        x(most / 2.0),
        y(0.0) + 34.0
    );
    for row in &document.rows {
        let (answer, base) = (&row.answers[place], &row.answers[baseline]);
        if answer.is_answered() && base.is_answered() {
            add!(
                out,
                "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill-opacity=\"0.75\"><title>question \
                 {}</title></circle>",
                who_was_right(answer, base),
                x(base.reasoning_tokens as f64),
                y(answer.reasoning_tokens as f64),
                row.question.number
            );
        }
    }
    out.push_str("</svg></figure>\n");
    out
}

fn who_was_right(answer: &ComparedAnswer, baseline: &ComparedAnswer) -> &'static str {
    use AnswerVerdict::{NotJudged, Right, Wrong};
    match (answer.verdict, baseline.verdict) {
        (NotJudged, _) | (_, NotJudged) => "unjudged",
        (Right, Right) => "both",
        (Right, Wrong) => "one",
        (Wrong, Right) => "other",
        (Wrong, Wrong) => "neither",
    }
}
