//! What is merged on the wire, and what is not.

use stepladder_protocol::*;

use super::client::Worker;

#[test]
fn stages_are_merged_and_each_is_told_to_its_end() {
    let mut worker = Worker::start();
    worker.train("t", "stages", 10_000);
    let lines = worker.until_end("t");
    let of = |wanted: Phase| -> Vec<u64> {
        { lines.iter() }
            .filter_map(|line| match &line.event {
                Event::Progress(so_far) if so_far.phase == wanted => Some(so_far.done),
                _ => None,
            })
            .collect()
    };
    for phase in [Phase::LoadingModel, Phase::Rehearsing] {
        let told = of(phase);
        assert!(told.is_sorted());
        assert!(told.len() < 50, "{told:?}");
        assert_eq!(told.last(), Some(&1000));
    }
}

/// Steps and the progress of a stage wait for their like, and neither takes the other's place.
#[test]
fn events_of_different_kinds_do_not_replace_each_other() {
    let mut worker = Worker::start();
    worker.train("t", "kinds", 10_000);
    let lines = worker.until_end("t");
    let told: Vec<_> = { lines.iter() }
        .filter_map(|line| match &line.event {
            Event::Progress(so_far) if so_far.phase == Phase::Evaluating => {
                Some(("stage", so_far.done as usize))
            }
            Event::Step(row) => Some(("step", row.step)),
            _ => None,
        })
        .collect();
    let all = [1, 2, 3].map(|number| [("stage", number), ("step", number)]);
    assert_eq!(told, all.concat());
}
