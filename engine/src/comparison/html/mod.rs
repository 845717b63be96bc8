//! `report.html`: the report in one file that needs nothing else and runs nothing. All foreign text
//! passes `escaped`; a Content-Security-Policy keeps the rest out.

mod charts;
mod methods;

use std::fmt::Write;

use stepladder_protocol::{
    AnswerVerdict, ComparedAnswer, ComparedRow, ComparisonDocument, Difference, VariantReport,
};

use super::csv::{outcome, trace, verdict};
use super::summary::difference_at;
use crate::foreign_text::{visible_excerpt, visible_multiline};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reasoning length compared</title>
<style>
"#;
const STYLE: &str = include_str!("style.css");

/// The whole file.
pub fn html(document: &ComparisonDocument, baseline: usize) -> String {
    let mut page = format!("{HEAD}{STYLE}</style>\n</head>\n<body>\n<main>\n");
    page.push_str(&heading(document));
    page.push_str(&methods::methods(document.report.matched.as_ref()));
    page.push_str(&summary(document));
    page.push_str(&charts::distributions(document));
    page.push_str(&charts::scatters(document, baseline));
    page.push_str(&differences(document, baseline));
    page.push_str(&answers(document));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Foreign text as HTML.
fn escaped(text: &str) -> String {
    let text = visible_multiline(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Writing to a string cannot fail.
macro_rules! add {
    ($out:expr, $($arguments:tt)*) => {
        let _ = write!($out, $($arguments)*);
    };
}
use add;

fn heading(document: &ComparisonDocument) -> String {
    let report = &document.report;
    let mut out = format!(
        "<h1>Reasoning length compared</h1>\n<p>{} questions from {}, answered by {}. \
         Differences are reasoning tokens minus those of <b>{}</b>, over the questions that both \
         answered, with the interval that holds the mean in 95&nbsp;% of 10,000 resamples.</p>\n",
        report.questions,
        escaped(&report.question_source),
        escaped(&model_name(&report.model)),
        escaped(&report.baseline),
    );
    let settings = serde_json::to_string(&report.settings).unwrap_or_default();
    add!(out, "<p class=\"quiet\">Drawn with {}.", escaped(&settings));
    if let Some(pattern) = &report.answer_pattern {
        add!(
            out,
            " Final answers found by <code>{}</code>.",
            escaped(pattern)
        );
    }
    if report.left_out_trained_on > 0 {
        add!(
            out,
            " {} questions left out because a run was trained on them.",
            report.left_out_trained_on
        );
    }
    out.push_str("</p>\n");
    for notice in &report.notices {
        add!(out, "<p class=\"notice\">{}</p>\n", escaped(notice));
    }
    out
}

/// The last part of a path: a report is passed on, and folders are nobody's business.
fn model_name(model: &str) -> String {
    let name = std::path::Path::new(model).file_name();
    name.map_or_else(
        || model.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn summary(document: &ComparisonDocument) -> String {
    let mut out = "<h2>Variants</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Variant</th>\
        <th>Trained numbers</th><th>Accuracy</th><th>Median tokens</th><th>Mean</th><th>Difference</th>\
        <th>Both right</th><th>Answered</th><th>No answer</th><th>Cut off</th><th>Empty trace</th>\
        <th>No trace</th><th>Distinct-3</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for variant in &document.report.variants {
        out.push_str(&variant_row(variant));
    }
    out.push_str(
        "</tbody></table></div>\n<p class=\"quiet\">Lengths are of replies that came to an answer. A reply \
         that was cut off counts as wrong and is in no mean: how long it would have become is not \
         known. Distinct-3 is the share of different runs of three tokens; it is low where a reply \
         repeats itself.</p>\n",
    );
    out
}

fn variant_row(variant: &VariantReport) -> String {
    let method = variant.method.map_or("", |method| method.title());
    let accuracy = variant.accuracy.map_or_else(
        || "not judged".to_owned(),
        |share| {
            let judged = variant.right + variant.wrong;
            format!(
                "{:.1}&nbsp;% <small>({} of {judged})</small>",
                100.0 * share,
                variant.right
            )
        },
    );
    format!(
        "<tr><th>{} <small>{method}</small></th><td>{}</td><td>{accuracy}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(&variant.name),
        variant.parameters,
        number(variant.median_reasoning_tokens),
        number(variant.mean_reasoning_tokens),
        interval(variant.difference),
        interval(variant.difference_both_right),
        variant.answered,
        variant.no_answer,
        variant.truncated,
        variant.empty_trace,
        variant.missing_trace,
        variant
            .distinct_3
            .map_or_else(dash, |share| format!("{share:.2}")),
    )
}

fn dash() -> String {
    "–".to_owned()
}

fn number(figure: Option<f64>) -> String {
    figure.map_or_else(dash, |figure| format!("{figure:.1}"))
}

fn interval(difference: Option<Difference>) -> String {
    let Some(found) = difference else {
        return dash();
    };
    let ends = match (found.low, found.high) {
        (Some(low), Some(high)) => format!(" [{low:+.1}, {high:+.1}]"),
        _ => String::new(),
    };
    format!(
        "{:+.1}{ends} <small>over {}</small>",
        found.mean, found.pairs
    )
}

/// The questions by the difference of the first variant that is compared with the baseline.
fn differences(document: &ComparisonDocument, baseline: usize) -> String {
    let variants = &document.report.variants;
    let Some(first) = (0..variants.len()).find(|place| *place != baseline) else {
        return String::new();
    };
    let mut rows: Vec<&ComparedRow> = document.rows.iter().collect();
    rows.sort_by_key(|row| {
        let difference = difference_at(row, first, baseline);
        (difference.is_none(), difference, row.question.number)
    });
    let mut out = format!(
        "<h2>Questions by difference</h2>\n<p class=\"quiet\">Sorted by {} minus {}; where one of them gave \
         no answer, last.</p>\n<div class=\"wide\"><table>\n<thead><tr><th>Question</th><th></th>\
         <th>Reference</th>",
        escaped(&variants[first].name),
        escaped(&variants[baseline].name),
    );
    for variant in variants {
        add!(out, "<th>{}</th>", escaped(&variant.name));
    }
    out.push_str("<th>Difference</th></tr></thead>\n<tbody>\n");
    for row in rows {
        let question = &row.question;
        add!(
            out,
            "<tr><th><a href=\"#q{0}\">{0}</a></th><td class=\"text\">{1}</td><td>{2}</td>",
            question.number,
            escaped(&visible_excerpt(&question.question, 90)),
            escaped(&visible_excerpt(
                question.reference.as_deref().unwrap_or("–"),
                30
            )),
        );
        for answer in &row.answers {
            add!(
                out,
                "<td class=\"{}\">{} <small>{}</small></td>",
                class(answer),
                answer.reasoning_tokens,
                state(answer)
            );
        }
        let difference = difference_at(row, first, baseline);
        let difference = difference.map_or_else(dash, |tokens| format!("{tokens:+}"));
        add!(out, "<td>{difference}</td></tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn class(answer: &ComparedAnswer) -> &'static str {
    match answer.verdict {
        AnswerVerdict::Right => "right",
        AnswerVerdict::Wrong => "wrong",
        AnswerVerdict::NotJudged => "unjudged",
    }
}

/// A verdict, and what else there is to say.
fn state(answer: &ComparedAnswer) -> &'static str {
    match outcome(answer) {
        "answered" => verdict(answer),
        other => other,
    }
}

fn answers(document: &ComparisonDocument) -> String {
    let mut out = "<h2>Answers</h2>\n".to_owned();
    for row in &document.rows {
        let question = &row.question;
        add!(
            out,
            "<section id=\"q{0}\">\n<h3>{0}</h3>\n<pre class=\"question\">{1}</pre>\n",
            question.number,
            escaped(&question.question)
        );
        if let Some(reference) = &question.reference {
            add!(
                out,
                "<p>Reference: <code>{}</code></p>\n",
                escaped(reference)
            );
        }
        out.push_str("<div class=\"side\">\n");
        for (variant, answer) in document.report.variants.iter().zip(&row.answers) {
            out.push_str(&one_answer(&variant.name, answer));
        }
        out.push_str("</div>\n</section>\n");
    }
    out
}

fn one_answer(name: &str, answer: &ComparedAnswer) -> String {
    let mut out = format!(
        "<article class=\"{}\">\n<h4>{} <small>{}, {} reasoning tokens of {}</small></h4>\n",
        class(answer),
        escaped(name),
        state(answer),
        answer.reasoning_tokens,
        answer.total_tokens
    );
    if !answer.trace_text().trim().is_empty() {
        add!(
            out,
            "<details><summary>trace ({})</summary><pre>{}</pre></details>\n",
            trace(answer),
            escaped(answer.trace_text().trim())
        );
    }
    add!(out, "<pre>{}</pre>\n", escaped(answer.answer_text().trim()));
    if let Some(found) = &answer.answer {
        add!(
            out,
            "<p>Final answer: <code>{}</code></p>\n",
            escaped(found)
        );
    }
    out.push_str("</article>\n");
    out
}

#[cfg(test)]
mod tests;
