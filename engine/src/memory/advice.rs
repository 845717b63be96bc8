//! What follows from a memory report, in sentences: what fits, what would, and at what price.

use super::remedies::Remedy;
use stepladder_protocol::{MemoryReport, MethodEstimate, Switched, Verdict};

/// The advice on a report.
pub fn sentences(report: &MemoryReport) -> Vec<String> {
    let Some(available) = report.available_bytes() else {
        return vec![smallest_cards(report)];
    };
    let (fitting, too_large): (Vec<_>, Vec<_>) = report
        .methods
        .iter()
        .partition(|estimate| estimate.verdict != Some(Verdict::DoesNotFit));
    let mut sentences = Vec::new();
    sentences.extend(what_fits(&fitting, too_large.is_empty(), available));
    for estimate in too_large {
        sentences.push(what_is_too_large(report, estimate, available));
        let remedy = estimate.remedy.as_ref();
        sentences.extend(remedy.and_then(|remedy| made_to_fit(estimate, remedy)));
    }
    let leaner = report.methods.iter().filter_map(|estimate| {
        let leanest = estimate.leanest.as_ref()?;
        going_further(estimate, leanest, report.batch_size)
    });
    sentences.extend(leaner);
    sentences
}

/// `QLoRA fits with 4.9 GiB to spare.` Of several methods the leanest is named.
fn what_fits(fitting: &[&MethodEstimate], all: bool, available: u64) -> Option<String> {
    let leanest = fitting.iter().min_by_key(|estimate| estimate.total_bytes)?;
    let name = leanest.method.title();
    let spare = bytes(available.saturating_sub(leanest.total_bytes));
    Some(match (leanest.verdict, fitting.len(), all) {
        (Some(Verdict::Tight), ..) => {
            format!("{name} just fits, with {spare} to spare: close other programs first.")
        }
        (_, 1, _) => format!("{name} fits with {spare} to spare."),
        (_, _, true) => format!("All of them fit; {name} leaves the most to spare, {spare}."),
        (_, several, false) => {
            format!("{several} of them fit; {name} leaves the most to spare, {spare}.")
        }
    })
}

/// `QLoRA needs 13.1 GiB at 2,048 tokens, 1.5 GiB more than there is; 1,536 tokens fit.`
fn what_is_too_large(report: &MemoryReport, estimate: &MethodEstimate, available: u64) -> String {
    let shape = match report.batch_size {
        1 => tokens(report.context),
        batch => format!("{batch} × {}", tokens(report.context)),
    };
    let needs = format!(
        "{} needs {} at {shape}, {} more than there is",
        estimate.method.title(),
        bytes(estimate.total_bytes),
        bytes(estimate.total_bytes.saturating_sub(available)),
    );
    let batch = estimate
        .largest_batch
        .map(|batch| format!("batch {batch} fits"));
    let context = estimate.longest_context.map(tokens);
    let card = estimate.smallest_card_bytes.map(whole_gib);
    match (batch, context, card) {
        (Some(batch), Some(context), _) => format!("{needs}; {batch}, and so do {context}."),
        (Some(batch), None, _) => format!("{needs}; {batch}."),
        (None, Some(context), _) => format!("{needs}; {context} fit."),
        (None, None, Some(card)) => format!("{needs}; a card of {card} holds it."),
        (None, None, None) => format!("{needs}."),
    }
}

/// `With --recompute on, QLoRA fits: 9.0 GiB, and 1.0 GiB of RAM.` Nothing where a smaller batch is
/// all that is needed, which is said already.
fn made_to_fit(estimate: &MethodEstimate, remedy: &Switched) -> Option<String> {
    let switches = remedy.switches.as_slice();
    if estimate.largest_batch.is_some()
        && switches.len() == 1
        && switches[0] == Remedy::OneRow.flag()
    {
        return None;
    }
    Some(format!(
        "With {}, {} fits: {}{}.",
        remedy.switches.join(" "),
        estimate.method.title(),
        bytes(remedy.total_bytes),
        match remedy.offloaded_bytes {
            0 => String::new(),
            ram => format!(", and {} of RAM", bytes(ram)),
        }
    ))
}

