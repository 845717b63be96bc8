//! The plan of a run's memory held against what a training step really takes, and the plan's
//! coefficients per token against measured slopes.

use stepladder_engine::training::check::{Cell, Compared, RandomModel};
use stepladder_engine::training::estimate::BatchShape;
use stepladder_protocol::{Downsample, Inject, Method, Quantize, RunConfig, Switch, TapDtype};

use super::ONE_AT_A_TIME;

const MODEL: RandomModel = RandomModel {
    layers: 4,
    d_model: 128,
    heads: 4,
    kv_heads: 2,
    d_ff: 352,
    vocabulary: 2048,
    tied_head: false,
};

fn cell(model: RandomModel, config: &RunConfig, (batch, seq): (usize, usize)) -> Cell {
    Cell {
        model,
        config: RunConfig {
            batch_size: batch,
            effective_batch_size: batch,
            ..config.clone()
        },
        shape: BatchShape { batch, seq },
    }
}

/// In a pool of two threads: what attention holds depends on their number.
fn compare(cell: &Cell) -> Compared {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
    pool.unwrap().install(|| cell.compare(2).unwrap())
}

fn config(method: Method) -> RunConfig {
    RunConfig {
        method,
        ..RunConfig::default()
    }
}

/// Every switch that changes what a step takes.
fn configs() -> Vec<RunConfig> {
    let (on, off) = (Switch::On, Switch::Off);
    let mut all = Vec::new();
    for method in [Method::Ladder, Method::Xladder, Method::Lora, Method::Qlora] {
        for recompute in [on, off] {
            all.push(RunConfig {
                recompute: Some(recompute),
                ..config(method)
            });
        }
    }
    let ladder = |change: fn(&mut RunConfig)| {
        let mut config = config(Method::Ladder);
        change(&mut config);
        config
    };
    all.extend([
        ladder(|c| c.recompute_taps = Switch::On),
        ladder(|c| {
            c.recompute_taps = Switch::On;
            c.recompute = Some(Switch::On);
            c.tap_dtype = TapDtype::Bf16;
        }),
        ladder(|c| c.tap_dtype = TapDtype::F16),
        ladder(|c| c.inject = Inject::Gate),
        ladder(|c| {
            c.inject = Inject::Gate;
            c.recompute = Some(Switch::On);
        }),
        ladder(|c| c.downsample = Downsample::Adapter),
        ladder(|c| c.downsample = Downsample::Shared),
        ladder(|c| c.quantize = Quantize::Nf4),
        ladder(|c| c.d_side = Some(128)),
        RunConfig {
            tap_dtype: TapDtype::Bf16,
            ..config(Method::Lora)
        },
        RunConfig {
            lora_dropout: 0.1,
            ..config(Method::Qlora)
        },
        RunConfig {
            target_modules: Some(vec!["q_proj".to_owned()]),
            rank: 64,
            ..config(Method::Lora)
        },
    ]);
    all
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[test]
fn a_step_takes_what_the_plan_says() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let mut worst = 0f64;
    for config in configs() {
        for shape in [(3, 200), (2, 700)] {
            let Compared { plan, measured, .. } = compare(&cell(MODEL, &config, shape));
            let (planned, peak) = (mib(plan.total_bytes), mib(measured.peak));
            let error = planned / peak - 1.0;
            let what = format!(
                "{:?} recompute {:?}, taps again {:?} in {:?}, {:?} {:?} {:?}, {shape:?}",
                config.method,
                config.recompute,
                config.recompute_taps,
                config.tap_dtype,
                config.inject,
                config.downsample,
                config.quantize,
            );
            println!(
                "{planned:.2} planned, {peak:.2} MiB measured, {:+.2} %: {what}, at {}",
                100.0 * error,
                plan.peak_moment
            );
            assert!(error.abs() < 0.03, "{what}");
            worst = worst.max(error.abs());
        }
    }
    println!("at most {:.2} %", 100.0 * worst);
}

/// Bytes per token between two contexts, planned and measured.
fn slope(model: RandomModel, config: &RunConfig, from: usize, to: usize) -> (f64, f64) {
    let [low, high] = [from, to].map(|seq| compare(&cell(model, config, (1, seq))));
    let per_token = |high: u64, low: u64| (high as f64 - low as f64) / (to - from) as f64;
    (
        per_token(high.plan.total_bytes, low.plan.total_bytes),
        per_token(high.measured.peak, low.measured.peak),
    )
}

#[test]
fn memory_grows_in_a_straight_line_with_the_context() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let model = RandomModel {
        layers: 2,
        d_model: 64,
        heads: 2,
        kv_heads: 2,
        d_ff: 128,
        vocabulary: 512,
        tied_head: true,
    };
    for method in [Method::Ladder, Method::Xladder, Method::Qlora] {
        let contexts = [1024, 4096, 16384];
        let slopes = [(0, 1), (1, 2)]
            .map(|(from, to)| slope(model, &config(method), contexts[from], contexts[to]));
        println!("{method:?}: {slopes:?} bytes a token, planned and measured");
        for (planned, measured) in slopes {
            assert!((planned / measured - 1.0).abs() < 0.01, "{method:?}");
        }
        let [(_, early), (_, late)] = slopes;
        assert!((late / early - 1.0).abs() < 0.01, "{method:?} bends");
    }
}

/// Each coefficient of the plan: how much a token takes at three values of each size.
#[test]
fn what_a_token_takes_is_what_the_plan_says() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let ladder = config(Method::Ladder);
    let side = |d_side| RunConfig {
        d_side: Some(d_side),
        ..ladder.clone()
    };
    let mut cases = Vec::new();
    for (d_model, d_side, layers, vocabulary) in
        [(64, 32, 2, 512), (128, 64, 4, 2048), (192, 128, 6, 8192)]
    {
        let wide = RandomModel {
            d_model,
            d_ff: 3 * d_model,
            ..MODEL
        };
        let deep = RandomModel { layers, ..MODEL };
        let wordy = RandomModel {
            vocabulary,
            ..MODEL
        };
        for method in [Method::Ladder, Method::Xladder, Method::Qlora, Method::Lora] {
            for recompute in [Switch::Off, Switch::On] {
                let config = RunConfig {
                    recompute: Some(recompute),
                    ..config(method)
                };
                cases.push((wide, config.clone()));
                cases.push((deep, config.clone()));
                cases.push((wordy, config));
            }
        }
        cases.push((MODEL, side(d_side)));
    }
    for (model, config) in cases {
        let (planned, measured) = slope(model, &config, 1024, 1536);
        let what = format!(
            "{:?} {:?} {model:?} d_side {:?}",
            config.method, config.recompute, config.d_side
        );
        println!("{planned:.0} planned, {measured:.0} bytes a token measured: {what}");
        assert!((planned / measured - 1.0).abs() < 0.01, "{what}");
    }
}
