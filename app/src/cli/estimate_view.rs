//! A memory report as tables: what each method needs, and what that is made of.

use stepladder_protocol::{MemoryParts, MemoryReport, MethodEstimate, Verdict};

use super::terminal::Style;
use crate::text::{bytes, thousands, visible};

/// Cells of a bar.
const BAR: usize = 20;
/// Columns of running text.
const WIDTH: usize = 90;
/// What the parts of a bar look like, in the order of [`shares`].
const SHARES: [(char, &str); 4] = [
    ('█', "weights"),
    ('▓', "adapter, gradients, optimizer"),
    ('▒', "activations"),
    ('░', "logits, workspace"),
];
const FREE: char = '·';
const LIMIT: char = '│';

/// The whole report.
pub fn report(report: &MemoryReport, style: Style) -> String {
    let mut text = head(report, style);
    text.push_str(&needs(report, style));
    text.push_str(&parts(report, style));
    for sentence in &report.advice {
        text.push_str(&paragraph(&visible(sentence)));
    }
    if !report.constants_measured {
        let device = report.methods.first();
        let own = device.and_then(|estimate| estimate.breakdown.get("device"));
        let own = own.map_or_else(String::new, |own| format!(" ({})", bytes(*own)));
        let note = format!("What a card takes for itself{own} is assumed, not measured yet.");
        text.push_str(&format!("{}\n", style.dim(&note)));
    }
    text
}

/// `0.40 GiB`: small beside what it is compared with.
fn gib(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64)
}

fn head(report: &MemoryReport, style: Style) -> String {
    let shape = match report.batch_size {
        1 => String::new(),
        batch => format!("{} × ", thousands(batch as u64)),
    };
    let model = format!(
        "{} · {} parameters in {} · {shape}{} tokens\n",
        style.bold(&visible(&report.model)),
        thousands(report.parameters),
        visible(&report.weight_dtype),
        thousands(report.context as u64),
    );
    let is_card = report.device != "cpu";
    let memory = match (report.memory_bytes, report.available_bytes()) {
        (Some(memory), Some(available)) if report.other_programs_bytes > 0 => format!(
            "{} of {}, {} of it for other programs: {} for training\n",
            if is_card { "card" } else { "CPU, RAM" },
            bytes(memory),
            gib(report.other_programs_bytes),
            bytes(available),
        ),
        (Some(memory), _) if is_card => format!("card of {}\n", bytes(memory)),
        (Some(memory), _) => format!("CPU, {} of RAM for training\n", bytes(memory)),
        _ => "card; --memory 12GiB would say what fits on one of that size\n".to_owned(),
    };
    model + &memory + "\n"
}

/// One row for each method.
fn needs(report: &MemoryReport, style: Style) -> String {
    let available = report.available_bytes();
    let totals = report.methods.iter().map(|estimate| estimate.total_bytes);
    let scale = totals.chain(available).max().unwrap_or(0);
    let scale_name = format!("0 to {}", bytes(scale));
    let mut text = style.dim(&format!(
        "{:8}{:>11}  {:12}  {scale_name:BAR$}  {:>9}{:>7}  {}",
        "method", "needs", "", "longest", "batch", "most during",
    ));
    text.push('\n');
    for estimate in &report.methods {
        let number = |number: Option<usize>| match number {
            Some(number) => thousands(number as u64),
            None => "-".to_owned(),
        };
        text.push_str(&format!(
            "{}{:>11}  {}  {}  {:>9}{:>7}  {}\n",
            style.bold(&format!("{:8}", estimate.method.title())),
            bytes(estimate.total_bytes),
            verdict(estimate.verdict, style),
            bar(&estimate.parts, scale, available),
            number(estimate.longest_context),
            number(estimate.largest_batch),
            visible(&estimate.peak_moment),
        ));
    }
    let legend: Vec<String> = SHARES
        .iter()
        .map(|(cell, name)| format!("{cell} {name}"))
        .collect();
    let limit = available.map_or_else(String::new, |_| format!("  {LIMIT} there is"));
    text.push_str(&style.dim(&format!("{}{limit}", legend.join("  "))));
    text.push_str("\n\n");
    text
}

