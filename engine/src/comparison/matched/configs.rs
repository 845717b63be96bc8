//! How methods are trained alike. Ladder and xLadder get the same number of side layers of the same width
//! and one downsample for all taps, which makes their parameters equal (`methods.md`: that is what
//! "fixed parameter count" means); QLoRA gets the rank that comes nearest. All of them read the same
//! backbone in NF4 and take the same examples in the same order for the same steps.

use stepladder_protocol::{
    Downsample, Inject, MatchedRun, Method, Quantize, RunConfig, Switch, TrainMatched,
};

use super::MatchedWishes;
use crate::adapters::ladder::wiring::{XLADDER_DELTA, spread_taps, top_taps};
use crate::comparison::variants::parameters_match;
use crate::models::config::DecoderConfig;
use crate::training::plan::ModelPlan;
use crate::{Error, Result};

/// What is trained, in the order in which it is told.
pub const METHODS: [Method; 3] = [Method::Ladder, Method::Xladder, Method::Qlora];
/// The seed of the first run of each method.
const FIRST_SEED: u64 = 42;
/// Passes over the data where no steps are named: as a run by itself makes them.
const EPOCHS: f64 = 3.0;
/// A quick comparison makes this part of the steps.
const QUICK: usize = 3;

/// A run to make.
pub struct Planned {
    /// As it is told.
    pub run: MatchedRun,
    /// As it is trained.
    pub config: RunConfig,
    /// Whether it recomputes activations.
    pub recompute: Switch,
}

/// Everything that is trained.
pub struct Plans {
    /// A run for each method and seed: all methods of the first seed come first, so that a comparison that
    /// is stopped early has some of each.
    pub runs: Vec<Planned>,
    /// A step of each method with activations kept the other way: a name, the run, and the way.
    pub memory_runs: Vec<(String, RunConfig, Switch)>,
    /// Whether all methods train as many parameters as each other.
    pub parameters_match: bool,
}

/// Plans the runs for a model.
///
/// # Errors
/// When nothing is to be trained, or the model has too few layers.
pub fn plan(wishes: &MatchedWishes, model: &DecoderConfig) -> Result<Plans> {
    let train = &wishes.train;
    if train.seeds == 0 {
        return Err(refused("seeds", "is 0", "use at least 1"));
    }
    if train.steps == Some(0) {
        return Err(refused("steps", "is 0", "use at least 1"));
    }
    let delta = XLADDER_DELTA.min(model.layers / 2);
    if delta == 0 {
        return Err(refused(
            "model",
            "has one layer, and an xLadder of a Ladder's size needs two",
            "choose another model",
        ));
    }
    let ladder = RunConfig {
        method: Method::Ladder,
        taps: Some(spread_taps(model.layers, 2 * delta)),
        ..common(wishes)
    };
    let xladder = RunConfig {
        method: Method::Xladder,
        taps: Some(top_taps(model.layers, delta)),
        ..ladder.clone()
    };
    let rank = nearest_rank(&common(wishes), parameters(&ladder, model)?, model)?;
    let qlora = RunConfig {
        method: Method::Qlora,
        rank,
        alpha: 2.0 * rank as f64,
        ..common(wishes)
    };
    let configs = [ladder, xladder, qlora];
    let counts = configs.iter().map(|config| parameters(config, model));
    let counts: Vec<usize> = counts.collect::<Result<_>>()?;
    let parameters_match = parameters_match(counts.into_iter().map(|count| count as u64));
    let mut runs = Vec::new();
    for seed in (FIRST_SEED..).take(train.seeds) {
        for config in &configs {
            let config = RunConfig {
                seed,
                ..config.clone()
            };
            runs.push(planned(config, model)?);
        }
    }
    let memory_runs = configs
        .into_iter()
        .map(|config| switched(config, model))
        .collect::<Result<_>>()?;
    Ok(Plans {
        runs,
        memory_runs,
        parameters_match,
    })
}

fn refused(field: &'static str, problem: &str, hint: &str) -> Error {
    Error::ConfigInvalid {
        field,
        problem: problem.to_owned(),
        hint: hint.to_owned(),
    }
}

/// What all runs have in common.
fn common(wishes: &MatchedWishes) -> RunConfig {
    let TrainMatched {
        data, steps, quick, ..
    } = &wishes.train;
    let part = if *quick { QUICK } else { 1 };
    RunConfig {
        model: wishes.model.clone(),
        data: data.clone(),
        device: wishes.device.clone(),
        steps: steps.map(|steps| steps.div_ceil(part)),
        epochs: EPOCHS / part as f64,
        quantize: Quantize::Nf4,
        downsample: Downsample::Shared,
        inject: Inject::Sum,
        // The same steps for all.
        early_stopping_patience: 0,
        ..RunConfig::default()
    }
}

fn parameters(config: &RunConfig, model: &DecoderConfig) -> Result<usize> {
    Ok(ModelPlan::resolve(config, model)?.shape.parameters())
}