/// `With --recompute-taps on, Ladder goes up to 100,000 tokens instead of 12,000.`
fn going_further(estimate: &MethodEstimate, leanest: &Switched, batch: usize) -> Option<String> {
    let context = leanest.longest_context?;
    let limit = match leanest.longest_context_is_the_models {
        true => " (the model's own limit)",
        false => "",
    };
    let instead = match estimate.longest_context {
        Some(shorter) => format!(" instead of {}", thousands(shorter as u64)),
        None => String::new(),
    };
    let rows = match batch {
        1 => String::new(),
        batch => format!(" at batch {batch}"),
    };
    let ram = match leanest.longest_context_offloaded_bytes {
        0 => String::new(),
        ram => format!("; that takes {} of RAM", bytes(ram)),
    };
    Some(format!(
        "With {}, {} goes up to {}{limit}{rows}{instead}{ram}.",
        leanest.switches.join(" "),
        estimate.method.title(),
        tokens(context),
    ))
}

/// `Smallest cards: Ladder 8 GiB, QLoRA 12 GiB, LoRA none of the usual ones.`
fn smallest_cards(report: &MemoryReport) -> String {
    let card = |estimate: &MethodEstimate| {
        let card = estimate.smallest_card_bytes;
        let card = card.map_or("none of the usual ones".to_owned(), whole_gib);
        format!("{} {card}", estimate.method.title())
    };
    let cards: Vec<String> = report.methods.iter().map(card).collect();
    format!("Smallest cards: {}.", cards.join(", "))
}

fn whole_gib(bytes: u64) -> String {
    format!("{} GiB", bytes >> 30)
}

/// One decimal of GiB, or whole MiB well below one.
/// `12.0 GiB`, `623 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes.div_ceil(MIB) {
        mib @ 0..1000 => format!("{mib} MiB"),
        _ => format!("{:.1} GiB", bytes as f64 / (1024 * MIB) as f64),
    }
}

fn tokens(number: usize) -> String {
    format!("{} tokens", thousands(number as u64))
}