fn verdict(verdict: Option<Verdict>, style: Style) -> String {
    match verdict {
        None => format!("{:12}", ""),
        Some(Verdict::Fits) => style.good(&format!("{:12}", "fits")),
        Some(Verdict::Tight) => style.careful(&format!("{:12}", "tight")),
        Some(Verdict::DoesNotFit) => style.bad(&format!("{:12}", "does not fit")),
    }
}

fn shares(parts: &MemoryParts) -> [u64; SHARES.len()] {
    [
        parts.weights,
        parts.adapter + parts.gradients + parts.optimizer,
        parts.activations,
        parts.logits + parts.workspace,
    ]
}

/// The parts as cells of a bar from 0 to `scale`, with a mark where the memory ends.
fn bar(parts: &MemoryParts, scale: u64, available: Option<u64>) -> String {
    let cell = |bytes: u64| (bytes as f64 / scale.max(1) as f64 * BAR as f64).round() as usize;
    let mut cells = vec![FREE; BAR];
    let (mut below, mut first) = (0, 0);
    for ((shown, _), share) in SHARES.into_iter().zip(shares(parts)) {
        below += share;
        let end = cell(below).min(BAR);
        if let Some(own) = cells.get_mut(first..end) {
            own.fill(shown);
        }
        first = end;
    }
    if let Some(available) = available {
        cells[cell(available).min(BAR - 1)] = LIMIT;
    }
    cells.into_iter().collect()
}

/// The parts in numbers of one unit.
fn parts(report: &MemoryReport, style: Style) -> String {
    let largest = report.methods.iter().map(|estimate| estimate.total_bytes);
    let (unit, size) = match largest.max().unwrap_or(0) >> 30 {
        0 => ("MiB", (1u64 << 20) as f64),
        _ => ("GiB", (1u64 << 30) as f64),
    };
    let cards = report
        .methods
        .iter()
        .any(|estimate| estimate.smallest_card_bytes.is_some());
    let mut heading = format!("{:8}", format!("in {unit}"));
    for (name, _) in MemoryParts::default().named() {
        heading.push_str(&format!("{name:>width$}", width = name.len().max(7) + 2));
    }
    if cards {
        heading.push_str("     card");
    }
    let mut text = style.dim(&heading) + "\n";
    for estimate in &report.methods {
        text.push_str(&style.bold(&format!("{:8}", estimate.method.title())));
        for (name, bytes) in estimate.parts.named() {
            let amount = format!("{:.2}", bytes as f64 / size);
            text.push_str(&format!("{amount:>width$}", width = name.len().max(7) + 2));
        }
        text.push_str(&match (estimate.smallest_card_bytes, cards) {
            (Some(card), _) => format!("{:>9}\n", format!("{} GiB", card >> 30)),
            (None, true) => format!("{:>9}\n", "none"),
            (None, false) => "\n".to_owned(),
        });
    }
    text.push_str(&style.dim(&kept_as(report)));
    text.push_str("\n\n");
    text
}

/// `weights as NF4; of LoRA as BF16 · in RAM: Ladder 1.04 GiB`
fn kept_as(report: &MemoryReport) -> String {
    let mut forms: Vec<(&str, Vec<&str>)> = Vec::new();
    for MethodEstimate {
        method,
        weights_kept_as,
        ..
    } in &report.methods
    {
        match forms.iter_mut().find(|(form, _)| form == weights_kept_as) {
            Some((_, methods)) => methods.push(method.title()),
            None => forms.push((weights_kept_as, vec![method.title()])),
        }
    }
    let forms: Vec<String> = match forms.as_slice() {
        [(form, _)] => vec![visible(form)],
        forms => forms
            .iter()
            .map(|(form, methods)| format!("{} ({})", visible(form), methods.join(", ")))
            .collect(),
    };
    let in_ram: Vec<String> = report
        .methods
        .iter()
        .filter(|estimate| estimate.offloaded_bytes > 0)
        .map(|estimate| {
            let ram = bytes(estimate.offloaded_bytes);
            format!("{} {ram}", estimate.method.title())
        })
        .collect();
    let ram = match in_ram.is_empty() {
        true => String::new(),
        false => format!(" · in RAM: {}", in_ram.join(", ")),
    };
    format!(
        "the model's linear maps are kept as {}{ram}",
        forms.join(", ")
    )
}