/// The rank at which low-rank additions have nearly so many parameters: they grow with it evenly.
fn nearest_rank(common: &RunConfig, wanted: usize, model: &DecoderConfig) -> Result<usize> {
    let of_one = RunConfig {
        method: Method::Qlora,
        rank: 1,
        ..common.clone()
    };
    let each = parameters(&of_one, model)?;
    Ok(((wanted + each / 2) / each).max(1))
}

fn planned(config: RunConfig, model: &DecoderConfig) -> Result<Planned> {
    let plan = ModelPlan::resolve(&config, model)?;
    let is_side = config.method != Method::Qlora;
    Ok(Planned {
        run: MatchedRun {
            name: format!("{}-seed-{}", config.method.name(), config.seed),
            method: config.method,
            seed: config.seed,
            parameters: plan.shape.parameters() as u64,
            taps: config.taps.clone().unwrap_or_default(),
            rank: (!is_side).then_some(config.rank),
            learning_rate: plan.learning_rate,
        },
        recompute: plan.training.recompute,
        config,
    })
}

/// One step of a method, with activations kept instead of recomputed or the other way round.
fn switched(config: RunConfig, model: &DecoderConfig) -> Result<(String, RunConfig, Switch)> {
    let recompute = match ModelPlan::resolve(&config, model)?.training.recompute {
        Switch::On => Switch::Off,
        Switch::Off => Switch::On,
    };
    let word = match recompute {
        Switch::On => "on",
        Switch::Off => "off",
    };
    let config = RunConfig {
        steps: Some(1),
        recompute: Some(recompute),
        ..config
    };
    let name = format!("{}-recompute-{word}", config.method.name());
    Ok((name, config, recompute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::model::ModelFiles;
    use std::path::PathBuf;

    fn wishes(train: TrainMatched) -> MatchedWishes {
        MatchedWishes {
            model: "builtin".to_owned(),
            train,
            device: "cpu".to_owned(),
            out: PathBuf::new(),
            questions: None,
            answer_pattern: None,
        }
    }

    #[test]
    fn ladder_and_xladder_have_equal_parameters_and_qlora_comes_near() {
        let model = ModelFiles::open("builtin").unwrap().config;
        let plans = plan(&wishes(TrainMatched::default()), &model).unwrap();
        let names: Vec<&str> = plans.runs.iter().map(|p| p.run.name.as_str()).collect();
        assert_eq!(names.len(), 9);
        assert_eq!(
            names[..4],
            [
                "ladder-seed-42",
                "xladder-seed-42",
                "qlora-seed-42",
                "ladder-seed-43"
            ]
        );
        let [ladder, xladder, qlora] = &plans.runs[..3] else {
            panic!("three methods");
        };
        assert_eq!(ladder.run.parameters, xladder.run.parameters);
        assert_eq!(ladder.run.taps.len(), 2 * xladder.run.taps.len());
        assert_eq!(*xladder.run.taps.last().unwrap(), model.layers);
        // No other rank comes nearer.
        let rank = qlora.run.rank.unwrap();
        let away = |rank: usize| {
            let config = RunConfig {
                rank,
                ..qlora.config.clone()
            };
            parameters(&config, &model)
                .unwrap()
                .abs_diff(ladder.run.parameters as usize)
        };
        assert!(away(rank) <= away(rank + 1) && away(rank) <= away(rank - 1));
        // What differs between runs of one seed is the method alone.
        for planned in &plans.runs {
            let config = &planned.config;
            assert_eq!(config.early_stopping_patience, 0);
            assert_eq!((config.steps, config.epochs), (None, 3.0));
            assert_eq!(config.quantize, Quantize::Nf4);
        }
        assert_eq!(plans.runs[8].config.seed, 44);
    }

    #[test]
    fn activations_are_kept_the_other_way_for_one_step() {
        let model = ModelFiles::open("builtin").unwrap().config;
        let plans = plan(&wishes(TrainMatched::default()), &model).unwrap();
        let names: Vec<&str> = plans.memory_runs.iter().map(|(n, ..)| n.as_str()).collect();
        assert_eq!(
            names,
            [
                "ladder-recompute-on",
                "xladder-recompute-on",
                "qlora-recompute-off"
            ]
        );
        assert!({ plans.memory_runs.iter() }.all(|(_, config, _)| config.steps == Some(1)));
    }

    #[test]
    fn quick_is_a_third() {
        let model = ModelFiles::open("builtin").unwrap().config;
        let quick = |steps| {
            let train = TrainMatched {
                quick: true,
                seeds: 1,
                steps,
                ..TrainMatched::default()
            };
            let plans = plan(&wishes(train), &model).unwrap();
            (plans.runs[0].config.steps, plans.runs[0].config.epochs)
        };
        assert_eq!(quick(None), (None, 1.0));
        assert_eq!(quick(Some(10)).0, Some(4));
        let none = TrainMatched {
            seeds: 0,
            ..TrainMatched::default()
        };
        let error = plan(&wishes(none), &model).err().unwrap();
        assert_eq!(error.to_string(), "seeds: is 0");
    }
}