fn thousands(number: u64) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", thousands(number / 1000), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use stepladder_protocol::{MemoryParts, Method};

    const GIB: u64 = 1 << 30;

    fn estimate(method: Method, total_bytes: u64, available: u64) -> MethodEstimate {
        let verdict = crate::memory::limits::verdict(total_bytes, available);
        MethodEstimate {
            method,
            total_bytes,
            peak_moment: "loss".to_owned(),
            parts: MemoryParts::default(),
            breakdown: BTreeMap::new(),
            fits: Some(verdict != Verdict::DoesNotFit),
            verdict: Some(verdict),
            longest_context: None,
            longest_context_is_the_models: false,
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

    fn report(methods: Vec<MethodEstimate>) -> MemoryReport {
        MemoryReport {
            model: "m".to_owned(),
            parameters: 1,
            weight_dtype: "BF16".to_owned(),
            device: "cuda".to_owned(),
            context: 2048,
            batch_size: 1,
            memory_bytes: Some(12 * GIB),
            other_programs_bytes: 2 * GIB,
            constants_measured: true,
            methods,
            advice: Vec::new(),
        }
    }

    fn switched(switches: &[&str], total_bytes: u64, offloaded_bytes: u64) -> Switched {
        Switched {
            switches: switches.iter().map(|&switch| switch.to_owned()).collect(),
            total_bytes,
            offloaded_bytes,
            longest_context: Some(100_000),
            longest_context_is_the_models: false,
            longest_context_offloaded_bytes: 3 * offloaded_bytes,
        }
    }

    #[test]
    fn what_fits_is_said_with_what_it_leaves() {
        let one = report(vec![estimate(Method::Xladder, 5 * GIB, 10 * GIB)]);
        assert_eq!(sentences(&one), ["xLadder fits with 5.0 GiB to spare."]);
        let tight = report(vec![estimate(
            Method::Ladder,
            10 * GIB - (300 << 20),
            10 * GIB,
        )]);
        assert_eq!(
            sentences(&tight),
            ["Ladder just fits, with 300 MiB to spare: close other programs first."]
        );
        let two = report(vec![
            estimate(Method::Ladder, 6 * GIB, 10 * GIB),
            estimate(Method::Xladder, 5 * GIB, 10 * GIB),
        ]);
        assert_eq!(
            sentences(&two),
            ["All of them fit; xLadder leaves the most to spare, 5.0 GiB."]
        );
    }

    #[test]
    fn what_does_not_fit_is_said_with_the_ways_out() {
        let mut qlora = estimate(Method::Qlora, 13 * GIB + GIB / 10, 10 * GIB);
        let needs = "QLoRA needs 13.1 GiB at 2,048 tokens, 3.1 GiB more than there is";
        let one = report(vec![qlora.clone()]);
        assert_eq!(
            sentences(&one),
            [format!("{needs}; a card of 24 GiB holds it.")]
        );

        qlora.longest_context = Some(1536);
        qlora.remedy = Some(switched(&["--recompute on"], 9 * GIB, 0));
        let mut both = report(vec![qlora, estimate(Method::Xladder, 5 * GIB, 10 * GIB)]);
        assert_eq!(
            sentences(&both),
            [
                "xLadder fits with 5.0 GiB to spare.".to_owned(),
                format!("{needs}; 1,536 tokens fit."),
                "With --recompute on, QLoRA fits: 9.0 GiB.".to_owned(),
            ]
        );
        both.batch_size = 4;
        both.methods[0].remedy = Some(switched(&["--batch-size 1"], 9 * GIB, 0));
        both.methods[0].largest_batch = Some(2);
        assert_eq!(
            sentences(&both)[1],
            "QLoRA needs 13.1 GiB at 4 × 2,048 tokens, 3.1 GiB more than there is; batch 2 fits, \
             and so do 1,536 tokens."
        );
        assert_eq!(sentences(&both).len(), 2, "a smaller batch is said once");
    }

    #[test]
    fn ram_is_part_of_the_price() {
        let mut ladder = estimate(Method::Ladder, 11 * GIB, 10 * GIB);
        let switches = ["--recompute on", "--offload-embeddings on"];
        ladder.remedy = Some(switched(&switches, 9 * GIB, GIB));
        ladder.leanest = Some(switched(&switches, 9 * GIB, GIB));
        let said = sentences(&report(vec![ladder.clone()]));
        assert_eq!(
            said[1..],
            [
                "With --recompute on --offload-embeddings on, Ladder fits: 9.0 GiB, and 1.0 GiB \
                 of RAM.",
                "With --recompute on --offload-embeddings on, Ladder goes up to 100,000 tokens; that \
                 takes 3.0 GiB of RAM.",
            ]
        );
        ladder.longest_context = Some(12_000);
        let leanest = ladder.leanest.as_mut().unwrap();
        leanest.longest_context_is_the_models = true;
        leanest.longest_context_offloaded_bytes = 0;
        let mut report = report(vec![ladder]);
        report.batch_size = 2;
        assert_eq!(
            sentences(&report)[2],
            "With --recompute on --offload-embeddings on, Ladder goes up to 100,000 tokens (the \
             model's own limit) at batch 2 instead of 12,000."
        );
    }

    #[test]
    fn without_a_memory_the_cards_are_named() {
        let mut unknown = report(vec![
            estimate(Method::Ladder, GIB, 0),
            estimate(Method::Lora, GIB, 0),
        ]);
        unknown.memory_bytes = None;
        unknown.methods[1].smallest_card_bytes = None;
        assert_eq!(
            sentences(&unknown),
            ["Smallest cards: Ladder 24 GiB, LoRA none of the usual ones."]
        );
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1_002_003), "1,002,003");
        assert_eq!(bytes((1 << 20) + 1), "2 MiB");
        assert_eq!(bytes(1000 << 20), "1.0 GiB");
    }
}