/// A sentence in lines that fit, the first one marked.
fn paragraph(sentence: &str) -> String {
    let mut text = String::new();
    let mut line = "·".to_owned();
    for word in sentence.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use stepladder_protocol::Method;

    const GIB: u64 = 1 << 30;

    fn estimate(
        method: Method,
        weights: u64,
        activations: u64,
        verdict: Verdict,
    ) -> MethodEstimate {
        MethodEstimate {
            method,
            total_bytes: weights + activations,
            peak_moment: "side network's backward".to_owned(),
            parts: MemoryParts {
                weights,
                activations,
                ..MemoryParts::default()
            },
            breakdown: BTreeMap::from([("device".to_owned(), GIB / 2)]),
            fits: Some(verdict != Verdict::DoesNotFit),
            verdict: Some(verdict),
            longest_context: Some(131_072),
            longest_context_is_the_models: true,
            largest_batch: None,
            largest_rank: None,
            largest_d_side: None,
            smallest_card_bytes: Some(24 * GIB),
            offloaded_bytes: 0,
            weights_kept_as: "NF4".to_owned(),
            trainable_parameters: 1,
            expected_tokens_per_second: None,
            remedy: None,
            leanest: None,
        }
    }

    fn example() -> MemoryReport {
        MemoryReport {
            model: "m\u{1b}[2J".to_owned(),
            parameters: 7_615_616_512,
            weight_dtype: "BF16".to_owned(),
            device: "cuda".to_owned(),
            context: 2048,
            batch_size: 4,
            memory_bytes: Some(11 * GIB),
            other_programs_bytes: GIB,
            constants_measured: false,
            methods: vec![
                estimate(Method::Ladder, 4 * GIB, 2 * GIB, Verdict::Fits),
                estimate(Method::Lora, 16 * GIB, 4 * GIB, Verdict::DoesNotFit),
            ],
            advice: vec!["word ".repeat(40).trim().to_owned()],
        }
    }

    #[test]
    fn a_report_is_two_tables_and_advice() {
        let text = report(&example(), Style::Plain);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
            assert_eq!(line, line.trim_end());
        }
        for expected in [
            "card of 11.00 GiB, 1.00 GiB of it for other programs: 10.00 GiB for training\n",
            "Ladder     6.00 GiB  fits          ████▒▒····│·········    131,072      -  side network's",
            "LoRA      20.00 GiB  does not fit  ██████████│█████▒▒▒▒    131,072      -  side network's",
            "in GiB    weights  adapter  gradients  optimizer  activations   logits  workspace     card\n",
            "LoRA        16.00     0.00       0.00       0.00         4.00     0.00       0.00   24 GiB\n",
            "the model's linear maps are kept as NF4\n",
            "\n· word word",
            "\n  word word",
            "What a card takes for itself (512.0 MiB) is assumed, not measured yet.\n",
        ] {
            assert!(text.contains(expected), "{expected}\nis not in\n{text}");
        }
        let colored = report(&example(), Style::Colored);
        assert!(colored.contains("\u{1b}[1;31mdoes not fit"), "{colored:?}");
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let mut unknown = example();
        unknown.memory_bytes = None;
        unknown.constants_measured = true;
        for estimate in &mut unknown.methods {
            (estimate.verdict, estimate.fits, estimate.longest_context) = (None, None, None);
        }
        let text = report(&unknown, Style::Plain);
        assert!(text.contains("--memory 12GiB would say"), "{text}");
        assert!(
            !text.contains(LIMIT) && !text.contains("assumed") && !text.contains("  fits"),
            "{text}"
        );

        let mut cpu = example();
        cpu.device = "cpu".to_owned();
        cpu.other_programs_bytes = 0;
        let text = report(&cpu, Style::Plain);
        assert!(
            text.contains("CPU, 11.00 GiB of RAM for training\n"),
            "{text}"
        );
    }

    #[test]
    fn bars_are_equally_long_and_end_where_the_memory_does() {
        let parts = |weights, activations| MemoryParts {
            weights,
            activations,
            ..MemoryParts::default()
        };
        assert_eq!(bar(&parts(10, 5), 20, None), "██████████▒▒▒▒▒·····");
        assert_eq!(bar(&parts(10, 5), 20, Some(20)), "██████████▒▒▒▒▒····│");
        assert_eq!(bar(&parts(10, 10), 20, Some(15)).chars().count(), BAR);
        assert_eq!(bar(&parts(0, 0), 0, Some(0)).chars().count(), BAR);
    }
}
